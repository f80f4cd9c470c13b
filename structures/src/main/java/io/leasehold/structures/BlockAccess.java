package io.leasehold.structures;

import io.leasehold.lease.Batch;
import io.leasehold.lease.HeapKind;
import io.leasehold.lease.Lease;
import io.leasehold.lease.LeaseRequest;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// The access of one structure operation with [Protection#BLOCK]: the index goes through the leases of chunks, and every block
/// that is read or
/// written through a lease of its own, acquired with one doorbell just before the batch and relinquished after it.
///
/// Costs two control round trips more than [LeasedAccess] for each batch that touches blocks, of which the second is not waited
/// for.
final class BlockAccess implements Access {
    private final LeasedMemory memory;
    private final LeasedAccess index;
    private final Batch batch;
    private final List<Step> steps = new ArrayList<>();
    /// Leases of blocks that were read, kept until the operation ends: so long the blocks cannot be reused, and a word that still
    /// refers to one refers to what was read.
    private final List<Lease> held = new ArrayList<>();
    /// Where each position is: a position in the index's batch, or, below 0, the complement of one among the blocks.
    private int[] places = new int[16];
    private int size;
    /// Whether a step is the index's; its batch may be empty all the same, if the step's lease has ended.
    private boolean usesIndex;
    private boolean blocksPosted;
    private boolean posted;

    /// One step; `from` is what a write writes.
    private record Step(HeapKind kind, long address, int lengthBytes, @Nullable MemorySegment from) {
    }

    BlockAccess(LeasedMemory memory, LeasedAccess index, Batch batch) {
        this.memory = memory;
        this.index = index;
        this.batch = batch;
    }

    @Override
    public void relyFrom(long since) {
        index.relyFrom(since);
    }

    @Override
    public int read(HeapKind kind, long address, int lengthBytes) {
        if (kind == HeapKind.INDEX) {
            return place(index.read(kind, address, lengthBytes));
        }
        return block(new Step(kind, address, lengthBytes, null));
    }

    @Override
    public int readFound(long address, int lengthBytes) {
        return read(HeapKind.DATA, address, lengthBytes);
    }

    @Override
    public int readGuessed(long address, int lengthBytes) {
        return read(HeapKind.DATA, address, lengthBytes);
    }

    @Override
    public void rely(long address) {
        throw new IllegalStateException("a block's lease does not outlive the operation that reads it");
    }

    @Override
    public int write(HeapKind kind, long address, MemorySegment from) {
        MemorySegment copy = MemorySegment.ofArray(from.toArray(ValueLayout.JAVA_BYTE));
        return block(new Step(kind, address, Math.toIntExact(copy.byteSize()), copy));
    }

    private int block(Step step) {
        steps.add(step);
        return place(-steps.size());
    }

    private int place(int where) {
        if (size == places.length) {
            places = Arrays.copyOf(places, 2 * size);
        }
        places[size] = where;
        usesIndex |= where >= 0;
        return size++;
    }

    @Override
    public int compareAndSwap(long address, long expected, long desired) {
        return place(index.compareAndSwap(address, expected, desired));
    }

    @Override
    public int fetchAndAdd(long address, long addend) {
        return place(index.fetchAndAdd(address, addend));
    }

    @Override
    public int size() {
        return size;
    }

    /// Blocks first: a batch writes blocks before it publishes them, and never publishes and reads in one.
    @Override
    public void execute() {
        if (!steps.isEmpty()) {
            executeBlocks();
        }
        for (Lease lease : held) {
            if (!lease.isLive()) {
                throw new StaleAccess("the lease of a block that was read has ended", null);
            }
        }
        posted = true;
        if (usesIndex) {
            index.execute();
        }
    }

    private void executeBlocks() {
        List<LeaseRequest> requests = new ArrayList<>(steps.size());
        for (Step step : steps) {
            requests.add(memory.blockRequest(step.address, step.lengthBytes, step.from != null));
        }
        List<Lease> leases = memory.session().acquireAll(requests);
        try {
            for (int i = 0; i < steps.size(); i++) {
                Step step = steps.get(i);
                if (step.from != null) {
                    batch.write(leases.get(i), 0, step.from);
                } else {
                    batch.read(leases.get(i), 0, step.lengthBytes);
                }
            }
            blocksPosted = true;
            batch.execute();
        } catch (RuntimeException e) {
            RuntimeException meaning = LeasedMemory.meaning(e);
            throw LeasedMemory.isLeaseEnd(meaning) ? new StaleAccess("a lease on a block ended", meaning) : meaning;
        } finally {
            for (int i = 0; i < leases.size(); i++) {
                if (steps.get(i).from == null) {
                    held.add(leases.get(i));
                } else if (steps.get(i).kind == HeapKind.INDEX) {
                    // Others may take it exclusively as soon as a word refers to it.
                    leases.get(i).close();
                } else {
                    leases.get(i).relinquishLater();
                }
            }
        }
    }

    private void relinquish() {
        held.forEach(Lease::relinquishLater);
        held.clear();
    }

    @Override
    public boolean executed(int position) {
        int where = places[position];
        if (where >= 0) {
            return posted && index.executed(where);
        }
        return blocksPosted && batch.outcome(~where) == Batch.Outcome.DONE;
    }

    @Override
    public MemorySegment data(int position) {
        int where = places[position];
        return where < 0 ? batch.data(~where) : index.data(where);
    }

    @Override
    public long previous(int position) {
        return index.previous(places[position]);
    }

    @Override
    public void next() {
        index.next();
        batch.reset();
        steps.clear();
        size = 0;
        usesIndex = false;
        blocksPosted = false;
        posted = false;
    }

    @Override
    public void restart() {
        next();
        relinquish();
        index.restart();
    }

    @Override
    public long since() {
        return index.since();
    }

    @Override
    public void close() {
        next();
        relinquish();
        batch.close();
        index.close();
    }
}
