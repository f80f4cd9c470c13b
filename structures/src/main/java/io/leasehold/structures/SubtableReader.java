package io.leasehold.structures;

import io.leasehold.lease.HeapKind;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/// Reads the subtable that has the keys of a suffix, wherever splits and merges have put them. For one thread.
final class SubtableReader {
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final MapContext<?, ?> context;
    private final long[] words;
    private long address;

    SubtableReader(MapContext<?, ?> context) {
        this.context = context;
        words = new long[context.shape().words()];
    }

    /// Reads the subtable with keys whose hashes end in `suffix`, and, if it is deeper than that, go on with zeros.
    void read(Access access, long suffix, Deadline deadline) {
        Directory.Entry place = context.directory().read(access, suffix);
        while (true) {
            access.next();
            int position = access.read(HeapKind.INDEX, place.subtable(), context.shape().bytes());
            access.execute();
            MemorySegment.copy(access.data(position), LONG, 0, words, 0, words.length);
            long moved = SubtableShape.movedHeader(words);
            if (moved != 0) {
                long next = HeaderWord.next(moved, suffix, context.shape().bytes());
                place = new Directory.Entry(next, HeaderWord.nextDepth(moved), place.since());
            } else if (admits(suffix)) {
                address = place.subtable();
                return;
            } else {
                deadline.retry("subtable 0x" + Long.toHexString(place.subtable()), null);
                place = context.directory().read(access, suffix);
            }
        }
    }

    private boolean admits(long suffix) {
        for (int i = 0; i < words.length; i += SubtableShape.BUCKET_WORDS) {
            if (!HeaderWord.isLive(words[i]) || !HeaderWord.admits(words[i], suffix)) {
                return false;
            }
        }
        return true;
    }

    /// The words of the subtable that was read last; changed by the next reading.
    long[] words() {
        return words;
    }

    boolean isEntry(int position) {
        return !SubtableShape.isHeader(position) && SlotWord.isCommitted(words[position]);
    }

    int depth() {
        return HeaderWord.depth(words[0]);
    }

    long address() {
        return address;
    }

    /// The address of the word at `position`.
    long address(int position) {
        return address + (long) position * Long.BYTES;
    }
}
