package io.leasehold.structures;

import io.leasehold.lease.Batch;
import io.leasehold.lease.HeapKind;
import io.leasehold.lease.Lease;
import io.leasehold.lease.LeaseExpiredException;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/// The access of one structure operation under the chunk and extent leases of a [LeasedMemory].
final class LeasedAccess implements Access {
    private final LeasedMemory memory;
    private final Batch batch;
    /// Leases of chunks in the order of their first use. Few: an operation touches the root, a subtable or segment, and some
    /// blocks.
    private ChunkLeases.Held[] pinned = new ChunkLeases.Held[8];
    private int pinnedCount;
    private long since;
    /// The number of the last lease granted when this was borrowed.
    private long borrowed;
    /// Whether a step needed a lease that was granted after the access began.
    private boolean tooYoung;
    /// Whether a step needed a lease that has ended.
    private boolean ended;
    /// Whether the steps were given to the batch's doorbell.
    private boolean posted;
    /// Whether something is relied on that no step passes.
    private boolean relies;
    /// Leases on single blocks, for writes to INDEX blocks, and to DATA blocks whose extent's lease has ended.
    private final List<Lease> blocks = new ArrayList<>();

    LeasedAccess(LeasedMemory memory, Batch batch) {
        this.memory = memory;
        this.batch = batch;
    }

    @Override
    public void relyFrom(long number) {
        since = Math.min(number, borrowed);
    }

    @Override
    public int read(HeapKind kind, long address, int lengthBytes) {
        return read(kind, address, lengthBytes, since);
    }

    @Override
    public int readFound(long address, int lengthBytes) {
        return read(HeapKind.DATA, address, lengthBytes, borrowed);
    }

    @Override
    public int readGuessed(long address, int lengthBytes) {
        return read(HeapKind.DATA, address, lengthBytes, Long.MAX_VALUE);
    }

    @Override
    public void rely(long address) {
        pin(HeapKind.DATA, address, Memory.GRANULE, since);
        relies = true;
    }

    private int read(HeapKind kind, long address, int lengthBytes, long youngest) {
        Lease lease = pin(kind, address, lengthBytes, youngest);
        try {
            return batch.read(lease, offsetIn(lease, address), lengthBytes);
        } catch (LeaseExpiredException _) {
            return notAdded();
        }
    }

    @Override
    public int write(HeapKind kind, long address, MemorySegment from) {
        Lease own = memory.writeLease(kind, address, from.byteSize());
        Lease lease = own != null ? own : blockLease(address, from.byteSize());
        try {
            return batch.write(lease, offsetIn(lease, address), from);
        } catch (LeaseExpiredException _) {
            return notAdded();
        }
    }

    @Override
    public int compareAndSwap(long address, long expected, long desired) {
        Lease lease = pin(HeapKind.INDEX, address, Long.BYTES, since);
        try {
            return batch.compareAndSwap(lease, offsetIn(lease, address), expected, desired);
        } catch (LeaseExpiredException _) {
            return notAdded();
        }
    }

    @Override
    public int fetchAndAdd(long address, long addend) {
        Lease lease = pin(HeapKind.INDEX, address, Long.BYTES, since);
        try {
            return batch.fetchAndAdd(lease, offsetIn(lease, address), addend);
        } catch (LeaseExpiredException _) {
            return notAdded();
        }
    }

    /// A step under a lease that has ended is not added, and the next [#execute()] says so.
    private int notAdded() {
        ended = true;
        return batch.size();
    }

    static long offsetIn(Lease lease, long address) {
        return LeasedMemory.offset(address) - lease.address().offset();
    }

    /// @param youngest the number of the youngest lease that will do
    private Lease pin(HeapKind kind, long address, int lengthBytes, long youngest) {
        long offset = LeasedMemory.offset(address);
        for (int i = 0; i < pinnedCount; i++) {
            if (pinned[i].covers(offset, lengthBytes)) {
                tooYoung |= pinned[i].number() > youngest;
                return pinned[i].lease();
            }
        }
        ChunkLeases.Held held = memory.readLease(kind, address);
        tooYoung |= held.number() > youngest;
        if (pinnedCount == pinned.length) {
            pinned = Arrays.copyOf(pinned, 2 * pinnedCount);
        }
        pinned[pinnedCount++] = held;
        return held.lease();
    }

    private Lease blockLease(long address, long lengthBytes) {
        Lease lease = memory.session().acquire(memory.blockRequest(address, lengthBytes, true));
        blocks.add(lease);
        return lease;
    }

    @Override
    public int size() {
        return batch.size();
    }

    @Override
    public void execute() {
        checkPinned();
        if (ended) {
            throw stale(null);
        }
        if (tooYoung) {
            throw new StaleAccess("a lease was granted after the operation began", null);
        }
        posted = true;
        try {
            batch.execute();
        } catch (RuntimeException e) {
            RuntimeException meaning = LeasedMemory.meaning(e);
            throw LeasedMemory.isLeaseEnd(meaning) ? stale(meaning) : meaning;
        } finally {
            relinquishBlocks();
        }
        if (relies) {
            checkPinned();
        }
    }

    private void checkPinned() {
        for (int i = 0; i < pinnedCount; i++) {
            if (!pinned[i].lease().isLive()) {
                throw stale(null);
            }
        }
    }

    private StaleAccess stale(@org.jspecify.annotations.Nullable RuntimeException cause) {
        for (int i = 0; i < pinnedCount; i++) {
            if (cause != null || !pinned[i].lease().isLive()) {
                memory.forget(pinned[i].lease());
            }
        }
        return new StaleAccess("a lease ended under the operation", cause);
    }

    private void relinquishBlocks() {
        if (!blocks.isEmpty()) {
            // At once: others may take an INDEX block exclusively as soon as a word refers to it.
            blocks.forEach(Lease::close);
            blocks.clear();
        }
    }

    @Override
    public boolean executed(int position) {
        return posted && batch.outcome(position) == Batch.Outcome.DONE;
    }

    @Override
    public MemorySegment data(int position) {
        return batch.data(position);
    }

    @Override
    public long previous(int position) {
        return batch.previous(position);
    }

    @Override
    public void next() {
        posted = false;
        relies = false;
        batch.reset();
    }

    @Override
    public void restart() {
        next();
        relinquishBlocks();
        Arrays.fill(pinned, 0, pinnedCount, null);
        pinnedCount = 0;
        begin(memory.grants());
    }

    void begin(long number) {
        ended = false;
        since = number;
        borrowed = memory.grants();
        tooYoung = false;
    }

    @Override
    public long since() {
        return since;
    }

    @Override
    public void close() {
        restart();
        memory.giveBack(this);
    }

    void dispose() {
        batch.close();
    }
}
