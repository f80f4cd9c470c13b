package io.leasehold.structures;

import io.leasehold.lease.HeapKind;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.time.Duration;

/// A subtable that is held exclusively, from when it is looked at until others have taken its place. For one thread.
final class HeldSubtable implements AutoCloseable {
    /// Steps of one doorbell.
    static final int STEPS_MAX = 256;
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final MapContext<?, ?> context;
    private final long address;
    private final int depth;
    private final long suffix;
    private final long[] words;
    private final Exclusive right;

    /// Waits for the right to the subtable that `entry` leads to.
    ///
    /// @param hash of any key that belongs there
    HeldSubtable(MapContext<?, ?> context, Directory.Entry entry, long hash, Duration patience) {
        this.context = context;
        address = entry.subtable();
        depth = entry.depth();
        suffix = HashBits.suffix(hash, depth);
        words = new long[context.shape().words()];
        right = context.memory().exclusive(address, context.shape().bytes(), patience);
    }

    long address() {
        return address;
    }

    int depth() {
        return depth;
    }

    long suffix() {
        return suffix;
    }

    /// The word at `index`, as it was read or, once [#freeze] has ended, as it stays for good.
    long word(int index) {
        return words[index];
    }

    int words() {
        return words.length;
    }

    /// Reads the subtable.
    void read(Access access) {
        access.next();
        int position = access.read(HeapKind.INDEX, address, context.shape().bytes());
        access.execute();
        MemorySegment.copy(access.data(position), LONG, 0, words, 0, words.length);
        for (int i = 0; i < words.length; i += SubtableShape.BUCKET_WORDS) {
            if (!HeaderWord.isMoved(words[i]) && words[i] != HeaderWord.live(depth, suffix)) {
                throw damaged("header 0x" + Long.toHexString(words[i]) + " at word " + i);
            }
        }
    }

    /// The header of a bucket that says that its keys have moved; 0 if none does.
    long movedHeader() {
        return SubtableShape.movedHeader(words);
    }

    /// Whether a slot is frozen: somebody has begun to put others in the place of this subtable.
    boolean hasBegun() {
        for (int i = 0; i < words.length; i++) {
            if (!SubtableShape.isHeader(i) && SlotWord.isFrozen(words[i])) {
                return true;
            }
        }
        return false;
    }

    boolean isEntry(int index) {
        return !SubtableShape.isHeader(index) && SlotWord.isCommitted(words[index]);
    }

    /// The number of entries.
    int entries() {
        return SubtableShape.entries(words);
    }

    /// Sets the F bit in every slot.
    void freeze(Access access, Deadline deadline) {
        int[] open = new int[words.length];
        int count = 0;
        for (int i = 0; i < words.length; i++) {
            if (!SubtableShape.isHeader(i) && !SlotWord.isFrozen(words[i])) {
                open[count++] = i;
            }
        }
        while (count > 0) {
            int stillOpen = 0;
            for (int from = 0; from < count; from += STEPS_MAX) {
                int to = Math.min(count, from + STEPS_MAX);
                access.next();
                for (int i = from; i < to; i++) {
                    long word = words[open[i]];
                    access.compareAndSwap(addressOf(open[i]), word, SlotWord.freeze(word));
                }
                access.execute();
                for (int i = from; i < to; i++) {
                    int index = open[i];
                    long before = access.previous(i - from);
                    if (before == words[index] || SlotWord.isFrozen(before)) {
                        words[index] = SlotWord.freeze(before);
                    } else {
                        words[index] = before;
                        open[stillOpen++] = index;
                    }
                }
            }
            count = stillOpen;
            if (count > 0) {
                deadline.retry("freeze", null);
            }
        }
    }

    /// Writes `header` into every bucket.
    ///
    /// @throws StaleAccess if the right has ended
    void forward(long header) {
        for (int i = 0; i < words.length; i += SubtableShape.BUCKET_WORDS) {
            if (words[i] != header) {
                right.add(addressOf(i), header);
            }
        }
        right.flush();
    }

    /// Writes the header of the first bucket once more: a subtable whose holder can do this has not been given back.
    ///
    /// @throws StaleAccess if the right has ended
    void confirm(long header) {
        right.writeWord(address, header);
    }

    /// That the entry at `index` cannot be one of this subtable: then it is damaged, unless the right has ended and its memory
    /// is somebody else's by now.
    ///
    /// @throws StaleAccess if the right has ended
    IllegalStateException strange(int index, long hash) {
        confirm(words[0]);
        return damaged("slot word 0x" + Long.toHexString(words[index]) + " leads to an entry with hash 0x" + Long.toHexString(hash));
    }

    private IllegalStateException damaged(String what) {
        return new IllegalStateException(
                "subtable 0x" + Long.toHexString(address) + " of map '" + context.name() + "' is damaged: " + what);
    }

    private long addressOf(int index) {
        return address + (long) index * Long.BYTES;
    }

    /// Gives the memory back, to which nothing leads any more.
    void retire() {
        context.memory().retire(HeapKind.INDEX, address, context.shape().bytes());
    }

    @Override
    public void close() {
        right.close();
    }
}
