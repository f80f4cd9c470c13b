package io.leasehold.lease;

import io.leasehold.rdma.CompletionQueue;
import io.leasehold.rdma.ConnectionHandler;
import io.leasehold.rdma.DeviceAttributes;
import io.leasehold.rdma.Listener;
import io.leasehold.rdma.MemoryWindowType;
import io.leasehold.rdma.ProtectionDomain;
import io.leasehold.rdma.QueuePair;
import io.leasehold.rdma.QueuePairOptions;
import io.leasehold.rdma.RdmaDevice;
import java.lang.System.Logger.Level;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.UUID;
import java.util.function.Consumer;

/// What a node has of its device. Protection domains keep three kinds of queue pair apart, so that a key opens nothing through a
/// queue pair that it is not meant for:
///
/// | domain | queue pairs | regions |
/// |---|---|---|
/// | data: one, or one for each session | the sessions' data queue pairs | what opens memory and lease words: see [Backing] |
/// | control | the sessions' control queue pairs | message buffers, without remote rights |
/// | loop-back | the node's own two | the rows of lease words, for the node's swaps |
final class NodeFabric implements AutoCloseable {
    /// Control connections beyond one for each session: of clients about to introduce themselves, and of sessions that come back.
    private static final int CONNECTIONS_SPARE = 64;
    /// Every request of a chain that fails completes; chains that were given up may still do so while the next ones run.
    private static final int CHAIN_COMPLETIONS = 2 * 2 * LeaseRegister.ROUND_MAX + 16 * DataPath.STEPS_MAX;
    private static final int READ_ATOMIC_MAX = 16;
    private static final long PAGE_BYTES = 4096;

    private static final System.Logger LOG = System.getLogger(NodeFabric.class.getName());

    private final RdmaDevice device;
    // In the order of opening.
    private final ArrayDeque<AutoCloseable> opened;
    private final Listener listener;
    private final ProtectionDomain controlDomain;
    private final LoopBack loopBack;
    private final CompletionQueue chainCompletions;
    private final CompletionQueue controlCompletions;
    private final MemorySegment memory;
    private final Backing backing;
    private final int connectionsMax;

    private NodeFabric(RdmaDevice device, NodeOptions options, ConnectionHandler handler, ArrayDeque<AutoCloseable> opened) {
        this.device = device;
        this.opened = opened;
        DeviceAttributes attributes = device.attributes();
        listener = open(device.listen(handler));
        controlDomain = open(device.allocateProtectionDomain());
        loopBack = open(new LoopBack(device));
        int completionsMax = attributes.maxCompletionEntries();
        chainCompletions = open(device.createCompletionQueue(Math.min(CHAIN_COMPLETIONS, completionsMax)));
        connectionsMax = Math.min(options.maxSessions() + CONNECTIONS_SPARE, completionsMax / ControlConnection.COMPLETIONS_MAX);
        controlCompletions = open(device.createCompletionQueue(connectionsMax * ControlConnection.COMPLETIONS_MAX));
        Arena arena = Arena.ofShared();
        memory = arena.allocate(options.memoryBytes(), PAGE_BYTES);
        backing = openBacking(options, arena);
    }

    /// Opens what a node of `options` needs, and listens; `handler` may be called at once.
    ///
    /// @param owned whether the device is closed with it, also if this fails
    static NodeFabric open(RdmaDevice device, boolean owned, NodeOptions options, ConnectionHandler handler) {
        ArrayDeque<AutoCloseable> opened = new ArrayDeque<>();
        if (owned) {
            opened.push(device);
        }
        try {
            return new NodeFabric(device, options, handler, opened);
        } catch (RuntimeException | Error e) {
            closeAll(opened);
            throw e;
        }
    }

    /// The longest range that a lease can cover.
    long leaseBytesMax() {
        return backing.kind() == LeaseBacking.WINDOW ? device.attributes().maxWindowBytes() : Long.MAX_VALUE;
    }

    private <T extends AutoCloseable> T open(T resource) {
        opened.push(resource);
        return resource;
    }

    private Backing openBacking(NodeOptions options, Arena arena) {
        Backing made;
        try {
            made = choose(options) == LeaseBacking.WINDOW
                    ? new WindowBacking(device, options, memory, new ChainRunner(chainCompletions))
                    : new RegionBacking(device, memory);
        } catch (RuntimeException e) {
            arena.close();
            throw e;
        }
        // As one: memory that could not be deregistered may be read and written still, and must not go.
        opened.push(() -> {
            made.close();
            arena.close();
        });
        return made;
    }

    /// What leases rest on; says so, for a device that lacks something costs its users something.
    private LeaseBacking choose(NodeOptions options) {
        DeviceAttributes attributes = device.attributes();
        if (options.regionsOnly()) {
            LOG.log(Level.INFO, "each lease gets a memory region of its own on device {0}, as the options say", attributes.name());
            return LeaseBacking.REGION;
        }
        LeaseBacking backing = LeaseBacking.of(attributes);
        if (backing == LeaseBacking.WINDOW) {
            LOG.log(Level.DEBUG, "each lease gets a memory window on device {0}", attributes.name());
        } else {
            LOG.log(Level.WARNING, "each lease gets a memory region of its own, which takes longer to grant than a memory window: "
                    + "device {0} {1}", attributes.name(), attributes.windowTypes().contains(MemoryWindowType.TYPE_2B)
                            ? "does not enforce the bounds of its memory windows" : "has no memory windows of type 2B");
        }
        return backing;
    }

    RdmaDevice device() {
        return device;
    }

    Listener listener() {
        return listener;
    }

    LoopBack loopBack() {
        return loopBack;
    }

    CompletionQueue controlCompletions() {
        return controlCompletions;
    }

    /// All memory.
    MemorySegment memory() {
        return memory;
    }

    /// What opens it to sessions.
    Backing backing() {
        return backing;
    }

    /// Most control connections at one time: so many that their completions surely fit.
    int connectionsMax() {
        return connectionsMax;
    }

    /// A row of lease words for a session.
    WordRow newRow(int words) {
        return new WordRow(words, loopBack.domain());
    }

    ControlConnection newControlConnection(long serial, UUID claimed, Consumer<ControlConnection> onTouched) {
        return new ControlConnection(serial, claimed, onTouched, controlDomain, controlCompletions);
    }

    /// A data queue pair, in the domain of its session.
    DataPath newDataPath(UUID session, int index, DataDomain domain) {
        QueuePairOptions options = QueuePairOptions.of(chainCompletions, chainCompletions)
                .withDepth(DataPath.STEPS_MAX, 1).withMaxInlineBytes(0)
                .withMaxReadAtomic(Math.min(READ_ATOMIC_MAX, device.attributes().maxReadAtomic()));
        QueuePair queuePair = domain.make(in -> in.createQueuePair(options));
        try {
            return new DataPath(session, index, queuePair, domain);
        } catch (RuntimeException | Error e) {
            queuePair.close();
            domain.gone();
            throw e;
        }
    }

    /// Closes all, and the device if it is owned; the queue pairs of sessions are closed already.
    @Override
    public void close() {
        closeAll(opened);
    }

    private static void closeAll(ArrayDeque<AutoCloseable> opened) {
        while (!opened.isEmpty()) {
            AutoCloseable last = opened.pop();
            try {
                last.close();
            } catch (Exception e) {
                LOG.log(Level.WARNING, "closing " + last + " of a memory node failed; the rest is closed all the same", e);
            }
        }
    }
}
