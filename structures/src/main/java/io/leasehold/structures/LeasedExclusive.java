package io.leasehold.structures;

import io.leasehold.lease.Batch;
import io.leasehold.lease.Lease;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// An exclusive range that is an exclusive write lease: whoever holds it too long is refused by the node's device.
final class LeasedExclusive implements Exclusive {
    /// Words written with one doorbell.
    private static final int WORDS_MAX = 512;

    private final Lease lease;
    private final Batch batch;
    private final long start;
    private final MemorySegment word = Arena.ofAuto().allocate(ValueLayout.JAVA_LONG);

    LeasedExclusive(Lease lease, Batch batch, long start) {
        this.lease = lease;
        this.batch = batch;
        this.start = start;
    }

    @Override
    public void write(long address, MemorySegment from) {
        guarded(() -> lease.write(address - start, from));
    }

    @Override
    public void writeWord(long address, long value) {
        word.set(ValueLayout.JAVA_LONG, 0, value);
        write(address, word);
    }

    @Override
    public void add(long address, long value) {
        if (batch.size() >= WORDS_MAX) {
            flush();
        }
        word.set(ValueLayout.JAVA_LONG, 0, value);
        guarded(() -> batch.write(lease, address - start, word));
    }

    @Override
    public void flush() {
        if (batch.size() == 0) {
            return;
        }
        try {
            guarded(batch::execute);
        } finally {
            batch.reset();
        }
    }

    @Override
    public void close() {
        batch.close();
        lease.close();
    }

    private static void guarded(Runnable step) {
        try {
            step.run();
        } catch (RuntimeException e) {
            RuntimeException meaning = LeasedMemory.meaning(e);
            throw LeasedMemory.isLeaseEnd(meaning) ? new StaleAccess("the exclusive right has ended", meaning) : meaning;
        }
    }
}
