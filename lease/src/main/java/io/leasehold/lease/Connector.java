package io.leasehold.lease;

import io.leasehold.lease.ConnectionHello.Role;
import io.leasehold.rdma.AccessFlag;
import io.leasehold.rdma.CompletionQueue;
import io.leasehold.rdma.EndpointAddress;
import io.leasehold.rdma.MemoryRegion;
import io.leasehold.rdma.ProtectionDomain;
import io.leasehold.rdma.QueuePair;
import io.leasehold.rdma.QueuePairOptions;
import io.leasehold.rdma.RdmaDevice;
import io.leasehold.rdma.RdmaError;
import io.leasehold.rdma.RdmaException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.EnumSet;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicLong;

/// What a session holds of its device, and how it connects queue pairs to its node.
final class Connector implements ControlLine.Source, AutoCloseable {
    private static final Set<AccessFlag> SCRATCH = EnumSet.of(AccessFlag.LOCAL_WRITE);
    private static final System.Logger LOG = System.getLogger(Connector.class.getName());
    private static final int CONTROL_SENDS = 2 * ControlPlaces.COUNT;
    private static final int ALIGNMENT = 64;
    /// An answer that is late by a quarter of the time a request may take leaves the rest for recovery.
    private static final int RESPONSE_SHARE = 4;
    private static final Duration RESPONSE_MIN = Duration.ofMillis(10);

    private final RdmaDevice device;
    private final boolean ownsDevice;
    private final EndpointAddress node;
    private final UUID session;
    private final ProtectionDomain domain;
    private final CompletionQueue controlCompletions;
    private final CompletionQueue dataCompletions;
    private final Arena arena = Arena.ofShared();
    private final MemoryRegion controlBuffers;
    private final MemoryRegion scratch;
    // What was taken last is given back first.
    private final Deque<AutoCloseable> resources = new ArrayDeque<>();
    private final int sendDepth;
    private final Duration response;
    private final AtomicLong lines = new AtomicLong();
    // Guarded by itself, as is stopped.
    private final Set<QueuePair> connecting = new HashSet<>();
    private boolean stopped;

    /// Takes all that a session needs for its life.
    ///
    /// @throws RdmaException if the device has not enough left; then nothing is taken
    Connector(RdmaDevice device, boolean ownsDevice, EndpointAddress node, UUID session, SessionOptions options) {
        this.device = device;
        this.ownsDevice = ownsDevice;
        this.node = node;
        this.session = session;
        sendDepth = Math.min(Math.max(2 * options.depth(), 128), device.attributes().maxWorkRequests());
        Duration share = options.requestTimeout().dividedBy(RESPONSE_SHARE);
        response = share.compareTo(RESPONSE_MIN) < 0 ? RESPONSE_MIN : share;
        try {
            domain = taken(device.allocateProtectionDomain());
            // Room for all that one pair flushes while completions of the one before are still there.
            controlCompletions = taken(device.createCompletionQueue(2 * (CONTROL_SENDS + ControlCodec.RECEIVES)));
            dataCompletions = taken(device.createCompletionQueue(2 * sendDepth));
            controlBuffers = taken(register(arena.allocate(ControlLine.BUFFER_BYTES, ALIGNMENT)));
            long scratchBytes = SingleOperations.scratchBytes(options.depth(), options.scratchBytes());
            scratch = taken(register(arena.allocate(scratchBytes, ALIGNMENT)));
        } catch (RuntimeException e) {
            giveBack();
            throw e;
        }
    }

    private <T extends AutoCloseable> T taken(T resource) {
        resources.push(resource);
        return resource;
    }

    private void giveBack() {
        for (AutoCloseable resource : resources) {
            try {
                resource.close();
            } catch (Exception e) {
                LOG.log(System.Logger.Level.WARNING, "a session could not give back what it holds of its device", e);
            }
        }
        arena.close();
    }

    /// Memory that single operations pass through.
    MemoryRegion scratch() {
        return scratch;
    }

    @Override
    public CompletionQueue completions() {
        return controlCompletions;
    }

    /// Where the completions of all data queue pairs go.
    CompletionQueue dataCompletions() {
        return dataCompletions;
    }

    /// Places in the send queue of a data queue pair.
    int sendDepth() {
        return sendDepth;
    }

    /// Longest single transfer.
    int maxTransferBytes() {
        return device.attributes().maxMessageBytes();
    }

    /// Registers memory that data passes through.
    MemoryRegion register(MemorySegment memory) {
        return domain.register(memory, SCRATCH);
    }

    @Override
    public ControlLine connect(long deadlineNanos) {
        QueuePair queuePair = create(options(controlCompletions, CONTROL_SENDS, ControlCodec.RECEIVES));
        ControlLine line = new ControlLine(queuePair, controlBuffers, lines.incrementAndGet());
        connect(queuePair, () -> {
            queuePair.toInit();
            line.postReceives();
        }, new ConnectionHello(Role.CONTROL, 0, session), deadlineNanos);
        return line;
    }

    /// Connects the data queue pair `index`; the node knows the session.
    ///
    /// @throws RdmaException if there is no connection by `deadlineNanos`, or [#stop()] was called
    QueuePair connectData(int index, long deadlineNanos) {
        QueuePair queuePair = create(options(dataCompletions, sendDepth, 1));
        connect(queuePair, () -> { }, new ConnectionHello(Role.DATA, index, session), deadlineNanos);
        return queuePair;
    }

    private QueuePair create(QueuePairOptions options) {
        synchronized (connecting) {
            if (stopped) {
                throw new RdmaException(RdmaError.CLOSED, "the session is closed");
            }
            QueuePair queuePair = domain.createQueuePair(options);
            connecting.add(queuePair);
            return queuePair;
        }
    }

    private void connect(QueuePair queuePair, Runnable before, ConnectionHello hello, long deadlineNanos) {
        boolean connected = false;
        try {
            before.run();
            queuePair.connect(node, hello.encode(), left(deadlineNanos));
            connected = true;
        } finally {
            synchronized (connecting) {
                connecting.remove(queuePair);
            }
            if (!connected) {
                queuePair.close();
            }
        }
    }

    /// Connects nothing any more; what is connecting now fails.
    void stop() {
        List<QueuePair> unfinished;
        synchronized (connecting) {
            stopped = true;
            unfinished = List.copyOf(connecting);
        }
        unfinished.forEach(QueuePair::close);
    }

    private QueuePairOptions options(CompletionQueue completions, int sends, int receives) {
        return QueuePairOptions.of(completions, completions).withDepth(sends, receives).withTimeouts(response, response);
    }

    private static Duration left(long deadlineNanos) {
        return Duration.ofNanos(Math.max(1_000_000, deadlineNanos - SystemClock.NANOS.getAsLong()));
    }

    /// Frees all; the queue pairs are closed.
    @Override
    public void close() {
        giveBack();
        if (ownsDevice) {
            device.close();
        }
    }
}
