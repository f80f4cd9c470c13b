package io.leasehold.rdma.internal.verbs;

import io.leasehold.rdma.AccessFlag;
import io.leasehold.rdma.MemoryRegion;
import io.leasehold.rdma.RdmaError;
import io.leasehold.rdma.RdmaException;
import java.lang.foreign.MemorySegment;
import java.util.Set;

/// An `ibv_mr`.
public final class VerbsMemoryRegion implements MemoryRegion {
    private final VerbsProtectionDomain domain;
    private final MemorySegment memory;
    private final long address;
    private final long lengthBytes;
    private final int access;
    private final long pointer;
    private final int localKey;
    private final int remoteKey;
    private final int kernelNumber;
    /// Windows that are, or are being, bound to it.
    private int holds;
    private volatile boolean closed;

    VerbsMemoryRegion(VerbsProtectionDomain domain, MemorySegment memory, int access, long pointer) {
        this.domain = domain;
        this.memory = memory;
        this.access = access;
        this.pointer = pointer;
        address = memory.address();
        lengthBytes = memory.byteSize();
        localKey = RawMemory.getInt(pointer + Abi.Handle.REGION_LOCAL_KEY);
        remoteKey = RawMemory.getInt(pointer + Abi.Handle.REGION_REMOTE_KEY);
        kernelNumber = RawMemory.getInt(pointer + Abi.Handle.REGION_NUMBER);
    }

    VerbsProtectionDomain domain() {
        return domain;
    }

    /// `ibv_mr *`, good while the region is held.
    long pointer() {
        return pointer;
    }

    /// What the kernel calls it.
    public int kernelNumber() {
        return kernelNumber;
    }

    boolean isClosed() {
        return closed;
    }

    /// Whether `[offset, offset + length)` lies in it.
    boolean contains(long offset, long length) {
        return !closed && length >= 0 && offset >= 0 && offset <= lengthBytes - length;
    }

    /// Whether a window on that part with those rights may be bound.
    boolean allowsBind(long from, long length, int rights) {
        boolean writes = AccessFlag.REMOTE_WRITE.in(rights) || AccessFlag.REMOTE_ATOMIC.in(rights);
        return length > 0 && AccessFlag.MW_BIND.in(access) && (!writes || AccessFlag.LOCAL_WRITE.in(access))
                && contains(from - address, length);
    }

    /// Keeps the region open for a window on part of it.
    ///
    /// @return whether it is open; if so, [#release] must follow
    synchronized boolean hold() {
        if (!closed) {
            holds++;
        }
        return !closed;
    }

    synchronized void release() {
        holds--;
    }

    @Override
    public MemorySegment memory() {
        return memory;
    }

    @Override
    public long address() {
        return address;
    }

    @Override
    public long lengthBytes() {
        return lengthBytes;
    }

    @Override
    public int localKey() {
        return localKey;
    }

    @Override
    public int remoteKey() {
        return remoteKey;
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
            if (holds > 0) {
                throw new RdmaException(RdmaError.BUSY, holds + " windows are bound to the region with key 0x"
                        + Integer.toHexString(localKey) + "; invalidate or close them first");
            }
            try {
                domain.device().library().deregMr(pointer);
            } catch (NativeFailure e) {
                throw new RdmaException(RdmaError.BUSY, "the device keeps the region with key 0x" + Integer.toHexString(localKey)
                        + ": " + e.getMessage() + "; close the windows that may be bound to it first", e);
            }
            closed = true;
        }
        domain.device().remove(this);
        domain.disown();
    }
}
