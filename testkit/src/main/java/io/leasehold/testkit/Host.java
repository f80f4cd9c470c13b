package io.leasehold.testkit;

import static org.assertj.core.api.Assertions.assertThat;

import io.leasehold.rdma.AccessFlag;
import io.leasehold.rdma.AsyncEvent;
import io.leasehold.rdma.CompletionQueue;
import io.leasehold.rdma.ConnectionRequest;
import io.leasehold.rdma.Listener;
import io.leasehold.rdma.MemoryRegion;
import io.leasehold.rdma.MemoryWindow;
import io.leasehold.rdma.MemoryWindowType;
import io.leasehold.rdma.ProtectionDomain;
import io.leasehold.rdma.QueuePair;
import io.leasehold.rdma.QueuePairOptions;
import io.leasehold.rdma.RdmaDevice;
import io.leasehold.rdma.RdmaException;
import io.leasehold.rdma.ResourceCounts;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.Collection;
import java.util.Deque;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.UnaryOperator;

/// One side of a test: a device, a protection domain, a listener, and whatever the test makes of them, all closed together.
///
/// Closing asserts that the device holds nothing any more.
public final class Host implements AutoCloseable {
    /// All rights that a region can have.
    public static final AccessFlag[] EVERYTHING = AccessFlag.values();

    private static final int COMPLETIONS = 4096;

    private final String name;
    private final RdmaDevice device;
    private final ProtectionDomain domain;
    private final Listener listener;
    private final Arena arena = Arena.ofShared();
    private final Deque<AutoCloseable> made = new ArrayDeque<>();
    private final Collection<AsyncEvent> events = new ConcurrentLinkedQueue<>();

    /// Who waits for a connection, by the private data that it comes with.
    private final Map<Long, Endpoint> expected = new ConcurrentHashMap<>();
    private final AtomicLong lastExpected = new AtomicLong();

    private Host(String name, RdmaDevice device) {
        this.name = name;
        this.device = device;
        device.onAsyncEvent(events::add);
        domain = device.allocateProtectionDomain();
        listener = device.listen(this::answer);
    }

    /// Takes over `device`.
    public static Host of(String name, RdmaDevice device) {
        return new Host(name, device);
    }

    /// The device.
    public RdmaDevice device() {
        return device;
    }

    /// The protection domain of everything that is made without naming another.
    public ProtectionDomain domain() {
        return domain;
    }

    /// Accepts the connections of [Endpoint#connect] and rejects others.
    public Listener listener() {
        return listener;
    }

    /// The asynchronous events so far.
    public List<AsyncEvent> events() {
        return List.copyOf(events);
    }

    /// Native memory, zeroed and aligned to 4096 bytes.
    public MemorySegment memory(long lengthBytes) {
        return arena.allocate(lengthBytes, 4096);
    }

    /// A region of fresh memory.
    public MemoryRegion region(long lengthBytes, AccessFlag... access) {
        return region(domain, lengthBytes, access);
    }

    /// A region of fresh memory in another domain.
    public MemoryRegion region(ProtectionDomain ofDomain, long lengthBytes, AccessFlag... access) {
        EnumSet<AccessFlag> flags = EnumSet.noneOf(AccessFlag.class);
        flags.addAll(List.of(access));
        return closing(ofDomain.register(memory(lengthBytes), flags));
    }

    /// A window.
    public MemoryWindow window(MemoryWindowType type) {
        return closing(domain.allocateMemoryWindow(type));
    }

    /// Another protection domain.
    public ProtectionDomain anotherDomain() {
        return closing(device.allocateProtectionDomain());
    }

    /// A queue pair that is not connected.
    public Endpoint endpoint() {
        return endpoint(options -> options);
    }

    /// A queue pair that is not connected, with options of its own.
    public Endpoint endpoint(UnaryOperator<QueuePairOptions> options) {
        return endpoint(domain, options);
    }

    /// A queue pair of another domain that is not connected, with options of its own.
    public Endpoint endpoint(ProtectionDomain ofDomain, UnaryOperator<QueuePairOptions> options) {
        CompletionQueue completions = device.createCompletionQueue(COMPLETIONS);
        QueuePair queuePair;
        try {
            queuePair = ofDomain.createQueuePair(options.apply(QueuePairOptions.of(completions, completions)));
        } catch (RuntimeException e) {
            completions.close();
            throw e;
        }
        return closing(new Endpoint(this, queuePair, completions));
    }

    /// Has `thing` closed when the host is, before whatever was made earlier.
    public <T extends AutoCloseable> T closing(T thing) {
        made.push(thing);
        return thing;
    }

    /// Has `connecting` ask for a connection to `listening`, a queue pair of this host.
    void expect(Endpoint connecting, Endpoint listening) {
        long ticket = lastExpected.incrementAndGet();
        expected.put(ticket, listening);
        connecting.queuePair().connect(listener.address(), ByteBuffer.allocate(Long.BYTES).putLong(ticket).array(),
                Endpoint.PATIENCE);
    }

    private void answer(ConnectionRequest request) {
        byte[] data = request.privateData();
        Endpoint listening = data.length == Long.BYTES ? expected.remove(ByteBuffer.wrap(data).getLong()) : null;
        if (listening == null) {
            request.reject("nobody here expects you");
            return;
        }
        try {
            request.accept(listening.queuePair(), new byte[0]);
        } catch (RdmaException e) {
            request.reject("cannot accept: " + e.getMessage());
        }
    }

    @Override
    public void close() {
        try (arena; device) {
            RuntimeException failure = null;
            while (!made.isEmpty()) {
                try {
                    made.pop().close();
                } catch (Exception e) {
                    failure = failure == null ? new IllegalStateException("closing " + name, e) : failure;
                }
            }
            if (failure != null) {
                throw failure;
            }
            domain.close();
            listener.close();
            ResourceCounts left = device.resources();
            assertThat(new ResourceCounts(left.protectionDomains(), left.regions(), left.windows(), left.boundWindows(),
                    left.queuePairs(), left.completionQueues(), 0)).as("what %s still holds", name)
                    .isEqualTo(ResourceCounts.NONE);
        }
        Await.until(Endpoint.PATIENCE, "the threads of the device have ended", () -> device.resources().threads() == 0);
    }

    @Override
    public String toString() {
        return name;
    }
}
