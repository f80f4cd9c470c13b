package io.leasehold.rdma.internal.soft;

import io.leasehold.rdma.AccessFlag;
import io.leasehold.rdma.MemoryRegion;
import io.leasehold.rdma.MemoryWindow;
import io.leasehold.rdma.MemoryWindowType;
import io.leasehold.rdma.ProtectionDomain;
import io.leasehold.rdma.QueuePair;
import io.leasehold.rdma.QueuePairOptions;
import io.leasehold.rdma.RdmaError;
import io.leasehold.rdma.RdmaException;
import java.lang.foreign.MemorySegment;
import java.util.Set;

/// A protection domain: an identity, and a count of what belongs to it.
final class SoftProtectionDomain implements ProtectionDomain {
    private final SoftDevice device;
    private int children;
    private boolean closed;

    SoftProtectionDomain(SoftDevice device) {
        this.device = device;
    }

    SoftDevice device() {
        return device;
    }

    @Override
    public MemoryRegion register(MemorySegment memory, Set<AccessFlag> access) {
        if (!memory.isNative() || memory.byteSize() == 0) {
            throw new RdmaException(RdmaError.INVALID_ARGUMENT,
                    "memory " + memory + " cannot be registered; give a native segment that is not empty");
        }
        int mask = AccessFlag.mask(access.toArray(AccessFlag[]::new));
        if ((AccessFlag.REMOTE_WRITE.in(mask) || AccessFlag.REMOTE_ATOMIC.in(mask)) && !AccessFlag.LOCAL_WRITE.in(mask)) {
            throw new RdmaException(RdmaError.INVALID_ARGUMENT, "access " + access + " needs LOCAL_WRITE as well");
        }
        adopt();
        try {
            return device.addRegion(this, memory, mask);
        } catch (RuntimeException e) {
            disown();
            throw e;
        }
    }

    @Override
    public MemoryWindow allocateMemoryWindow(MemoryWindowType type) {
        adopt();
        try {
            return device.addWindow(this, type);
        } catch (RuntimeException e) {
            disown();
            throw e;
        }
    }

    @Override
    public QueuePair createQueuePair(QueuePairOptions options) {
        adopt();
        try {
            return device.addQueuePair(this, options);
        } catch (RuntimeException e) {
            disown();
            throw e;
        }
    }

    private synchronized void adopt() {
        if (closed) {
            throw new RdmaException(RdmaError.CLOSED, "the protection domain is closed");
        }
        children++;
    }

    /// A region, window or queue pair of this domain is no more.
    synchronized void disown() {
        children--;
    }

    @Override
    public void close() {
        synchronized (this) {
            if (!closed && children > 0) {
                throw new RdmaException(RdmaError.BUSY,
                        "the protection domain holds " + children + " regions, windows or queue pairs; close them first");
            }
            closed = true;
        }
        device.remove(this);
    }

    /// Ends with the device, though it may hold what somebody else is closing.
    void abandon() {
        synchronized (this) {
            closed = true;
        }
        device.remove(this);
    }
}
