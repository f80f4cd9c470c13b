package io.leasehold.lease;

import java.util.Comparator;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.LongPredicate;
import org.jspecify.annotations.Nullable;

/// Free ranges of an address space: neighbours are joined, and the smallest that suffices is taken. O(log n). For one thread.
final class FreeRanges {
    /// `[offset, offset + lengthBytes)`.
    record Span(long offset, long lengthBytes) {
    }

    private static final Comparator<Span> BY_LENGTH =
            Comparator.comparingLong(Span::lengthBytes).thenComparingLong(Span::offset);

    private final TreeMap<Long, Span> byOffset = new TreeMap<>();
    private final TreeSet<Span> byLength = new TreeSet<>(BY_LENGTH);
    private final LongPredicate isBorder;
    private long bytes;

    /// @param isBorder whether ranges on the two sides of an offset must not be joined
    FreeRanges(LongPredicate isBorder) {
        this.isBorder = isBorder;
    }

    /// All bytes of all ranges.
    long bytes() {
        return bytes;
    }

    /// The length of the longest range; 0 if there is none.
    long longest() {
        return byLength.isEmpty() ? 0 : byLength.last().lengthBytes;
    }

    /// Adds a range that overlaps none that is here.
    void add(long offset, long lengthBytes) {
        long start = offset;
        long end = offset + lengthBytes;
        Map.Entry<Long, Span> before = byOffset.lowerEntry(offset);
        Map.Entry<Long, Span> after = byOffset.ceilingEntry(offset);
        if (before != null && before.getValue().offset + before.getValue().lengthBytes > start
                || after != null && after.getKey() < end) {
            throw new IllegalStateException("range " + offset + " of " + lengthBytes + " bytes is free already");
        }
        if (before != null && before.getValue().offset + before.getValue().lengthBytes == start && !isBorder.test(start)) {
            start = before.getKey();
            remove(before.getValue());
        }
        if (after != null && after.getKey() == end && !isBorder.test(end)) {
            end += after.getValue().lengthBytes;
            remove(after.getValue());
        }
        insert(new Span(start, end - start));
    }

    /// Takes `lengthBytes` from the start of the shortest range that has so many.
    ///
    /// @return where they start, or -1 if no range is so long
    long take(long lengthBytes) {
        @Nullable Span span = byLength.ceiling(new Span(Long.MIN_VALUE, lengthBytes));
        if (span == null) {
            return -1;
        }
        remove(span);
        if (span.lengthBytes > lengthBytes) {
            insert(new Span(span.offset + lengthBytes, span.lengthBytes - lengthBytes));
        }
        return span.offset;
    }

    private void insert(Span span) {
        byOffset.put(span.offset, span);
        byLength.add(span);
        bytes += span.lengthBytes;
    }

    private void remove(Span span) {
        byOffset.remove(span.offset);
        byLength.remove(span);
        bytes -= span.lengthBytes;
    }
}
