package io.leasehold.lease;

import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.LinkedHashSet;
import org.jspecify.annotations.Nullable;

/// The retired ranges of one chunk that leases granted before may still see, in the order they were retired.
///
/// Lease ids grow with time, so it is enough to remember with each range the youngest lease that lived when it was retired: the
/// range is free when the oldest lease that lives is younger. Ranges that share this limit form one batch, and only the first
/// batch is ever looked at: retiring and releasing cost O(1), however much is in quarantine. For one thread.
final class Quarantine {
    /// Ranges that are released together.
    static final class Batch {
        private final long youngest;
        private long[] spans = new long[4];
        private int size;

        private Batch(long youngest) {
            this.youngest = youngest;
        }

        private void add(long offset, long lengthBytes) {
            if (size == spans.length) {
                spans = Arrays.copyOf(spans, 2 * size);
            }
            spans[size++] = offset;
            spans[size++] = lengthBytes;
        }

        boolean isEmpty() {
            return size == 0;
        }

        /// Takes a range out into `free`.
        ///
        /// @return its length
        long moveLast(FreeRanges free) {
            long lengthBytes = spans[--size];
            free.add(spans[--size], lengthBytes);
            return lengthBytes;
        }
    }

    private final ArrayDeque<Batch> batches = new ArrayDeque<>();

    /// Puts a range in.
    ///
    /// @param leases the leases that live on the chunk, oldest first; not empty
    void add(long offset, long lengthBytes, LinkedHashSet<Long> leases) {
        long youngest = leases.getLast();
        Batch last = batches.peekLast();
        if (last == null || last.youngest != youngest) {
            last = new Batch(youngest);
            batches.add(last);
        }
        last.add(offset, lengthBytes);
    }

    /// Takes out a batch that no lease of `leases` can see, or `null` if there is none.
    @Nullable Batch poll(LinkedHashSet<Long> leases) {
        Batch first = batches.peekFirst();
        return first != null && (leases.isEmpty() || leases.getFirst() > first.youngest) ? batches.pollFirst() : null;
    }
}
