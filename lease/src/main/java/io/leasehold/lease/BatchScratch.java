package io.leasehold.lease;

import io.leasehold.rdma.MemoryRegion;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/// The chain of a batch and the registered memory that its bytes pass through; the memory grows and goes from one batch to the
/// next.
final class BatchScratch {
    private static final long INITIAL_BYTES = 4096;
    private static final long ALIGNMENT = 64;
    /// More than this is not kept for the next batch.
    private static final long KEPT_BYTES = 4 << 20;
    private static final long BYTES_MAX = 1L << 30;

    final WorkChain chain;
    private final Connector connector;
    private Arena arena;
    private long used;

    BatchScratch(Connector connector, int number) {
        this.connector = connector;
        arena = Arena.ofShared();
        MemoryRegion region = connector.register(arena.allocate(INITIAL_BYTES, ALIGNMENT));
        chain = new WorkChain(number, 16, region, region.memory());
    }

    /// Takes `lengthBytes` of the memory, aligned to 8.
    ///
    /// @return where they start
    long take(long lengthBytes) {
        long at = used;
        long end = at + (lengthBytes + Long.BYTES - 1 & -Long.BYTES);
        if (end > chain.memory.byteSize()) {
            grow(end);
        }
        used = end;
        return at;
    }

    private void grow(long bytes) {
        if (bytes > BYTES_MAX) {
            throw new IllegalStateException("a batch moves at most " + BYTES_MAX + " bytes: execute it in parts");
        }
        long size = Math.min(BYTES_MAX, Long.highestOneBit(Math.max(bytes, INITIAL_BYTES) - 1) << 1);
        replace(size);
    }

    private void replace(long size) {
        Arena larger = Arena.ofShared();
        MemoryRegion region = connector.register(larger.allocate(size, ALIGNMENT));
        MemorySegment.copy(chain.memory, 0, region.memory(), 0, used);
        chain.region.close();
        arena.close();
        arena = larger;
        chain.region = region;
        chain.memory = region.memory();
    }

    /// Forgets what was taken.
    void clear() {
        used = 0;
        chain.clear();
        chain.setState(WorkChain.IDLE);
    }

    /// Makes it ready for the next batch.
    void tidy() {
        clear();
        if (chain.memory.byteSize() > KEPT_BYTES) {
            replace(INITIAL_BYTES);
        }
    }

    /// Frees the memory; the chain is not on the way.
    void close() {
        chain.region.close();
        arena.close();
    }
}
