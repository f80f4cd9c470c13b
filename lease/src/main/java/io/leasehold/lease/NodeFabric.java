package io.leasehold.lease;

import io.leasehold.rdma.AccessFlag;
import io.leasehold.rdma.CompletionQueue;
import io.leasehold.rdma.ConnectionHandler;
import io.leasehold.rdma.DeviceAttributes;
import io.leasehold.rdma.Listener;
import io.leasehold.rdma.MemoryRegion;
import io.leasehold.rdma.MemoryWindowType;
import io.leasehold.rdma.ProtectionDomain;
import io.leasehold.rdma.QueuePair;
import io.leasehold.rdma.QueuePairOptions;
import io.leasehold.rdma.RdmaDevice;
import io.leasehold.rdma.RdmaError;
import io.leasehold.rdma.RdmaException;
import java.lang.System.Logger.Level;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.EnumSet;
import java.util.UUID;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/// What a node has of its device. Three protection domains keep three kinds of queue pair apart, so that a key opens nothing
/// through a queue pair that it is not meant for:
///
/// | domain | queue pairs | regions |
/// |---|---|---|
/// | data | the sessions' data queue pairs | all memory and the rows of lease words, without remote rights: windows open them |
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
    private final ProtectionDomain dataDomain;
    private final ProtectionDomain controlDomain;
    private final LoopBack loopBack;
    private final CompletionQueue chainCompletions;
    private final CompletionQueue controlCompletions;
    private final ChainRunner chains;
    private final MemoryRegion data;
    private final @Nullable MemoryRegion unprotected;
    private final WindowPool windows;
    private final int connectionsMax;

    private NodeFabric(RdmaDevice device, NodeOptions options, ConnectionHandler handler, ArrayDeque<AutoCloseable> opened) {
        this.device = device;
        this.opened = opened;
        DeviceAttributes attributes = device.attributes();
        MemoryWindowType windowType = windowType(attributes);
        listener = open(device.listen(handler));
        dataDomain = open(device.allocateProtectionDomain());
        controlDomain = open(device.allocateProtectionDomain());
        loopBack = open(new LoopBack(device));
        int completionsMax = attributes.maxCompletionEntries();
        chainCompletions = open(device.createCompletionQueue(Math.min(CHAIN_COMPLETIONS, completionsMax)));
        chains = new ChainRunner(chainCompletions);
        connectionsMax = Math.min(options.maxSessions() + CONNECTIONS_SPARE, completionsMax / ControlConnection.COMPLETIONS_MAX);
        controlCompletions = open(device.createCompletionQueue(connectionsMax * ControlConnection.COMPLETIONS_MAX));
        Arena arena = Arena.ofShared();
        var memory = arena.allocate(options.memoryBytes(), PAGE_BYTES);
        data = register(arena, memory);
        unprotected = options.unprotected() ? open(dataDomain.register(memory, EnumSet.of(AccessFlag.LOCAL_WRITE,
                AccessFlag.REMOTE_READ, AccessFlag.REMOTE_WRITE, AccessFlag.REMOTE_ATOMIC))) : null;
        windows = open(new WindowPool(dataDomain, windowType, options.maxLeases() + options.maxSessions()));
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

    /// The longest range that a window can be bound to.
    long windowBytesMax() {
        return device.attributes().maxWindowBytes();
    }

    private <T extends AutoCloseable> T open(T resource) {
        opened.push(resource);
        return resource;
    }

    private MemoryRegion register(Arena arena, MemorySegment memory) {
        try {
            MemoryRegion region = dataDomain.register(memory, EnumSet.of(AccessFlag.LOCAL_WRITE, AccessFlag.MW_BIND));
            // As one: memory that could not be deregistered may be read and written still, and must not go.
            opened.push(() -> {
                region.close();
                arena.close();
            });
            return region;
        } catch (RuntimeException e) {
            arena.close();
            throw e;
        }
    }

    private static MemoryWindowType windowType(DeviceAttributes attributes) {
        if (!attributes.windowBoundsEnforced()) {
            LOG.log(Level.WARNING, "device {0} does not enforce the bounds of memory windows: a lease protects no better "
                    + "than the device does", attributes.name());
        }
        if (attributes.windowTypes().contains(MemoryWindowType.TYPE_2B)) {
            return MemoryWindowType.TYPE_2B;
        }
        if (attributes.windowTypes().contains(MemoryWindowType.TYPE_1)) {
            LOG.log(Level.WARNING, "device {0} has no memory windows of type 2B: a key that leaks from one session can be "
                    + "used by another", attributes.name());
            return MemoryWindowType.TYPE_1;
        }
        throw new RdmaException(RdmaError.UNSUPPORTED, "device " + attributes.name() + " has memory windows of "
                + attributes.windowTypes() + "; a node needs type 2B or type 1");
    }

    RdmaDevice device() {
        return device;
    }

    Listener listener() {
        return listener;
    }

    ProtectionDomain dataDomain() {
        return dataDomain;
    }

    LoopBack loopBack() {
        return loopBack;
    }

    ChainRunner chains() {
        return chains;
    }

    CompletionQueue controlCompletions() {
        return controlCompletions;
    }

    /// All memory.
    MemoryRegion data() {
        return data;
    }

    /// All memory with all rights, if the options allow that.
    @Nullable MemoryRegion unprotected() {
        return unprotected;
    }

    WindowPool windows() {
        return windows;
    }

    /// Most control connections at one time: so many that their completions surely fit.
    int connectionsMax() {
        return connectionsMax;
    }

    /// A row of lease words for a session.
    WordRow newRow(int words) {
        return new WordRow(words, dataDomain, loopBack.domain());
    }

    ControlConnection newControlConnection(long serial, UUID claimed, Consumer<ControlConnection> onTouched) {
        return new ControlConnection(serial, claimed, onTouched, controlDomain, controlCompletions);
    }

    QueuePair newDataQueuePair() {
        return dataDomain.createQueuePair(QueuePairOptions.of(chainCompletions, chainCompletions)
                .withDepth(DataPath.STEPS_MAX, 1).withMaxInlineBytes(0)
                .withMaxReadAtomic(Math.min(READ_ATOMIC_MAX, device.attributes().maxReadAtomic())));
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
