package io.leasehold.lease;

import static org.assertj.core.api.Assertions.assertThat;

import io.leasehold.rdma.DeviceOptions;
import io.leasehold.rdma.RdmaDevice;
import io.leasehold.testkit.FragileDevice;
import io.leasehold.testkit.WithRdmaDevice;
import java.time.Duration;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;

/// A session on the RDMA device of this machine whose connections, for data and for control, break again and again: every addition
/// counts once, those of unknown outcome perhaps.
@Tag("rdma")
@ExtendWith(WithRdmaDevice.class)
@Timeout(120)
final class VerbsBrokenConnectionsTest {
    private static final Duration PATIENCE = Duration.ofSeconds(20);
    private static final Duration LONGEST_PAUSE = Duration.ofMillis(150);
    private static final int ROUNDS = 150;

    @Test
    void additionsHappenOnceOrAreUnknown() throws Exception {
        long seed = System.nanoTime();
        try (MemoryNode node = MemoryNode.start(NodeOptions.ofMemory(1 << 20).withDevice(DeviceOptions.verbs()));
                FragileDevice device = FragileDevice.of(RdmaDevice.open(DeviceOptions.verbs()));
                Session session = Session.connect(device, node.address(),
                        SessionOptions.defaults().withTimeouts(PATIENCE, PATIENCE))) {
            CompletableFuture<Void> over = new CompletableFuture<>();
            CompletableFuture<Integer> breaks = device.breakUntil(over, new Random(seed), LONGEST_PAUSE);
            try {
                HostileSessionTest.checkAdditions(session, ROUNDS);
            } finally {
                over.complete(null);
            }
            assertThat(breaks.join()).as("broken connections, seed %d", seed).isPositive();
        }
    }
}
