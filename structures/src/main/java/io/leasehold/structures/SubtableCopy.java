package io.leasehold.structures;

import io.leasehold.lease.HeapKind;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/// What takes the place of frozen subtables: put together in local memory, then written with one WRITE to a block that nobody
/// knows of yet. For one thread.
///
/// Of the slots only committed words are copied, thawed: a tentative one has failed by being frozen.
final class SubtableCopy {
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final SubtableShape shape;
    private final Access access;
    private final Deadline deadline;

    SubtableCopy(SubtableShape shape, Access access, Deadline deadline) {
        this.shape = shape;
        this.access = access;
        this.deadline = deadline;
    }

    /// Writes two children of `parent` to `block`, with each entry at the position that it had.
    ///
    /// @return the header that says so
    long split(HeldSubtable parent, long block) {
        MemorySegment image = image(2);
        int depth = parent.depth();
        headers(image, 0, depth + 1, parent.suffix());
        headers(image, 1, depth + 1, parent.suffix() | 1L << depth);
        int[] entries = new int[parent.words()];
        int count = 0;
        for (int i = 0; i < parent.words(); i++) {
            if (parent.isEntry(i)) {
                entries[count++] = i;
            }
        }
        long[] hashes = hashes(parent, entries, count);
        for (int i = 0; i < count; i++) {
            long child = hashes[i] >>> depth & 1;
            image.setAtIndex(LONG, child * shape.words() + entries[i], SlotWord.thaw(parent.word(entries[i])));
        }
        write(block, image);
        return HeaderWord.moved(depth, block);
    }

    /// Writes a copy of `old` to `block`.
    ///
    /// @return the header that says so
    long same(HeldSubtable old, long block) {
        MemorySegment image = image(1);
        headers(image, 0, old.depth(), old.suffix());
        put(image, old);
        write(block, image);
        return HeaderWord.joined(old.depth(), block);
    }

    /// Writes what two siblings hold to `block`. Entries of the second whose position is taken go to another slot of their buckets.
    ///
    /// @return the header that says so, or 0 if there is no room for one: nothing was written
    long merge(HeldSubtable first, HeldSubtable second, long block) {
        MemorySegment image = image(1);
        headers(image, 0, first.depth() - 1, first.suffix());
        put(image, first);
        int[] displaced = new int[second.words()];
        int count = 0;
        for (int i = 0; i < second.words(); i++) {
            if (second.isEntry(i)) {
                if (image.getAtIndex(LONG, i) == 0) {
                    image.setAtIndex(LONG, i, SlotWord.thaw(second.word(i)));
                } else {
                    displaced[count++] = i;
                }
            }
        }
        long[] hashes = hashes(second, displaced, count);
        for (int i = 0; i < count; i++) {
            int slot = emptySlot(image, hashes[i]);
            if (slot < 0) {
                return 0;
            }
            image.setAtIndex(LONG, slot, SlotWord.thaw(second.word(displaced[i])));
        }
        write(block, image);
        return HeaderWord.joined(first.depth() - 1, block);
    }

    private MemorySegment image(int subtables) {
        return Arena.ofAuto().allocate((long) subtables * shape.bytes(), Memory.GRANULE);
    }

    private void headers(MemorySegment image, int subtable, int depth, long suffix) {
        for (int i = 0; i < shape.words(); i += SubtableShape.BUCKET_WORDS) {
            image.setAtIndex(LONG, (long) subtable * shape.words() + i, HeaderWord.live(depth, suffix));
        }
    }

    private static void put(MemorySegment image, HeldSubtable old) {
        for (int i = 0; i < old.words(); i++) {
            if (old.isEntry(i)) {
                image.setAtIndex(LONG, i, SlotWord.thaw(old.word(i)));
            }
        }
    }

    /// The index of an empty slot for a key with `hash`, in the emptier of its buckets; negative if there is none.
    private int emptySlot(MemorySegment image, long hash) {
        int best = -1;
        int most = 0;
        for (int combined : new int[] {shape.first(hash), shape.second(hash)}) {
            int start = SubtableShape.offset(combined) / Long.BYTES;
            int empty = 0;
            int index = -1;
            for (int i = start; i < start + SubtableShape.COMBINED_WORDS; i++) {
                if (!SubtableShape.isHeader(i) && image.getAtIndex(LONG, i) == 0) {
                    empty++;
                    index = i;
                }
            }
            if (empty > most) {
                most = empty;
                best = index;
            }
        }
        return best;
    }

    /// The hashes of entries, from the headers of their blocks. The blocks cannot change: nobody retires what a frozen slot refers
    /// to. They are read under whatever leases: if the right ends and somebody else finishes, so that the blocks can be retired,
    /// [HeldSubtable#forward] is refused.
    private long[] hashes(HeldSubtable held, int[] entries, int count) {
        long[] hashes = new long[count];
        for (int from = 0; from < count; from += HeldSubtable.STEPS_MAX) {
            int to = Math.min(count, from + HeldSubtable.STEPS_MAX);
            readHeaders(held, entries, from, to);
            for (int i = from; i < to; i++) {
                long hash = KeyValueBlock.hash(access.data(i - from));
                if (HashBits.fingerprint(hash) != SlotWord.fingerprint(held.word(entries[i]))
                        || HashBits.suffix(hash, held.depth()) != held.suffix()) {
                    throw held.strange(entries[i], hash);
                }
                hashes[i] = hash;
            }
        }
        return hashes;
    }

    private void readHeaders(HeldSubtable held, int[] entries, int from, int to) {
        while (true) {
            access.next();
            for (int i = from; i < to; i++) {
                access.readFound(SlotWord.address(held.word(entries[i])), KeyValueBlock.HEADER_BYTES);
            }
            try {
                access.execute();
                return;
            } catch (StaleAccess e) {
                access.restart();
                deadline.retry("copy", e);
            }
        }
    }

    private void write(long block, MemorySegment image) {
        access.next();
        access.write(HeapKind.INDEX, block, image);
        access.execute();
    }
}
