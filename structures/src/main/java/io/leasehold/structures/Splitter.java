package io.leasehold.structures;

import io.leasehold.lease.CapacityException;
import io.leasehold.lease.HeapKind;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/// Splits subtables, and finishes splits whose owner has died: freeze, copy, forward, flip. Thread-safe.
///
/// The splitter holds the subtable exclusively, so there is one at a time, and one that was too slow is refused by the node.
///
/// 1. *Freeze*: CAS the F bit into every slot, empty ones too. From then on no slot of the subtable changes. Claims freeze too,
///    and thereby fail.
/// 2. *Copy*: build two children and WRITE them, each entry at the position that it had. Nobody knows of them yet.
/// 3. *Forward*: write *moved, to the children* into the header of every bucket. Readers use the frozen subtable until they see
///    that in one of the four buckets of their key; writers wait until they do, so nothing that readers use is stale.
/// 4. *Flip* the directory's entries, when all headers are written: whoever comes that way does not look at them. Another
///    exclusive right guards the directory: first the subtable, then the directory, always.
/// 5. *Retire* the subtable. Clients whose directory is older may read it, and be forwarded, until their leases end.
///
/// A successor needs no log. If a header says *moved*, the children that it names are complete, and it goes on at step 3; if none
/// does, it starts at step 1, and no client can ever have seen the children of its predecessor. What is lost then is their block.
///
/// Departures from RACE hashing (ATC'21), where entries are moved one by one under the eyes of readers and writers: see the tests
/// named after the faults that this has. An entry cannot get lost, appear twice or flicker here, because it is in one place only
/// at any time that counts.
final class Splitter {
    /// Steps of one doorbell.
    private static final int STEPS_MAX = 256;
    /// Entries of the directory that are copied at once.
    private static final int ENTRIES_MAX = 1 << 14;
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final MapContext<?, ?> context;
    /// The subtables that threads of this client are splitting: others need not queue at the node for the right.
    private final Set<Long> underway = ConcurrentHashMap.newKeySet();

    Splitter(MapContext<?, ?> context) {
        this.context = context;
    }

    /// Splits `subtable`, in which there is no room for a key with `hash`, unless somebody else has done so.
    ///
    /// @return whether to look again at once: not if another thread of this client is splitting it
    /// @throws CapacityException if the directory is as deep as it can be
    boolean split(long hash, long subtable, Deadline deadline) {
        return attempt(hash, subtable, true, deadline);
    }

    /// Finishes the split of `subtable` that has begun, if its owner has died.
    void finish(long hash, long subtable, Deadline deadline) {
        attempt(hash, subtable, false, deadline);
    }

    private boolean attempt(long hash, long subtable, boolean begins, Deadline deadline) {
        if (!underway.add(subtable)) {
            return false;
        }
        try {
            while (true) {
                try {
                    new Split(hash, subtable, begins, deadline).run();
                    return true;
                } catch (StaleAccess e) {
                    deadline.retry("split", e);
                }
            }
        } finally {
            underway.remove(subtable);
        }
    }

    /// One try, by one thread.
    private final class Split {
        private final long hash;
        private final long wanted;
        private final boolean begins;
        private final Deadline deadline;
        private final Memory memory = context.memory();
        private final SubtableShape shape = context.shape();
        private final long[] words = new long[shape.words()];
        private Directory.Entry parent = new Directory.Entry(0, 0, 0);

        Split(long hash, long wanted, boolean begins, Deadline deadline) {
            this.hash = hash;
            this.wanted = wanted;
            this.begins = begins;
            this.deadline = deadline;
        }

        void run() {
            try (Access access = memory.access()) {
                parent = context.directory().read(access, hash);
            }
            boolean isFlipped;
            try (Exclusive right = memory.exclusive(parent.subtable(), shape.bytes(), deadline.remaining());
                    Access access = memory.access()) {
                // Read under the right: as long as the directory leads here, nobody has retired it, and nobody else will.
                Directory.Entry now = context.directory().read(access, hash);
                if (now.subtable() != parent.subtable()) {
                    return;
                }
                long children = read(access);
                if (children == 0) {
                    if (!isDue()) {
                        return;
                    }
                    freeze(access);
                    children = copy(right, access);
                }
                forward(right, children);
                isFlipped = flip(children);
            }
            if (isFlipped) {
                memory.retire(HeapKind.INDEX, parent.subtable(), shape.bytes());
            }
        }

        /// Reads the subtable.
        ///
        /// @return the address of its children, 0 if it has not moved
        private long read(Access access) {
            access.next();
            int position = access.read(HeapKind.INDEX, parent.subtable(), shape.bytes());
            access.execute();
            MemorySegment.copy(access.data(position), LONG, 0, words, 0, words.length);
            for (int i = 0; i < words.length; i += SubtableShape.BUCKET_WORDS) {
                if (HeaderWord.isMoved(words[i])) {
                    return HeaderWord.children(words[i]);
                }
                if (words[i] != HeaderWord.live(parent.depth(), HashBits.suffix(hash, parent.depth()))) {
                    throw damaged("header 0x" + Long.toHexString(words[i]) + " at word " + i);
                }
            }
            return 0;
        }

        /// Whether this subtable is the one to split. If the directory leads elsewhere than the full one was found, its parent's
        /// split was not finished, and is now, or somebody has split it meanwhile.
        private boolean isDue() {
            boolean hasBegun = false;
            for (int i = 0; i < words.length; i++) {
                hasBegun |= !SubtableShape.isHeader(i) && SlotWord.isFrozen(words[i]);
            }
            if (!hasBegun && (!begins || parent.subtable() != wanted)) {
                return false;
            }
            if (parent.depth() >= context.root().maxDepth()) {
                throw CapacityException.of("map '" + context.name() + "' is full: its directory is " + parent.depth()
                        + " deep, the most it was created for; create it with a greater maxDepth or groupsPerSubtable");
            }
            return true;
        }

        /// Sets the F bit in every slot; [#words] are then what the slots hold for good.
        private void freeze(Access access) {
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
                        access.compareAndSwap(address(open[i]), word, SlotWord.freeze(word));
                    }
                    access.execute();
                    for (int i = from; i < to; i++) {
                        int index = open[i];
                        long before = access.previous(i - from);
                        if (before == words[index]) {
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

        private long address(int index) {
            return parent.subtable() + (long) index * Long.BYTES;
        }

        /// Writes the children.
        ///
        /// @return their address
        private long copy(Exclusive right, Access access) {
            MemorySegment image = Arena.ofAuto().allocate(2L * shape.bytes(), Memory.GRANULE);
            int depth = parent.depth();
            long suffix = HashBits.suffix(hash, depth);
            for (int i = 0; i < words.length; i += SubtableShape.BUCKET_WORDS) {
                image.setAtIndex(LONG, i, HeaderWord.live(depth + 1, suffix));
                image.setAtIndex(LONG, words.length + i, HeaderWord.live(depth + 1, suffix | 1L << depth));
            }
            distribute(right, access, image);
            long children = memory.allocate(HeapKind.INDEX, 2 * shape.bytes());
            try {
                access.next();
                access.write(HeapKind.INDEX, children, image);
                access.execute();
            } catch (RuntimeException e) {
                memory.abandon(HeapKind.INDEX, children, 2 * shape.bytes());
                throw e;
            }
            return children;
        }

        /// Puts each entry into the child that its hash chooses. The blocks cannot change: nobody retires what a frozen slot
        /// refers to.
        private void distribute(Exclusive right, Access access, MemorySegment image) {
            int[] entries = new int[words.length];
            int count = 0;
            for (int i = 0; i < words.length; i++) {
                if (!SubtableShape.isHeader(i) && SlotWord.isCommitted(words[i])) {
                    entries[count++] = i;
                }
            }
            for (int from = 0; from < count; from += STEPS_MAX) {
                int to = Math.min(count, from + STEPS_MAX);
                readHeaders(access, entries, from, to);
                for (int i = from; i < to; i++) {
                    int index = entries[i];
                    long entryHash = KeyValueBlock.hash(access.data(i - from));
                    checkBelongs(right, index, entryHash);
                    long child = entryHash >>> parent.depth() & 1;
                    image.setAtIndex(LONG, child * words.length + index, SlotWord.thaw(words[index]));
                }
            }
        }

        /// Reads the headers of blocks, under whatever leases: the slots are frozen, and if the right ends and somebody else
        /// finishes the split, so that the blocks can be retired, the children are refused to [#forward].
        private void readHeaders(Access access, int[] entries, int from, int to) {
            while (true) {
                access.next();
                for (int i = from; i < to; i++) {
                    access.readFound(SlotWord.address(words[entries[i]]), KeyValueBlock.HEADER_BYTES);
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

        private void checkBelongs(Exclusive right, int index, long entryHash) {
            int depth = parent.depth();
            if (HashBits.fingerprint(entryHash) != SlotWord.fingerprint(words[index])
                    || HashBits.suffix(entryHash, depth) != HashBits.suffix(hash, depth)) {
                // If the right has ended, the block may be another one by now: then this is refused.
                right.writeWord(address(0), words[0]);
                throw damaged("slot word 0x" + Long.toHexString(words[index]) + " leads to an entry with hash 0x"
                        + Long.toHexString(entryHash));
            }
        }

        private IllegalStateException damaged(String what) {
            return new IllegalStateException("subtable 0x" + Long.toHexString(parent.subtable()) + " of map '" + context.name()
                    + "' is damaged: " + what);
        }

        private void forward(Exclusive right, long children) {
            long moved = HeaderWord.moved(parent.depth(), children);
            for (int i = 0; i < words.length; i += SubtableShape.BUCKET_WORDS) {
                if (words[i] != moved) {
                    right.add(address(i), moved);
                }
            }
            right.flush();
        }

        /// Has the directory lead to the children.
        ///
        /// @return whether it was this that ended the last way to the subtable
        private boolean flip(long children) {
            MapRoot root = context.root();
            int depth = parent.depth();
            try (Exclusive right = memory.exclusive(root.depthAddress(), root.directoryBytes(), deadline.remaining());
                    Access access = memory.access()) {
                access.next();
                int position = access.read(HeapKind.INDEX, root.depthAddress(), Long.BYTES);
                access.execute();
                int directoryDepth = (int) access.data(position).get(LONG, 0);
                if (directoryDepth == depth) {
                    deepen(right, access, depth);
                    directoryDepth++;
                }
                long count = 1L << directoryDepth - depth;
                boolean ledHere = false;
                for (long from = 0; from < count; from += STEPS_MAX) {
                    long to = Math.min(count, from + STEPS_MAX);
                    access.next();
                    for (long i = from; i < to; i++) {
                        access.read(HeapKind.INDEX, root.entryAddress(index(i)), Long.BYTES);
                    }
                    access.execute();
                    for (long i = from; i < to; i++) {
                        long entry = access.data((int) (i - from)).get(LONG, 0);
                        ledHere |= MapRoot.entrySubtable(entry) == parent.subtable();
                        // Deeper entries lead to a child's child. Shallower ones lead to an ancestor whose splitter died before
                        // it reached them: they are changed too, or they would lead here even when this is retired.
                        if (MapRoot.entryDepth(entry) <= depth) {
                            long child = children + (i & 1) * shape.bytes();
                            right.add(root.entryAddress(index(i)), MapRoot.entry(depth + 1, child));
                        }
                    }
                }
                right.flush();
                return ledHere;
            }
        }

        /// The index of the `i`th entry of the directory that leads to this subtable.
        private long index(long i) {
            return HashBits.suffix(hash, parent.depth()) | i << parent.depth();
        }

        /// Doubles the directory: first the upper half, then the depth that makes it count.
        private void deepen(Exclusive right, Access access, int depth) {
            MapRoot root = context.root();
            long half = 1L << depth;
            for (long from = 0; from < half; from += ENTRIES_MAX) {
                int bytes = (int) Math.min(half - from, ENTRIES_MAX) * Long.BYTES;
                access.next();
                int position = access.read(HeapKind.INDEX, root.entryAddress(from), bytes);
                access.execute();
                right.write(root.entryAddress(half + from), access.data(position));
            }
            right.writeWord(root.depthAddress(), depth + 1);
        }
    }
}
