package io.leasehold.structures;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.leasehold.lease.LeaseBacking;
import io.leasehold.lease.MemoryNode;
import io.leasehold.lease.NodeOptions;
import io.leasehold.lease.Session;
import io.leasehold.lease.SessionOptions;
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

/// The connections of two sessions, for data and for control, break again and again under the operations of a map and a queue on
/// the RDMA device of this machine: what operations answer is linearizable all the same, and those that cannot know say so.
@Tag("rdma")
@ExtendWith(WithRdmaDevice.class)
@Timeout(120)
final class VerbsBrokenConnectionsTest {
    private static final int SESSIONS = 2;
    private static final int THREADS = 3;
    private static final int OPERATIONS_MIN = 200;
    private static final int BREAKS_MIN = 10;
    private static final Duration TIME = Duration.ofSeconds(15);
    private static final Duration LONGEST_PAUSE = Duration.ofMillis(600);
    private static final Duration PATIENCE = Duration.ofSeconds(20);

    /// On regions a session opens all its memory anew by system calls, each time a connection breaks, and in the guest that takes so
    /// long that operations run out of time.
    private static void requireWindows() {
        try (RdmaDevice device = RdmaDevice.open(DeviceOptions.verbs())) {
            assumeTrue(LeaseBacking.of(device.attributes()) == LeaseBacking.WINDOW,
                    "leases rest on regions here, and operations run out of time when connections break so often");
        }
    }

    @Test
    void operationsAreLinearizable() throws Exception {
        requireWindows();
        long seed = Long.getLong("leasehold.hammer.seed", System.nanoTime());
        try (MemoryNode node = MemoryNode.start(NodeOptions.ofMemory(256 << 20).withDevice(DeviceOptions.verbs()));
                FragileDevice device = FragileDevice.of(RdmaDevice.open(DeviceOptions.verbs()));
                HammerCrew crew = new HammerCrew(seed)) {
            for (int i = 0; i < SESSIONS; i++) {
                crew.join(Session.connect(device, node.address(), SessionOptions.defaults().withTimeouts(PATIENCE, PATIENCE)));
            }
            CompletableFuture<Void> over = new CompletableFuture<>();
            CompletableFuture<Integer> breaks = device.breakUntil(over, new Random(seed), LONGEST_PAUSE);
            try {
                crew.work(THREADS, TIME);
            } finally {
                over.complete(null);
            }
            assertThat(breaks.join()).as("broken connections, seed %d", seed).isGreaterThan(BREAKS_MIN);
            crew.check(OPERATIONS_MIN);
        }
    }
}
