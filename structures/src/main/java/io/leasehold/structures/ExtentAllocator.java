package io.leasehold.structures;

import io.leasehold.lease.AccessRight;
import io.leasehold.lease.Extent;
import io.leasehold.lease.HeapKind;
import io.leasehold.lease.Lease;
import io.leasehold.lease.LeaseMode;
import io.leasehold.lease.LeaseRequest;
import io.leasehold.lease.NodeUnavailableException;
import io.leasehold.lease.OutcomeUnknownException;
import io.leasehold.lease.RemoteAddress;
import io.leasehold.lease.RemoteHeap;
import io.leasehold.lease.Session;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/// Cuts blocks from extents of a heap that this session holds under an exclusive write lease. Thread-safe.
final class ExtentAllocator {
    private static final long FIRST_EXTENT_BYTES = 64 << 10;
    private static final long LAST_EXTENT_BYTES = 1 << 20;
    /// Abandoned blocks of one size that are kept for the next user.
    private static final int ABANDONED_MAX = 64;

    private final Session session;
    private final RemoteHeap heap;
    private final Retirements retirements;
    private final HeapKind kind;
    private final LeaseTerms terms;
    private final LongSupplier clock;
    private final ReentrantLock lock = new ReentrantLock();
    private final Map<Long, ArrayDeque<Long>> abandoned = new HashMap<>();
    private volatile @Nullable Writable current;
    /// The extent before, in which blocks may still be being written.
    private volatile @Nullable Writable previous;
    private long next;
    private long end;
    private long preferredBytes = FIRST_EXTENT_BYTES;

    private record Writable(long start, long end, Lease lease, long replaceNanos) {
        boolean covers(long offset, long lengthBytes) {
            return start <= offset && offset + lengthBytes <= end;
        }
    }

    ExtentAllocator(Session session, RemoteHeap heap, Retirements retirements, HeapKind kind, LeaseTerms terms,
            LongSupplier clock) {
        this.session = session;
        this.heap = heap;
        this.retirements = retirements;
        this.kind = kind;
        this.terms = terms;
        this.clock = clock;
    }

    static long align(long bytes) {
        return Math.max(Memory.GRANULE, (bytes + Memory.GRANULE - 1) & -Memory.GRANULE);
    }

    /// The offset of a new block; with `leased` the extent it lies in is under a write lease that has a while to live.
    long allocate(int lengthBytes, boolean leased) {
        long size = align(lengthBytes);
        lock.lock();
        try {
            ArrayDeque<Long> reusable = abandoned.get(size);
            Long again = reusable == null ? null : reusable.pollFirst();
            if (again != null) {
                return again;
            }
            if (next + size > end) {
                refill(size);
            }
            if (leased) {
                renew();
            }
            long offset = next;
            next += size;
            return offset;
        } finally {
            lock.unlock();
        }
    }

    private void refill(long size) {
        List<Extent> rest = rest();
        Extent extent = extent(size);
        preferredBytes = Math.min(LAST_EXTENT_BYTES, preferredBytes * 2);
        next = extent.address().offset();
        end = next + extent.lengthBytes();
        rest.forEach(retirements::add);
    }

    private Extent extent(long size) {
        try {
            return heap.allocate(kind, size, Math.max(size, preferredBytes));
        } catch (OutcomeUnknownException e) {
            // If the node takes an extent too late it gets it back: the structure has not changed.
            throw NodeUnavailableException.of("memory for " + size + " bytes in heap " + heap.name() + " was not allocated: "
                    + e.getMessage(), e);
        }
    }

    private List<Extent> rest() {
        return next < end ? List.of(new Extent(at(next), end - next)) : List.of();
    }

    private RemoteAddress at(long offset) {
        return new RemoteAddress(heap.root().node(), offset);
    }

    /// Makes sure that what is left of the extent is under a write lease. Only what is left: earlier blocks may have been
    /// retired, and must be free to
    /// go to somebody else.
    private void renew() {
        Writable now = current;
        if (now != null && now.covers(next, end - next) && clock.getAsLong() - now.replaceNanos < 0 && now.lease.isLive()) {
            return;
        }
        Writable old = previous;
        if (now != null && now.covers(next, end - next)) {
            // The same extent again: nobody else can be granted it exclusively, so the old lease has to end first.
            now.lease.close();
            current = null;
        } else {
            previous = now;
            if (old != null) {
                old.lease.relinquishLater();
            }
        }
        long asked = clock.getAsLong();
        Duration life = terms.dataLife();
        Lease lease = session.acquire(new LeaseRequest(at(next), end - next, Set.of(AccessRight.READ, AccessRight.WRITE),
                LeaseMode.EXCLUSIVE, terms.term(), life, terms.term().multipliedBy(3), true));
        current = new Writable(next, end, lease, asked + life.toNanos() * 3 / 4);
    }

    /// The write lease that covers a block, if it lives.
    @Nullable Lease leaseFor(long offset, long lengthBytes) {
        Writable now = current;
        if (now == null || !now.covers(offset, lengthBytes)) {
            now = previous;
        }
        return now != null && now.covers(offset, lengthBytes) && now.lease.isLive() ? now.lease : null;
    }

    /// Keeps a block that was never referred to, if it lies in the current extent.
    ///
    /// @return whether it was kept
    boolean abandon(long offset, int lengthBytes) {
        long size = align(lengthBytes);
        lock.lock();
        try {
            Writable now = current;
            if (now == null || !now.covers(offset, size) || !now.lease.isLive()) {
                return false;
            }
            ArrayDeque<Long> list = abandoned.computeIfAbsent(size, ignored -> new ArrayDeque<>());
            if (list.size() >= ABANDONED_MAX) {
                return false;
            }
            list.addFirst(offset);
            return true;
        } finally {
            lock.unlock();
        }
    }

    /// Relinquishes the leases, and returns what was not used.
    List<Extent> close() {
        lock.lock();
        try {
            List<Extent> unused = new ArrayList<>(rest());
            next = end;
            abandoned.forEach((size, offsets) -> offsets.forEach(offset -> unused.add(new Extent(at(offset), size))));
            abandoned.clear();
            for (Writable writable : new Writable[] {current, previous}) {
                if (writable != null) {
                    writable.lease.relinquishLater();
                }
            }
            current = null;
            previous = null;
            return unused;
        } finally {
            lock.unlock();
        }
    }
}
