package io.leasehold.rdma.internal.soft;

import io.leasehold.rdma.AccessFlag;
import io.leasehold.rdma.MemoryRegion;
import io.leasehold.rdma.RdmaError;
import io.leasehold.rdma.RdmaException;
import java.lang.foreign.MemorySegment;
import java.util.Set;

/// A registered piece of memory. Its local and remote key are the same number, as on most hardware; a region without remote
/// rights opens nothing remotely because each right is checked.
final class SoftMemoryRegion implements MemoryRegion {
    private final SoftProtectionDomain domain;
    private final MemorySegment memory;
    private final int access;
    private final KeyEntry entry;
    private final int key;
    private int boundWindows;
    private volatile boolean closed;

    SoftMemoryRegion(SoftProtectionDomain domain, MemorySegment memory, int access, KeyEntry entry) {
        this.domain = domain;
        this.memory = memory;
        this.access = access;
        this.entry = entry;
        key = entry.nextKey();
        entry.publish(key, memory, memory.address(), memory.byteSize(), access, domain, null, null);
    }

    SoftProtectionDomain domain() {
        return domain;
    }

    boolean isClosed() {
        return closed;
    }

    /// Keeps the region open for a window on part of it.
    ///
    /// @return whether such a window may be bound; if so, [#release] must follow
    synchronized boolean hold(SoftProtectionDomain wanted, long address, long lengthBytes, int rights) {
        if (closed || !entry.allowsBind(wanted, address, lengthBytes, rights)) {
            return false;
        }
        boundWindows++;
        return true;
    }

    /// A window on this region is no longer bound.
    synchronized void release() {
        boundWindows--;
    }

    @Override
    public MemorySegment memory() {
        return memory;
    }

    @Override
    public long address() {
        return memory.address();
    }

    @Override
    public long lengthBytes() {
        return memory.byteSize();
    }

    @Override
    public int localKey() {
        return key;
    }

    @Override
    public int remoteKey() {
        return key;
    }

    @Override
    public Set<AccessFlag> access() {
        return AccessFlag.of(access);
    }

    @Override
    public void close() {
        synchronized (this) {
            if (closed) {
                return;
            }
            if (boundWindows > 0) {
                throw new RdmaException(RdmaError.BUSY, boundWindows + " windows are bound to the region with key 0x"
                        + Integer.toHexString(key) + "; invalidate or close them first");
            }
            closed = true;
            entry.revoke();
            // Inside, so that whoever else closes it does not return before it is true.
            entry.awaitIdle();
        }
        domain.device().remove(this, entry);
        domain.disown();
    }
}
