package io.leasehold.rdma.internal.soft;

import static org.assertj.core.api.Assertions.assertThat;

import io.leasehold.rdma.AccessFlag;
import io.leasehold.rdma.CompletionQueue;
import io.leasehold.rdma.DeviceOptions;
import io.leasehold.rdma.MemoryWindowType;
import io.leasehold.rdma.ProtectionDomain;
import io.leasehold.rdma.QueuePairOptions;
import io.leasehold.rdma.RdmaDevice;
import io.leasehold.rdma.RdmaError;
import io.leasehold.rdma.RdmaException;
import io.leasehold.rdma.ResourceCounts;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.EnumSet;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/// A device is closed while threads make objects on it: nothing is left, and they are told.
final class DeviceCloseTest {
    private static final int ROUNDS = 300;

    @Test
    void nothingIsMadeBehindTheBackOfClose() throws Exception {
        try (Arena arena = Arena.ofShared(); ExecutorService threads = Executors.newCachedThreadPool()) {
            MemorySegment memory = arena.allocate(4096, 64);
            for (int round = 0; round < ROUNDS; round++) {
                RdmaDevice device = RdmaDevice.open(DeviceOptions.soft());
                ProtectionDomain domain = device.allocateProtectionDomain();
                CompletionQueue completions = device.createCompletionQueue(16);
                CountDownLatch busy = new CountDownLatch(1);
                Future<RdmaError> maker = threads.submit(() -> makeUntilRefused(domain, completions, memory, busy));
                busy.await();
                device.close();
                assertThat(maker.get(10, TimeUnit.SECONDS)).as("what the maker was told in round %s", round)
                        .isEqualTo(RdmaError.CLOSED);
                assertThat(device.resources()).as("what is left after round %s", round).isEqualTo(ResourceCounts.NONE);
            }
        }
    }

    private static RdmaError makeUntilRefused(ProtectionDomain domain, CompletionQueue completions, MemorySegment memory,
            CountDownLatch busy) {
        QueuePairOptions options = QueuePairOptions.of(completions, completions).withDepth(1, 1);
        try {
            while (true) {
                domain.register(memory, EnumSet.of(AccessFlag.LOCAL_WRITE)).close();
                domain.allocateMemoryWindow(MemoryWindowType.TYPE_2B).close();
                domain.createQueuePair(options).close();
                busy.countDown();
            }
        } catch (RdmaException e) {
            return e.error();
        }
    }
}
