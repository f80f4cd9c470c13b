package io.leasehold.lease;

import io.leasehold.lease.ControlMessage.Failed;
import io.leasehold.lease.ControlMessage.Reason;
import io.leasehold.lease.DataPath.Step;
import io.leasehold.rdma.AccessFlag;
import io.leasehold.rdma.MemoryRegion;
import io.leasehold.rdma.ProtectionDomain;
import io.leasehold.rdma.RdmaDevice;
import io.leasehold.rdma.RdmaException;
import java.lang.foreign.MemorySegment;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// Opens memory by memory windows of type 2B, which answer on the queue pair that they are bound on and on no other. All data queue
/// pairs share one protection domain, in which all memory is registered once, without remote rights.
///
/// What is opened and closed for one session between two calls of [#run] is one chain behind one doorbell.
final class WindowBacking implements Backing {
    private final DataDomain domain;
    private final MemoryRegion data;
    private final @Nullable MemoryRegion unprotected;
    private final WindowPool windows;
    private final ChainRunner chains;
    // The rows of lease words, as windows are bound to them.
    private final Map<NodeSession, MemoryRegion> rows = new HashMap<>();
    private final Set<DataPath> paths = new LinkedHashSet<>();

    /// @param memory all memory
    WindowBacking(RdmaDevice device, NodeOptions options, MemorySegment memory, ChainRunner chains) {
        this.chains = chains;
        ProtectionDomain bare = device.allocateProtectionDomain();
        domain = new DataDomain(bare);
        try {
            data = register(memory, AccessFlag.LOCAL_WRITE, AccessFlag.MW_BIND);
            try {
                unprotected = options.unprotected() ? register(memory, AccessFlag.LOCAL_WRITE, AccessFlag.REMOTE_READ,
                        AccessFlag.REMOTE_WRITE, AccessFlag.REMOTE_ATOMIC) : null;
            } catch (RuntimeException e) {
                deregister(data);
                throw e;
            }
        } catch (RuntimeException e) {
            domain.leave();
            throw e;
        }
        windows = new WindowPool(bare, options.maxLeases() + options.maxSessions());
    }

    private MemoryRegion register(MemorySegment memory, AccessFlag first, AccessFlag... rest) {
        return domain.make(in -> in.register(memory, EnumSet.of(first, rest)));
    }

    private void deregister(MemoryRegion region) {
        region.close();
        domain.gone();
    }

    /// A window and what it is for.
    final class Binding implements Opening {
        private final NodeSession session;
        private final WindowPool.Window window;
        private final MemoryRegion region;
        private final long address;
        private final long lengthBytes;
        private final int access;
        private @Nullable Step bind;
        private @Nullable Step invalidation;

        private Binding(NodeSession session, WindowPool.Window window, MemoryRegion region, long address, long lengthBytes,
                int access) {
            this.session = session;
            this.window = window;
            this.region = region;
            this.address = address;
            this.lengthBytes = lengthBytes;
            this.access = access;
        }

        @Override
        public int key() {
            return window.key();
        }

        @Override
        public void open() {
            bind = path(session).bind(window, region, address, lengthBytes, access);
        }

        @Override
        public boolean isOpen() {
            return bind != null && bind.hasSucceeded() && !isInvalidated();
        }

        private boolean isInvalidated() {
            return invalidation != null && invalidation.hasSucceeded();
        }

        @Override
        public @Nullable Failed refusal() {
            return null;
        }

        @Override
        public void close() {
            if (isOpen() && session.isActive()) {
                invalidation = path(session).invalidate(window);
            }
        }

        /// A window that was not invalidated is freed, which kills its key as well.
        @Override
        public boolean release() {
            if (bind == null || isInvalidated()) {
                windows.giveBack(window);
                return true;
            }
            return windows.discard(window);
        }
    }

    private DataPath path(NodeSession session) {
        DataPath path = Objects.requireNonNull(session.active);
        if (!path.hasRoom()) {
            run();
        }
        paths.add(path);
        return path;
    }

    @Override
    public void run() {
        chains.run(paths);
        paths.clear();
    }

    @Override
    public LeaseBacking kind() {
        return LeaseBacking.WINDOW;
    }

    @Override
    public void enter(NodeSession session) {
        rows.put(session, register(session.row.memory(), AccessFlag.LOCAL_WRITE, AccessFlag.MW_BIND));
    }

    @Override
    public boolean leave(NodeSession session) {
        MemoryRegion row = rows.get(session);
        if (row != null) {
            try {
                deregister(row);
            } catch (RdmaException e) {
                return false;
            }
            rows.remove(session);
        }
        return true;
    }

    @Override
    public DataDomain domain(NodeSession session) {
        return domain;
    }

    @Override
    public Opening take(NodeSession session, LeaseTerms terms) throws RefusedException {
        return new Binding(session, takeWindow(), data, data.address() + terms.offset(), terms.lengthBytes(), terms.access());
    }

    @Override
    public Opening takeRow(NodeSession session) throws RefusedException {
        MemoryRegion row = Objects.requireNonNull(rows.get(session));
        return new Binding(session, takeWindow(), row, row.address(), row.lengthBytes(), AccessFlag.REMOTE_ATOMIC.bit());
    }

    private WindowPool.Window takeWindow() throws RefusedException {
        WindowPool.Window window = windows.take();
        if (window == null) {
            throw new RefusedException(Reason.OUT_OF_WINDOWS,
                    "the node's device has no window left; raise maxWindows of its DeviceOptions");
        }
        return window;
    }

    @Override
    public int inUse() {
        return windows.inUse();
    }

    @Override
    public int unprotectedKey(NodeSession session) {
        return Objects.requireNonNull(unprotected, "the options allow it").remoteKey();
    }

    @Override
    public void close() {
        windows.close();
        if (unprotected != null) {
            deregister(unprotected);
        }
        deregister(data);
        domain.leave();
    }
}
