package io.leasehold.lease;

import io.leasehold.rdma.MemoryWindow;
import io.leasehold.rdma.MemoryWindowType;
import io.leasehold.rdma.ProtectionDomain;
import io.leasehold.rdma.RdmaError;
import io.leasehold.rdma.RdmaException;
import io.leasehold.rdma.RemoteKey;
import java.util.ArrayDeque;
import org.jspecify.annotations.Nullable;

/// The memory windows of a node, of type 2B: made when they are first needed, because making one is a system call, and kept for the next
/// lease.
///
/// A window comes back only when its invalidation has completed, and the one that has rested longest is handed out first, so
/// that it takes as long as possible until a key comes round again. For one thread.
final class WindowPool implements AutoCloseable {
    private static final System.Logger LOG = System.getLogger(WindowPool.class.getName());

    private final ProtectionDomain domain;
    private final int windowsMax;
    private final ArrayDeque<Window> free = new ArrayDeque<>();
    private int inUse;

    /// A window, and the key of its last bind.
    static final class Window {
        private final MemoryWindow window;
        private int key;

        private Window(MemoryWindow window) {
            this.window = window;
            key = window.remoteKey();
        }

        MemoryWindow window() {
            return window;
        }

        int key() {
            return key;
        }

        /// A key that differs from that of the last bind.
        int nextKey() {
            return new RemoteKey(key).next().value();
        }

        /// A bind with `newKey` has completed.
        void bound(int newKey) {
            key = newKey;
        }
    }

    WindowPool(ProtectionDomain domain, int windowsMax) {
        this.domain = domain;
        this.windowsMax = windowsMax;
    }

    int inUse() {
        return inUse;
    }

    /// Takes an unbound window, or answers `null` if the pool's or the device's limit is reached.
    @Nullable Window take() {
        Window window = free.pollFirst();
        if (window == null && inUse < windowsMax) {
            window = allocate();
        }
        if (window != null) {
            inUse++;
        }
        return window;
    }

    private @Nullable Window allocate() {
        try {
            return new Window(domain.allocateMemoryWindow(MemoryWindowType.TYPE_2B));
        } catch (RdmaException e) {
            if (e.error() == RdmaError.OUT_OF_RESOURCES) {
                return null;
            }
            throw e;
        }
    }

    /// Takes back a window whose invalidation has completed, or that was never bound.
    void giveBack(Window window) {
        inUse--;
        free.addLast(window);
    }

    /// Frees a window that may be bound.
    ///
    /// @return whether its key opens nothing any more; if not, the device keeps it, and this must be called again
    boolean discard(Window window) {
        try {
            window.window.close();
        } catch (RdmaException e) {
            LOG.log(System.Logger.Level.DEBUG, "a window was not freed", e);
            return false;
        }
        inUse--;
        return true;
    }

    /// Frees the windows that are not in use.
    @Override
    public void close() {
        free.forEach(window -> window.window.close());
        free.clear();
    }
}
