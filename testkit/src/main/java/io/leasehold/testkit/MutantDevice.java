package io.leasehold.testkit;

import io.leasehold.rdma.AsyncEvent;
import io.leasehold.rdma.CompletionQueue;
import io.leasehold.rdma.ConnectionHandler;
import io.leasehold.rdma.ConnectionRequest;
import io.leasehold.rdma.DeviceAttributes;
import io.leasehold.rdma.EndpointAddress;
import io.leasehold.rdma.Listener;
import io.leasehold.rdma.ProtectionDomain;
import io.leasehold.rdma.QueuePair;
import io.leasehold.rdma.QueuePairAddress;
import io.leasehold.rdma.RdmaDevice;
import io.leasehold.rdma.ResourceCounts;
import io.leasehold.rdma.WorkCompletion;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/// A device that passes everything on to another one and, when told to, lies in one way: for tests that show that a property
/// bites, and for tests that look at what is done to windows.
///
/// ```java
/// MutantDevice device = MutantDevice.of(RdmaDevice.open(options));
/// device.mutate(Mutation.SKIP_INVALIDATION);      // from now on; device.heal() ends it
/// device.observe(observer);                       // is told of each bind, invalidation and close
/// device.testify(witness);                        // decides how completions are reported
/// ```
///
/// Mutations about windows are for the device that has the memory. Some of them show only to a peer that is a mutant as well,
/// if a healthy one; [Mutation] says which. A lie does not end at once with [#heal()]: what was bound wrongly stays so.
/// Thread-safe as its delegate is.
public final class MutantDevice implements RdmaDevice {
    /// The mutants of this JVM, by the identity of their devices.
    private static final Map<Long, MutantDevice> MUTANTS = new ConcurrentHashMap<>();

    private final RdmaDevice delegate;
    private final Map<Integer, MutantWindow> windows = new ConcurrentHashMap<>();
    private final Map<Integer, MutantQueuePair> queuePairs = new ConcurrentHashMap<>();
    private final AtomicInteger turns = new AtomicInteger();
    private @Nullable ProtectionDomain onlyDomain;
    private volatile Mutation mutation = Mutation.NONE;
    private volatile WindowObserver observer = new WindowObserver() {
    };
    private volatile CompletionWitness witness = WorkCompletion::status;

    private MutantDevice(RdmaDevice delegate) {
        this.delegate = delegate;
    }

    /// A device that behaves as `delegate`, and closes it when it is closed.
    public static MutantDevice of(RdmaDevice delegate) {
        return new MutantDevice(delegate);
    }

    /// The mutant of this JVM that listens at `address`, if there is one.
    static @Nullable MutantDevice at(EndpointAddress address) {
        return MUTANTS.get(address.device());
    }

    /// Lies from now on.
    public void mutate(Mutation newMutation) {
        mutation = newMutation;
    }

    /// Behaves from now on.
    public void heal() {
        mutation = Mutation.NONE;
    }

    /// Has `newObserver` told of windows, instead of who was told before.
    public void observe(WindowObserver newObserver) {
        observer = newObserver;
    }

    /// Has `newWitness` decide how the completions of this device's queues are reported.
    public void testify(CompletionWitness newWitness) {
        witness = newWitness;
    }

    CompletionWitness witness() {
        return witness;
    }

    Mutation mutation() {
        return mutation;
    }

    /// Whether it lies in this way, and this is the one of [Mutation#PERIOD] times to do so.
    boolean turnOf(Mutation lie) {
        return mutation == lie && turns.incrementAndGet() % Mutation.PERIOD == 0;
    }

    WindowObserver observer() {
        return observer;
    }

    /// The window that a key names.
    @Nullable MutantWindow window(int key) {
        return windows.get(key >>> 8);
    }

    void opened(MutantWindow window) {
        windows.put(window.index(), window);
    }

    void closed(MutantWindow window) {
        observer.closed(window.realKey());
        windows.remove(window.index());
    }

    void opened(MutantQueuePair queuePair) {
        queuePairs.put(queuePair.number(), queuePair);
        MUTANTS.put(queuePair.address().endpoint().device(), this);
    }

    void closed(MutantQueuePair queuePair) {
        queuePairs.remove(queuePair.number());
    }

    /// Takes a queue pair to ERR.
    void breakQueuePair(int number) {
        MutantQueuePair queuePair = queuePairs.get(number);
        if (queuePair != null) {
            queuePair.toError();
        }
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
        if (mutation != Mutation.IGNORE_DOMAIN) {
            return new MutantDomain(this, delegate.allocateProtectionDomain(), false);
        }
        synchronized (this) {
            if (onlyDomain == null) {
                onlyDomain = delegate.allocateProtectionDomain();
            }
            return new MutantDomain(this, onlyDomain, true);
        }
    }

    @Override
    public CompletionQueue createCompletionQueue(int capacity) {
        return new MutantCompletionQueue(this, delegate.createCompletionQueue(capacity));
    }

    @Override
    public Listener listen(ConnectionHandler handler) {
        return delegate.listen(request -> handler.onRequest(new UnwrappingRequest(request)));
    }

    @Override
    public void onAsyncEvent(Consumer<AsyncEvent> newObserver) {
        delegate.onAsyncEvent(newObserver);
    }

    @Override
    public void close() {
        MUTANTS.values().remove(this);
        delegate.close();
    }

    /// Hands the delegate its own queue pair.
    private record UnwrappingRequest(ConnectionRequest request) implements ConnectionRequest {
        @Override
        public QueuePairAddress remote() {
            return request.remote();
        }

        @Override
        public byte[] privateData() {
            return request.privateData();
        }

        @Override
        public void accept(QueuePair queuePair, byte[] privateData) {
            request.accept(queuePair instanceof MutantQueuePair mutant ? mutant.delegate() : queuePair, privateData);
        }

        @Override
        public void reject(String reason) {
            request.reject(reason);
        }
    }
}
