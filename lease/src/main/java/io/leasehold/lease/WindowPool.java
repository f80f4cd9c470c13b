package io.leasehold.lease;

import io.leasehold.rdma.MemoryWindow;
import io.leasehold.rdma.MemoryWindowType;
import io.leasehold.rdma.ProtectionDomain;
import io.leasehold.rdma.RdmaError;
import io.leasehold.rdma.RdmaException;
import io.leasehold.rdma.RemoteKey;
import java.util.ArrayDeque;
import org.jspecify.annotations.Nullable;

/// The memory windows of a node: made when they are first needed, because making one is a system call, and kept for the next
/// lease.
///
/// A window comes back only when its invalidation has completed, and the one that has rested longest is handed out first, so
/// that it takes as long as possible until a key comes round again. For one thread.
final class WindowPool implements AutoCloseable {
    private final ProtectionDomain domain;
    private final MemoryWindowType type;
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

        /// A bind with `newKey` has completed; the device had the last word on the key of a type 1 window.
        void bound(int newKey) {
            key = window.type() == MemoryWindowType.TYPE_1 ? window.remoteKey() : newKey;
        }

        /// Whether its binds can be taken back by a LOCAL_INV.
        boolean isInvalidatable() {
            return window.type() != MemoryWindowType.TYPE_1;
        }
    }

    WindowPool(ProtectionDomain domain, MemoryWindowType type, int windowsMax) {
        this.domain = domain;
        this.type = type;
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
            return new Window(domain.allocateMemoryWindow(type));
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

    /// Frees a window that may be bound: when it returns, its key opens nothing any more.
    void discard(Window window) {
        inUse--;
        window.window.close();
    }

    /// Frees the windows that are not in use.
    @Override
    public void close() {
        free.forEach(window -> window.window.close());
        free.clear();
    }
}
