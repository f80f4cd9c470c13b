package io.leasehold.structures;

import io.leasehold.lease.MemoryNode;
import io.leasehold.lease.NodeOptions;
import io.leasehold.lease.Session;
import io.leasehold.lease.SessionOptions;
import io.leasehold.rdma.DeviceOptions;
import io.leasehold.rdma.Hostility;
import io.leasehold.rdma.Link;
import java.time.Duration;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// Queue pairs break under the operations of a map and a queue, before or after the effect of a request, hundreds of times: what
/// operations answer is linearizable all the same, and those that cannot know say so.
@Timeout(120)
final class BrokenConnectionsTest {
    private static final int SESSIONS = 2;
    private static final int THREADS = 3;
    private static final int OPERATIONS_MIN = 500;
    private static final Duration TIME = Duration.ofSeconds(6);
    private static final double BREAK_CHANCE = 0.002;
    private static final Duration PATIENCE = Duration.ofSeconds(20);

    @ParameterizedTest
    @EnumSource(value = Link.class, names = {"LOCAL", "TCP"})
    void operationsAreLinearizable(Link link) throws Exception {
        long seed = Long.getLong("leasehold.hammer.seed", System.nanoTime());
        DeviceOptions plain = DeviceOptions.soft().withLinks(link);
        try (MemoryNode node = MemoryNode.start(NodeOptions.ofMemory(256 << 20).withDevice(plain.withMaxWindows(1 << 17)));
                HammerCrew crew = new HammerCrew(seed)) {
            for (int i = 0; i < SESSIONS; i++) {
                DeviceOptions hostile = plain.withHostility(new Hostility(seed + i, 0.1, 0.001, 100, 0.01, BREAK_CHANCE));
                crew.join(Session.connect(node.address(),
                        SessionOptions.defaults().withDevice(hostile).withTimeouts(PATIENCE, PATIENCE)));
            }
            crew.work(THREADS, TIME);
            crew.check(OPERATIONS_MIN);
        }
    }
}
