package io.leasehold.structures;

import io.leasehold.lease.AccessRight;
import io.leasehold.lease.HeapKind;
import io.leasehold.lease.Lease;
import io.leasehold.lease.RemoteHeap;
import io.leasehold.lease.Session;
import java.time.Duration;
import java.util.Arrays;
import java.util.Set;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/// The leases that a session holds on the chunks of a heap, for reading and, in INDEX chunks and the root, atomics.
///
/// Looking one up takes a binary search in an array that is never changed, only replaced. A lease is replaced before its life
/// ends, by whoever
/// notices; its predecessor is left to end by itself, since operations may still be using it.
final class ChunkLeases implements AutoCloseable {
    private static final Set<AccessRight> INDEX_RIGHTS = Set.of(AccessRight.READ, AccessRight.ATOMIC);
    private static final Set<AccessRight> DATA_RIGHTS = Set.of(AccessRight.READ);

    private final Session session;
    private final RemoteHeap heap;
    private final LeaseTerms terms;
    private final LongSupplier clock;
    private final @Nullable Held unprotected;
    private final ReentrantLock lock = new ReentrantLock();
    private volatile Held[] held = {};
    /// The number of the lease granted last.
    private volatile long grants;

    /// A lease, its range (repeated, so that searching touches no other object), when to replace it, and its number in the order
    /// of granting.
    record Held(long start, long end, Lease lease, long replaceNanos, long number) {
        boolean covers(long offset, long lengthBytes) {
            return start <= offset && offset + lengthBytes <= end;
        }
    }

    ChunkLeases(Session session, RemoteHeap heap, Protection protection, LeaseTerms terms, LongSupplier clock) {
        this.session = session;
        this.heap = heap;
        this.terms = terms;
        this.clock = clock;
        if (protection == Protection.NONE) {
            Lease all = session.unprotected();
            unprotected = new Held(0, Long.MAX_VALUE, all, 0, 0);
        } else {
            unprotected = null;
        }
    }

    /// The number of the lease granted last: what was read from now on is protected by all leases up to it.
    long grants() {
        return grants;
    }

    Held leaseFor(HeapKind kind, long address) {
        if (unprotected != null) {
            return unprotected;
        }
        long offset = LeasedMemory.offset(address);
        Held found = find(held, offset);
        if (found == null || !found.lease.isLive()) {
            return acquire(kind, address, found);
        }
        if (clock.getAsLong() - found.replaceNanos >= 0 && lock.tryLock()) {
            try {
                return acquire(kind, address, found);
            } finally {
                lock.unlock();
            }
        }
        return found;
    }

    /// Whether the lease on the chunk with `address` is there, and was granted when the number of the last one was at most `since`.
    boolean mayRely(long address, long since) {
        if (unprotected != null) {
            return true;
        }
        Held found = find(held, LeasedMemory.offset(address));
        return found != null && found.number <= since;
    }

    private static @Nullable Held find(Held[] table, long offset) {
        int low = 0;
        int high = table.length - 1;
        while (low <= high) {
            int middle = low + high >>> 1;
            Held candidate = table[middle];
            if (offset < candidate.start) {
                high = middle - 1;
            } else if (offset >= candidate.end) {
                low = middle + 1;
            } else {
                return candidate;
            }
        }
        return null;
    }

    private Held acquire(HeapKind kind, long address, @Nullable Held seen) {
        lock.lock();
        try {
            Held now = find(held, LeasedMemory.offset(address));
            if (now != null && now != seen && now.lease.isLive()) {
                return now;
            }
            long asked = clock.getAsLong();
            Duration life = kind == HeapKind.INDEX ? terms.indexLife() : terms.dataLife();
            Lease lease = heap.leaseChunk(LeasedMemory.unpack(address), kind == HeapKind.INDEX ? INDEX_RIGHTS : DATA_RIGHTS,
                    terms.term(), life);
            long start = lease.address().offset();
            Held fresh = new Held(start, start + lease.lengthBytes(), lease, asked + life.toNanos() * 3 / 4, grants + 1);
            replace(fresh);
            grants = fresh.number;
            return fresh;
        } finally {
            lock.unlock();
        }
    }

    private void replace(Held fresh) {
        Held[] table = held;
        Held[] next = Arrays.copyOf(table, table.length + 1);
        int size = 0;
        for (Held old : table) {
            if (old.end <= fresh.start || old.start >= fresh.end) {
                next[size++] = old;
            }
        }
        next[size++] = fresh;
        next = Arrays.copyOf(next, size);
        Arrays.sort(next, (a, b) -> Long.compare(a.start, b.start));
        held = next;
    }

    /// Drops a lease that has ended other than by the clock, so that the next user acquires another.
    void forget(Lease lease) {
        lock.lock();
        try {
            held = Arrays.stream(held).filter(entry -> entry.lease != lease).toArray(Held[]::new);
        } finally {
            lock.unlock();
        }
        if (unprotected == null) {
            lease.relinquishLater();
        }
    }

    @Override
    public void close() {
        lock.lock();
        try {
            for (Held entry : held) {
                entry.lease.relinquishLater();
            }
            held = new Held[0];
        } finally {
            lock.unlock();
        }
    }
}
