package io.leasehold.testkit;

import io.leasehold.rdma.AccessFlag;
import io.leasehold.rdma.AsyncEvent;
import io.leasehold.rdma.CompletionQueue;
import io.leasehold.rdma.ConnectionHandler;
import io.leasehold.rdma.DeviceAttributes;
import io.leasehold.rdma.Listener;
import io.leasehold.rdma.MemoryRegion;
import io.leasehold.rdma.MemoryWindow;
import io.leasehold.rdma.MemoryWindowType;
import io.leasehold.rdma.ProtectionDomain;
import io.leasehold.rdma.QueuePair;
import io.leasehold.rdma.QueuePairOptions;
import io.leasehold.rdma.QueuePairState;
import io.leasehold.rdma.RdmaDevice;
import io.leasehold.rdma.ResourceCounts;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Consumer;
import java.util.random.RandomGenerator;

/// A device that passes everything on to another one of any provider, and whose connections a test can break at any moment, as
/// when a cable is pulled. Its queue pairs are those of the other device, so nothing is slower or different in between.
/// Thread-safe.
public final class FragileDevice implements RdmaDevice {
    private static final Duration RECOVERY = Duration.ofSeconds(20);

    private final RdmaDevice delegate;
    private final Set<QueuePair> queuePairs = ConcurrentHashMap.newKeySet();

    private FragileDevice(RdmaDevice delegate) {
        this.delegate = delegate;
    }

    /// A device that behaves as `delegate`, and closes it when it is closed.
    public static FragileDevice of(RdmaDevice delegate) {
        return new FragileDevice(delegate);
    }

    /// Breaks a connection now and then, until `over` is completed: each time when there are as many again as before, which takes
    /// who uses them longer on a busy machine, and after a pause of up to `longestPause`.
    ///
    /// @return how many, when it is over
    public CompletableFuture<Integer> breakUntil(CompletableFuture<?> over, RandomGenerator chance, Duration longestPause) {
        return CompletableFuture.supplyAsync(() -> {
            int breaks = 0;
            while (!Await.holdsWithin(Duration.ofNanos(chance.nextLong(longestPause.toNanos())), over::isDone)) {
                int before = connected().size();
                if (breakOne(chance)) {
                    breaks++;
                }
                Await.holdsWithin(RECOVERY, () -> over.isDone() || connected().size() >= before);
            }
            return breaks;
        }, task -> Thread.ofPlatform().daemon().name("breaker").start(task));
    }

    /// Breaks one of the connections that are up, whichever `chance` chooses: all that is on its way there is in doubt.
    ///
    /// @return whether there was one
    public boolean breakOne(RandomGenerator chance) {
        List<QueuePair> connected = connected();
        if (connected.isEmpty()) {
            return false;
        }
        connected.get(chance.nextInt(connected.size())).toError();
        return true;
    }

    private List<QueuePair> connected() {
        return queuePairs.stream().filter(pair -> pair.state() == QueuePairState.RTS).toList();
    }

    @Override
    public DeviceAttributes attributes() {
        return delegate.attributes();
    }

    @Override
    public ResourceCounts resources() {
        return delegate.resources();
    }

    @Override
    public ProtectionDomain allocateProtectionDomain() {
        return new Domain(this, delegate.allocateProtectionDomain());
    }

    @Override
    public CompletionQueue createCompletionQueue(int capacity) {
        return delegate.createCompletionQueue(capacity);
    }

    @Override
    public Listener listen(ConnectionHandler handler) {
        return delegate.listen(handler);
    }

    @Override
    public void onAsyncEvent(Consumer<AsyncEvent> observer) {
        delegate.onAsyncEvent(observer);
    }

    @Override
    public void close() {
        delegate.close();
    }

    /// Notes the queue pairs that are made of it.
    private record Domain(FragileDevice device, ProtectionDomain delegate) implements ProtectionDomain {
        @Override
        public MemoryRegion register(MemorySegment memory, Set<AccessFlag> access) {
            return delegate.register(memory, access);
        }

        @Override
        public MemoryWindow allocateMemoryWindow(MemoryWindowType type) {
            return delegate.allocateMemoryWindow(type);
        }

        @Override
        public QueuePair createQueuePair(QueuePairOptions options) {
            QueuePair queuePair = delegate.createQueuePair(options);
            device.queuePairs.add(queuePair);
            return queuePair;
        }

        @Override
        public void close() {
            delegate.close();
        }
    }
}
