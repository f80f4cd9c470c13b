package io.leasehold.structures;

import io.leasehold.lease.AccessDeniedException;
import io.leasehold.lease.AccessRight;
import io.leasehold.lease.Extent;
import io.leasehold.lease.HeapKind;
import io.leasehold.lease.Lease;
import io.leasehold.lease.LeaseExpiredException;
import io.leasehold.lease.LeaseMode;
import io.leasehold.lease.LeaseRequest;
import io.leasehold.lease.OutcomeUnknownException;
import io.leasehold.lease.RemoteAddress;
import io.leasehold.lease.RemoteHeap;
import io.leasehold.lease.Session;
import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.LongSupplier;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;

/// The memory of a structure in a heap of a memory node, where every access passes a lease of one session.
///
/// Thread-safe. Reading and atomics go through leases on whole chunks, writing through exclusive leases on the extents that this
/// session cuts its
/// blocks from; [Protection] may narrow both to single blocks.
final class LeasedMemory implements Memory {
    private static final int NODE_SHIFT = 38;
    private static final long OFFSET_MASK = (1L << NODE_SHIFT) - 1;
    private static final int POOLED_ACCESSES = 256;

    private final Session session;
    private final RemoteHeap heap;
    private final Protection protection;
    private final LeaseTerms terms;
    private final LongSupplier clock;
    private final RandomGenerator random;
    private final ChunkLeases chunks;
    private final Map<HeapKind, ExtentAllocator> extents = new EnumMap<>(HeapKind.class);
    private final ArrayBlockingQueue<LeasedAccess> idle = new ArrayBlockingQueue<>(POOLED_ACCESSES);
    private final Retirements retirements;
    private volatile boolean closed;

    LeasedMemory(Session session, RemoteHeap heap, Protection protection, LeaseTerms terms, LongSupplier clock,
            RandomGenerator random) {
        this.session = session;
        this.heap = heap;
        this.protection = protection;
        this.terms = terms;
        this.clock = clock;
        this.random = random;
        chunks = new ChunkLeases(session, heap, protection, terms, clock);
        retirements = new Retirements(heap.name(), heap::retire, clock);
        for (HeapKind kind : HeapKind.values()) {
            extents.put(kind, new ExtentAllocator(session, heap, retirements, kind, terms, clock));
        }
    }

    /// Opens the heap `name` with a root of `rootBytes`, making it if there is none.
    static LeasedMemory open(Session session, String name, long rootBytes, Protection protection) {
        return new LeasedMemory(session, session.openHeap(name, rootBytes), protection, LeaseTerms.DEFAULT, SystemSources.NANOS,
                SystemSources.RANDOM);
    }

    static long pack(RemoteAddress address) {
        return (long) address.node() << NODE_SHIFT | address.offset();
    }

    static RemoteAddress unpack(long address) {
        return new RemoteAddress((int) (address >>> NODE_SHIFT), address & OFFSET_MASK);
    }

    static long offset(long address) {
        return address & OFFSET_MASK;
    }

    Session session() {
        return session;
    }

    Protection protection() {
        return protection;
    }

    /// The lease under which `[address, address + lengthBytes)` may be read and, in INDEX chunks and the root, CASed.
    ChunkLeases.Held readLease(HeapKind kind, long address) {
        return chunks.leaseFor(kind, address);
    }

    /// A lease under which the block at `address`, which this session allocated, may be written.
    ///
    /// @return `null` if the lease of its extent has ended, or if it is an INDEX block, which others may want exclusively while
    ///        the session uses the rest of the extent: then the block needs a lease of its own
    @Nullable Lease writeLease(HeapKind kind, long address, long lengthBytes) {
        if (protection == Protection.NONE) {
            return chunks.leaseFor(kind, address).lease();
        }
        return kind == HeapKind.INDEX ? null : extents.get(kind).leaseFor(offset(address), lengthBytes);
    }

    /// A lease for one block alone.
    LeaseRequest blockRequest(long address, long lengthBytes, boolean write) {
        return LeaseRequest.of(unpack(address), lengthBytes, Set.of(write ? AccessRight.WRITE : AccessRight.READ),
                write ? LeaseMode.EXCLUSIVE : LeaseMode.UNCHECKED, terms.term());
    }

    /// Forgets the lease of a chunk that turned out to have ended.
    void forget(Lease lease) {
        chunks.forget(lease);
    }

    void giveBack(LeasedAccess access) {
        if (closed || !idle.offer(access)) {
            access.dispose();
        }
    }

    @Override
    public long root() {
        return pack(heap.root());
    }

    @Override
    public long rootBytes() {
        return heap.rootBytes();
    }

    @Override
    public Access access() {
        return access(grants());
    }

    @Override
    public Access access(long since) {
        if (closed) {
            throw new IllegalStateException("structure '" + heap.name() + "' is closed");
        }
        LeasedAccess pooled = idle.poll();
        LeasedAccess access = pooled != null ? pooled : new LeasedAccess(this, session.batch());
        access.begin(since);
        return protection == Protection.BLOCK ? new BlockAccess(this, access, session.batch()) : access;
    }

    /// The number of the chunk lease granted last; see [Access#since()].
    long grants() {
        return chunks.grants();
    }

    @Override
    public boolean mayRely(long address, long since) {
        return chunks.mayRely(address, since);
    }

    @Override
    public long allocate(HeapKind kind, int lengthBytes) {
        ExtentAllocator allocator = extents.get(kind);
        boolean isLeased = protection == Protection.STRUCTURE && kind == HeapKind.DATA;
        return pack(new RemoteAddress(heap.root().node(), allocator.allocate(lengthBytes, isLeased)));
    }

    @Override
    public void retire(HeapKind kind, long address, int lengthBytes) {
        retirements.add(new Extent(unpack(address), ExtentAllocator.align(lengthBytes)));
    }

    @Override
    public void abandon(HeapKind kind, long address, int lengthBytes) {
        if (!extents.get(kind).abandon(offset(address), lengthBytes)) {
            retire(kind, address, lengthBytes);
        }
    }

    @Override
    public Exclusive exclusive(long address, long lengthBytes, Duration patience) {
        LeaseRequest request = new LeaseRequest(unpack(address), lengthBytes, Set.of(AccessRight.READ, AccessRight.WRITE),
                LeaseMode.EXCLUSIVE, terms.term(), terms.exclusiveLife(), patience, true);
        return new LeasedExclusive(session.acquire(request), session.batch(), address);
    }

    @Override
    public LongSupplier clock() {
        return clock;
    }

    @Override
    public LongSupplier nodeClock() {
        return session::nodeNanos;
    }

    @Override
    public RandomGenerator random() {
        return random;
    }

    @Override
    public void pause(long nanos) {
        if (nanos < TimeUnit.MICROSECONDS.toNanos(5)) {
            Thread.onSpinWait();
        } else {
            LockSupport.parkNanos(nanos);
        }
    }

    /// Gives back what is known to be unused; a session that ends without this leaves the rest of its extents to the heap's
    /// destruction.
    @Override
    public void close() {
        if (closed) {
            return;
        }
        closed = true;
        for (LeasedAccess access = idle.poll(); access != null; access = idle.poll()) {
            access.dispose();
        }
        List<Extent> rest = new ArrayList<>();
        extents.values().forEach(allocator -> rest.addAll(allocator.close()));
        retirements.flush(rest);
        chunks.close();
    }

    /// What the failure of a doorbell means to a structure. A WRITE in doubt, unlike an atomic, comes with what kept the session
    /// from repeating it, and that is what counts: structures WRITE only to blocks that nobody else sees yet, and under an
    /// exclusive right what can be written again.
    static RuntimeException meaning(RuntimeException e) {
        return e instanceof OutcomeUnknownException && e.getCause() instanceof RuntimeException obstacle ? obstacle : e;
    }

    /// Whether `e` says that a lease has ended, so that starting over under a new one helps.
    static boolean isLeaseEnd(RuntimeException e) {
        return e instanceof LeaseExpiredException || e instanceof AccessDeniedException;
    }
}
