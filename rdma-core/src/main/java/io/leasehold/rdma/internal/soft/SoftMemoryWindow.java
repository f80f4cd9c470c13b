package io.leasehold.rdma.internal.soft;

import io.leasehold.rdma.AccessFlag;
import io.leasehold.rdma.MemoryWindow;
import io.leasehold.rdma.MemoryWindowType;
import org.jspecify.annotations.Nullable;

/// A memory window. Its monitor guards binding and unbinding; accesses never take it.
final class SoftMemoryWindow implements MemoryWindow {
    private static final int RIGHTS = AccessFlag.mask(AccessFlag.LOCAL_WRITE, AccessFlag.REMOTE_READ, AccessFlag.REMOTE_WRITE,
            AccessFlag.REMOTE_ATOMIC);

    private final SoftProtectionDomain domain;
    private final MemoryWindowType type;
    private final KeyEntry entry;
    private @Nullable SoftMemoryRegion region;
    private volatile int key;
    private volatile boolean closed;

    SoftMemoryWindow(SoftProtectionDomain domain, MemoryWindowType type, KeyEntry entry) {
        this.domain = domain;
        this.type = type;
        this.entry = entry;
        key = entry.key();
    }

    SoftProtectionDomain domain() {
        return domain;
    }

    boolean isClosed() {
        return closed;
    }

    /// Binds the window, by the rules of the specification.
    ///
    /// @return whether it was bound; if not, nothing has changed
    synchronized boolean bind(WorkQueues binder, int newKey, SoftMemoryRegion target, long address, long lengthBytes,
            int rights) {
        boolean typeOne = type == MemoryWindowType.TYPE_1;
        if (closed || domain != binder.domain() || !typeOne && (region != null || newKey >>> 8 != key >>> 8)) {
            return false;
        }
        // The right to bind windows is no right of a window.
        if ((rights & ~RIGHTS) != 0 || !target.hold(domain, address, lengthBytes, rights)) {
            return false;
        }
        unbind();
        int next = typeOne ? entry.nextKey() : newKey;
        region = target;
        entry.publish(next, target.memory(), address, lengthBytes, rights, domain, type, typeOne ? null : binder);
        key = next;
        domain.device().windowBound();
        return true;
    }

    /// Unbinds a type 2 window on behalf of a LOCAL_INV or SEND_WITH_INV on `invalidator`. When it returns `true`, no access
    /// through the key can take effect any more.
    synchronized boolean invalidate(WorkQueues invalidator, int invalidatedKey) {
        if (region == null || key != invalidatedKey || !entry.isTypeTwoOn(invalidator)) {
            return false;
        }
        unbind();
        return true;
    }

    private void unbind() {
        SoftMemoryRegion bound = region;
        if (bound != null) {
            entry.revoke();
            entry.awaitIdle();
            region = null;
            bound.release();
            domain.device().windowUnbound();
        }
    }

    @Override
    public MemoryWindowType type() {
        return type;
    }

    @Override
    public int remoteKey() {
        return key;
    }

    @Override
    public void close() {
        synchronized (this) {
            if (closed) {
                return;
            }
            closed = true;
            unbind();
        }
        domain.device().remove(this, entry);
        domain.disown();
    }
}
