package io.leasehold.lease;

import java.lang.foreign.MemorySegment;

/// Transfers that are longer than the scratch memory of one operation: by a batch, in parts.
final class LargeTransfer {
    /// Longest part, and most scratch memory. When a lease ends meanwhile, parts of a WRITE may have been written, and of one part
    /// its first [WorkChain#WHOLE_MAX] bytes or more.
    static final long PART_MAX = 64L << 20;

    private LargeTransfer() {
    }

    static void read(SessionCore session, Lease lease, long offset, MemorySegment into) {
        try (Batch batch = session.batch()) {
            for (long done = 0; done < into.byteSize();) {
                int length = partLength(session, into.byteSize() - done);
                batch.read(lease, offset + done, length);
                batch.execute();
                MemorySegment.copy(batch.data(0), 0, into, done, length);
                batch.reset();
                done += length;
            }
        }
    }

    static void write(SessionCore session, Lease lease, long offset, MemorySegment from) {
        try (Batch batch = session.batch()) {
            for (long done = 0; done < from.byteSize();) {
                int length = partLength(session, from.byteSize() - done);
                try {
                    batch.write(lease, offset + done, from.asSlice(done, length));
                    batch.execute();
                } catch (LeaseException | IllegalStateException e) {
                    if (done > 0) {
                        throw new OutcomeUnknownException("the first " + done + " of " + from.byteSize() + " bytes were written, then: "
                                + e.getMessage(), e);
                    }
                    throw e;
                }
                batch.reset();
                done += length;
            }
        }
    }

    private static int partLength(SessionCore session, long left) {
        return (int) Math.min(left, Math.min(PART_MAX, session.maxTransferBytes()));
    }
}
