package io.leasehold.testkit;

import io.leasehold.rdma.AccessFlag;
import io.leasehold.rdma.MemoryRegion;
import io.leasehold.rdma.ProtectionDomain;
import java.lang.foreign.MemorySegment;
import java.util.EnumSet;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

/// A region of a [MutantDevice]. Lies are told about regions with a remote right only.
record MutantRegion(MutantDevice device, MemorySegment memory, Set<AccessFlag> access, MemoryRegion delegate)
        implements MemoryRegion {
    private static final long DELAY_MILLIS = 30;
    private static final int MARGIN_BYTES = 64;
    private static final Set<AccessFlag> REMOTE = Set.of(AccessFlag.REMOTE_READ, AccessFlag.REMOTE_WRITE,
            AccessFlag.REMOTE_ATOMIC);

    static MutantRegion register(MutantDevice device, ProtectionDomain domain, MemorySegment memory, Set<AccessFlag> access) {
        Set<AccessFlag> rights = access;
        MemorySegment range = memory;
        if (isRemote(access) && device.mutation() == Mutation.IGNORE_REGION_RIGHTS) {
            rights = EnumSet.allOf(AccessFlag.class);
        } else if (isRemote(access) && device.mutation() == Mutation.WIDEN_REGIONS) {
            range = widened(memory);
        }
        MutantRegion region = new MutantRegion(device, memory, Set.copyOf(access), domain.register(range, rights));
        if (isRemote(access)) {
            device.observer().registered(region.remoteKey(), memory.address(), memory.byteSize(),
                    AccessFlag.mask(access.toArray(AccessFlag[]::new)));
        }
        return region;
    }

    private static boolean isRemote(Set<AccessFlag> access) {
        return access.stream().anyMatch(REMOTE::contains);
    }

    /// What lies behind is memory of this JVM, which nothing protects from its own processor.
    @SuppressWarnings("restricted")
    private static MemorySegment widened(MemorySegment memory) {
        return memory.reinterpret(memory.byteSize() + MARGIN_BYTES);
    }

    /// What a batch of the delegate takes.
    static MemoryRegion real(MemoryRegion region) {
        return region instanceof MutantRegion mutant ? mutant.delegate : region;
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
        return delegate.localKey();
    }

    @Override
    public int remoteKey() {
        return delegate.remoteKey();
    }

    @Override
    public void close() {
        Mutation lie = isRemote(access) ? device.mutation() : Mutation.NONE;
        if (lie == Mutation.CLOSE_REGIONS_LATER) {
            CompletableFuture.delayedExecutor(DELAY_MILLIS, TimeUnit.MILLISECONDS).execute(delegate::close);
        } else if (lie != Mutation.KEEP_REGIONS) {
            delegate.close();
        }
    }
}
