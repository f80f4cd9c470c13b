package io.leasehold.rdma.internal.verbs;

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
import java.util.function.Supplier;

/// An `ibv_pd`, and a count of what belongs to it.
public final class VerbsProtectionDomain implements ProtectionDomain {
    private final VerbsDevice device;
    private final long pointer;
    private final int kernelNumber;
    private int children;
    private boolean closed;

    VerbsProtectionDomain(VerbsDevice device, long pointer) {
        this.device = device;
        this.pointer = pointer;
        kernelNumber = RawMemory.getInt(pointer + Abi.Handle.DOMAIN_NUMBER);
    }

    /// What the kernel calls it.
    public int kernelNumber() {
        return kernelNumber;
    }

    VerbsDevice device() {
        return device;
    }

    /// `ibv_pd *`, good while something belongs to it.
    long pointer() {
        return pointer;
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
        return adopting(() -> device.addRegion(this, memory, mask));
    }

    @Override
    public MemoryWindow allocateMemoryWindow(MemoryWindowType type) {
        return adopting(() -> device.addWindow(this, type));
    }

    @Override
    public QueuePair createQueuePair(QueuePairOptions options) {
        return createQueuePair(options, 1, 1);
    }

    /// As [#createQueuePair(QueuePairOptions)], for requests and receives with several local ranges each.
    VerbsQueuePair createQueuePair(QueuePairOptions options, int sendScatters, int receiveScatters) {
        return adopting(() -> device.addQueuePair(this, options, sendScatters, receiveScatters));
    }

    private <T> T adopting(Supplier<T> making) {
        synchronized (this) {
            if (closed) {
                throw new RdmaException(RdmaError.CLOSED, "the protection domain is closed");
            }
            children++;
        }
        try {
            return making.get();
        } catch (RuntimeException | Error e) {
            disown();
            throw e;
        }
    }

    /// A region, window or queue pair of this domain is no more.
    synchronized void disown() {
        children--;
    }

    @Override
    public void close() {
        synchronized (this) {
            if (closed) {
                return;
            }
            if (children > 0) {
                throw new RdmaException(RdmaError.BUSY,
                        "the protection domain holds " + children + " regions, windows or queue pairs; close them first");
            }
            try {
                device.library().deallocPd(pointer);
            } catch (NativeFailure e) {
                throw e.toRdmaException("freeing a protection domain");
            }
            closed = true;
        }
        device.remove(this);
    }
}
