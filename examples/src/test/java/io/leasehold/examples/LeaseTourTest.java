package io.leasehold.examples;

import static org.assertj.core.api.Assertions.assertThat;

import io.leasehold.lease.MemoryNode;
import io.leasehold.lease.NodeOptions;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(value = 120, unit = TimeUnit.SECONDS)
final class LeaseTourTest {
    @Test
    void showsEveryStep_ownNode() throws InterruptedException {
        assertThat(QuickstartTest.printedBy(() -> LeaseTour.main(new String[0])))
                .contains("acquire", "extend", "expire", "refused by the client itself", "refused by the node's device",
                        "spare queue pair");
    }

    @Test
    void showsEveryStep_namedNode() throws InterruptedException {
        try (MemoryNode node = MemoryNode.start(NodeOptions.ofMemory(64 << 20))) {
            String address = node.address().toString();
            assertThat(QuickstartTest.printedBy(() -> LeaseTour.main(new String[] {"--node", address}))).contains(address);
        }
    }
}
