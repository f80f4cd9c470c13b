package io.leasehold.lease;

import static io.leasehold.lease.NodeFixture.ALL;
import static io.leasehold.lease.NodeFixture.MILLI;
import static io.leasehold.lease.NodeFixture.acquire;
import static io.leasehold.lease.NodeFixture.assertFailed;
import static io.leasehold.lease.NodeFixture.granted;
import static org.assertj.core.api.Assertions.assertThat;

import io.leasehold.lease.ControlMessage.Beat;
import io.leasehold.lease.ControlMessage.BeatReply;
import io.leasehold.lease.ControlMessage.Granted;
import io.leasehold.lease.ControlMessage.Named;
import io.leasehold.lease.ControlMessage.OpenNamed;
import io.leasehold.lease.ControlMessage.Reason;
import io.leasehold.rdma.AccessFlag;
import io.leasehold.rdma.DeviceOptions;
import io.leasehold.rdma.Link;
import io.leasehold.rdma.RdmaDevice;
import io.leasehold.rdma.ResourceCounts;
import io.leasehold.rdma.WorkCompletionStatus;
import io.leasehold.testkit.MutantDevice;
import io.leasehold.testkit.WindowObserver;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// The node at moments that only its device can show, and when its device, or whoever closes it, does what it should not.
@Timeout(60)
final class NodeFaultsTest {
    private static final NodeOptions OPTIONS = NodeOptions.ofMemory(4 << 20);

    @Test
    void aNodeThatAnInterruptedThreadClosesEndsInOrder() {
        RdmaDevice device = RdmaDevice.open(DeviceOptions.soft());
        MemoryNode node = MemoryNode.start(device, OPTIONS);
        try (device; RawClient holder = RawClient.start(node.address(), Link.LOCAL, 1);
                RawClient waiting = RawClient.start(node.address(), Link.LOCAL, 2)) {
            long a = ((Named) holder.call(new OpenNamed("n", 64, true))).offset();
            granted(holder, acquire(a, 64, ALL, LeaseMode.EXCLUSIVE, 900 * MILLI, 0));
            long waits = waiting.send(acquire(a, 64, ALL, LeaseMode.EXCLUSIVE, 10 * MILLI, 30_000 * MILLI));
            waiting.settle();
            Thread.currentThread().interrupt();
            node.close();
            assertThat(Thread.interrupted()).as("the status is kept").isTrue();
            assertNothingOpen(device);
            assertFailed(waiting.await(waits), Reason.UNAVAILABLE);
        }
    }

    private static void assertNothingOpen(RdmaDevice device) {
        ResourceCounts counts = device.resources();
        assertThat(new ResourceCounts(counts.protectionDomains(), counts.regions(), counts.windows(), counts.boundWindows(),
                counts.queuePairs(), counts.completionQueues(), 0)).isEqualTo(ResourceCounts.NONE);
    }

    @Test
    void noLeaseIsExtendedAfterItsSessionHasEnded() {
        AtomicLong clock = new AtomicLong(1);
        NodeOptions options = OPTIONS.withTerms(Duration.ofSeconds(60), Duration.ofMillis(500)).withClock(clock::get);
        try (MutantDevice device = MutantDevice.of(RdmaDevice.open(DeviceOptions.soft()));
                MemoryNode node = MemoryNode.start(device, options);
                RawClient asleep = RawClient.start(node.address(), Link.LOCAL, 1);
                RawClient waiting = RawClient.start(node.address(), Link.LOCAL, 2)) {
            long a = ((Named) asleep.call(new OpenNamed("n", 64, true))).offset();
            Granted lease = granted(asleep, acquire(a, 64, ALL, LeaseMode.EXCLUSIVE, 900 * MILLI, 0));
            long waits = waiting.send(acquire(a, 64, ALL, LeaseMode.EXCLUSIVE, 10 * MILLI, 30_000 * MILLI));
            clock.addAndGet(400 * MILLI);
            assertThat(waiting.call(new Beat(0))).isInstanceOf(BeatReply.class);
            AtomicReference<WorkCompletionStatus> extension = new AtomicReference<>();
            device.observe(new WindowObserver() {
                @Override
                public void bound(int key, long address, long lengthBytes, int access, int queuePair) {
                    // The range is another's, and the client wakes up.
                    if (access != AccessFlag.REMOTE_ATOMIC.bit()) {
                        extension.set(asleep.tryToSwapWord(lease.word(), LeaseWord.word(lease.era(), lease.units()),
                                LeaseWord.word(lease.era(), lease.units() + 1)));
                    }
                }
            });
            clock.addAndGet(101 * MILLI);
            node.tick();
            assertThat(waiting.await(waits)).isInstanceOf(Granted.class);
            assertThat(extension.get()).isEqualTo(WorkCompletionStatus.REM_ACCESS_ERR);
        }
    }
}
