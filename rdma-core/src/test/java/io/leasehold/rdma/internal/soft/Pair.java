package io.leasehold.rdma.internal.soft;

import io.leasehold.rdma.AccessFlag;
import io.leasehold.rdma.CompletionQueue;
import io.leasehold.rdma.DeviceOptions;
import io.leasehold.rdma.Listener;
import io.leasehold.rdma.MemoryRegion;
import io.leasehold.rdma.ProtectionDomain;
import io.leasehold.rdma.QueuePair;
import io.leasehold.rdma.QueuePairOptions;
import io.leasehold.rdma.RdmaDevice;
import io.leasehold.rdma.WorkCompletion;
import java.lang.foreign.Arena;
import java.time.Duration;
import java.util.EnumSet;
import java.util.function.UnaryOperator;

/// Two devices with one connected pair of queue pairs, each with a region that allows everything.
final class Pair implements AutoCloseable {
    private static final Duration PATIENCE = Duration.ofSeconds(10);

    final Side client;
    final Side server;
    private final Listener listener;

    /// One device and what a test needs of it.
    static final class Side implements AutoCloseable {
        final RdmaDevice device;
        final ProtectionDomain domain;
        final CompletionQueue completions;
        final QueuePair queuePair;
        final MemoryRegion region;
        final WorkCompletion completion = new WorkCompletion();
        private final Arena arena = Arena.ofShared();

        Side(DeviceOptions options, int bytes, UnaryOperator<QueuePairOptions> tuning) {
            device = RdmaDevice.open(options);
            domain = device.allocateProtectionDomain();
            completions = device.createCompletionQueue(4096);
            region = domain.register(arena.allocate(bytes, 64), EnumSet.allOf(AccessFlag.class));
            queuePair = domain.createQueuePair(tuning.apply(QueuePairOptions.of(completions, completions)));
        }

        /// The next completion.
        WorkCompletion next() throws InterruptedException {
            while (!completions.poll(completion)) {
                if (!completions.await(PATIENCE)) {
                    throw new AssertionError("no completion within " + PATIENCE);
                }
            }
            return completion;
        }

        /// The next completion, by a caller that does not sleep.
        WorkCompletion spin() {
            while (!completions.poll(completion)) {
                Thread.onSpinWait();
            }
            return completion;
        }

        @Override
        public void close() {
            queuePair.close();
            region.close();
            completions.close();
            domain.close();
            device.close();
            arena.close();
        }
    }

    Pair(DeviceOptions options, int bytes) {
        this(options, bytes, UnaryOperator.identity());
    }

    Pair(DeviceOptions options, int bytes, UnaryOperator<QueuePairOptions> tuning) {
        client = new Side(options, bytes, tuning);
        server = new Side(options, bytes, tuning);
        listener = server.device.listen(request -> request.accept(server.queuePair, new byte[] {7}));
        client.queuePair.connect(listener.address(), new byte[] {1, 2}, PATIENCE);
    }

    /// Lets others listen on the server's device.
    void closeListener() {
        listener.close();
    }

    @Override
    public void close() {
        listener.close();
        client.close();
        server.close();
    }
}
