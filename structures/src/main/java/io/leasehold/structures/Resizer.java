package io.leasehold.structures;

import io.leasehold.lease.CapacityException;
import io.leasehold.lease.HeapKind;
import io.leasehold.lease.LeaseException;
import io.leasehold.lease.OutcomeUnknownException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.time.Duration;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/// Splits subtables that are full, merges siblings that are sparse, and finishes what somebody who has died had begun: freeze,
/// copy, forward, flip. Thread-safe.
///
/// Who does it holds the subtable exclusively, so there is one at a time, and one that was too slow is refused by the node.
///
/// 1. *Freeze*: CAS the F bit into every slot, empty ones too. From then on no slot of the subtable changes. Claims freeze too,
///    and thereby fail.
/// 2. *Copy*: build what takes its place (two children, or one subtable for two siblings) and WRITE it. Nobody knows of it yet.
/// 3. *Forward*: write where the keys have moved into the header of every bucket. Readers use the frozen subtable until they see
///    that in one of the four buckets of their key; writers wait until they do, so nothing that readers use is stale.
/// 4. *Flip* the directory's entries, when all headers are written: whoever comes that way does not look at them. Another
///    exclusive right guards the directory: first the subtables, then the directory, always.
/// 5. *Retire* the subtable. Clients whose directory is older may read it, and be forwarded, until their leases end.
///
/// A successor needs no log. If a header says where the keys have moved, what is there is complete, and it goes on at step 3; if
/// none does, no client can ever have seen what its predecessor built, and it makes the choice anew: a subtable that is more than
/// half full is split, another is only copied. What is lost then is the predecessor's block.
///
/// A *merge* is of two subtables, whose rights can end one by one. Its first *moved* header in the *first* of the two, the one
/// whose keys have 0 in the bit that tells them apart, decides it: after that the second can go nowhere else, before that it
/// stays. So the first is forwarded before the second, and whoever resizes a second takes the right to its first too: it waits
/// out a merger that may still decide. A subtable moves only when all entries of the directory for its keys lead to it, so a
/// merged one stays where it is until both siblings have been forwarded and flipped.
///
/// *When*: a subtable is split when both buckets of a key are full, at a load of about 0.9. Two siblings are merged when they
/// hold at most [#MERGE_LOAD_EIGHTHS] eighths of what one can. So a merged subtable has to more than double before it is split,
/// and halves of one that was just split have to lose more than half of their entries before they are merged: whatever one does,
/// half a subtable of insertions or removals pays for undoing it. The directory does not become less deep, and the map never
/// less than one subtable, with which it began.
///
/// Departures from RACE hashing (ATC'21), where entries are moved one by one under the eyes of readers and writers, and
/// subtables are not merged: see the tests named after the faults that this has. An entry cannot get lost, appear twice or
/// flicker here, because it is in one place only at any time that counts.
final class Resizer {
    /// See above.
    static final int MERGE_LOAD_EIGHTHS = 3;
    /// Merges that one removal may lead to.
    private static final int MERGES_MAX = 24;
    /// Of how many removals one looks whether there is something to merge, as a part of a subtable's slots.
    private static final int LOOKS_PER_SUBTABLE = 8;
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final MapContext<?, ?> context;
    private final Memory memory;
    private final SubtableShape shape;
    private final DirectoryRange range;
    /// The subtables that threads of this client are resizing: others need not queue at the node for the right.
    private final Set<Long> underway = ConcurrentHashMap.newKeySet();

    Resizer(MapContext<?, ?> context) {
        this.context = context;
        memory = context.memory();
        shape = context.shape();
        range = new DirectoryRange(context);
    }

    /// Splits `subtable`, in which there is no room for a key with `hash`, unless somebody else has done so.
    ///
    /// @return whether to look again at once: not if another thread of this client is at it
    /// @throws CapacityException if the directory is as deep as it can be
    boolean split(long hash, long subtable, Deadline deadline) {
        return settle(hash, subtable, subtable, deadline);
    }

    /// Finishes what somebody has begun with `subtable`, if its owner has died.
    void finish(long hash, long subtable, Deadline deadline) {
        settle(hash, subtable, 0, deadline);
    }

    private boolean settle(long hash, long subtable, long full, Deadline deadline) {
        if (!underway.add(subtable)) {
            return false;
        }
        try {
            settle(hash, full, deadline);
            return true;
        } finally {
            underway.remove(subtable);
        }
    }

    /// @param full the subtable to split, 0 for none
    private void settle(long hash, long full, Deadline deadline) {
        while (true) {
            try {
                long first = new Attempt(hash, deadline).settle(full);
                if (first < 0) {
                    return;
                }
                new Attempt(first, deadline).settle(0);
                deadline.retry("finish another's", null);
            } catch (StaleAccess | OutcomeUnknownException e) {
                // What is in doubt is found out by looking again: each step can be taken twice.
                deadline.retry("split", e);
            }
        }
    }

    /// Whether a removal is one of those after which to [#mergeAround]: one in an eighth of a subtable's slots, by chance, so that
    /// nobody has to count and it does not matter who removes.
    boolean looksAround() {
        return memory.random().nextInt(Math.max(1, shape.slots() / LOOKS_PER_SUBTABLE)) == 0;
    }

    /// Merges the subtable of `hash` with its sibling if they are sparse, and what comes of it with its sibling, and so on. Gives
    /// up if somebody else is there, or something fails: it can wait.
    void mergeAround(long hash, Deadline deadline) {
        long at = hash;
        try {
            for (int i = 0; i < MERGES_MAX; i++) {
                Attempt attempt = new Attempt(at, deadline);
                switch (attempt.sparse()) {
                    case DENSE -> {
                        return;
                    }
                    // Merging begins where the directory is deepest.
                    case DEEPER_SIBLING -> at = attempt.siblingHash();
                    case SPARSE -> {
                        if (!attempt.merge()) {
                            return;
                        }
                    }
                }
            }
        } catch (StaleAccess | LeaseException _) {
            // The next removal looks again.
        }
    }

    /// What the number of entries of a subtable and its sibling says.
    private enum Load {
        DENSE, SPARSE, DEEPER_SIBLING
    }

    private boolean isSparse(int entries) {
        return entries * 8 <= shape.slots() * MERGE_LOAD_EIGHTHS;
    }

    /// One try, by one thread.
    private final class Attempt {
        private final long hash;
        private final Deadline deadline;
        private Directory.Entry place = new Directory.Entry(0, 0, 0);
        private Directory.Entry sibling = place;
        /// Whether a merge has begun, so that it has to be finished one way or another.
        private boolean hasFrozen;

        Attempt(long hash, Deadline deadline) {
            this.hash = hash;
            this.deadline = deadline;
        }

        /// The bit that tells the keys of a subtable from those of its sibling; 0 if it has none.
        private long bit() {
            return place.depth() == 0 ? 0 : 1L << place.depth() - 1;
        }

        long siblingHash() {
            return hash ^ bit();
        }

        private void locate(Access access) {
            place = context.directory().read(access, hash);
            sibling = bit() == 0 ? place : context.directory().read(access, siblingHash());
        }

        /// Looks once more, under the rights: as long as the directory leads to a subtable, nobody has retired it, and nobody
        /// else will.
        private boolean isStillThere(Access access) {
            Directory.Entry seenPlace = place;
            Directory.Entry seenSibling = sibling;
            locate(access);
            return place.subtable() == seenPlace.subtable() && place.depth() == seenPlace.depth()
                    && sibling.subtable() == seenSibling.subtable() && sibling.depth() == seenSibling.depth();
        }

        private boolean hasEqualSibling() {
            return bit() != 0 && sibling.depth() == place.depth();
        }

        /// Finishes what was begun with the subtable of the hash, and splits it if it is `full`.
        ///
        /// @return the hash of keys whose subtable has to be settled first, or a negative number if there are none
        long settle(long full) {
            try (Access access = memory.access()) {
                locate(access);
            }
            HeldSubtable held;
            boolean retires;
            boolean isGuarded = hasEqualSibling() && (hash & bit()) != 0;
            try (Exclusive _ = isGuarded
                    ? memory.exclusive(sibling.subtable(), shape.bytes(), deadline.remaining())
                    : null;
                    HeldSubtable own = new HeldSubtable(context, place, hash, deadline.remaining());
                    Access access = memory.access()) {
                held = own;
                if (!isStillThere(access)) {
                    return -1;
                }
                held.read(access);
                long header = held.movedHeader();
                boolean hasBegun = header != 0 || held.hasBegun();
                if (!hasBegun && held.address() != full) {
                    return -1;
                }
                if (header == 0 && hasBegun) {
                    header = decidedMerge(access, isGuarded);
                }
                if (header == 0) {
                    long stray = range.stray(access, held);
                    if (stray >= 0) {
                        return stray;
                    }
                    header = replace(held, access, !hasBegun || isHalfFull(held));
                }
                held.forward(header);
                retires = range.flip(header, deadline, held)[0];
            }
            if (retires) {
                held.retire();
            }
            return -1;
        }

        private boolean isHalfFull(HeldSubtable held) {
            return held.depth() < context.root().maxDepth() && held.entries() * 2 > shape.slots();
        }

        /// The header that leads to what the subtable, which is frozen, was merged into; 0 if it was not.
        private long decidedMerge(Access access, boolean isGuarded) {
            if (isGuarded) {
                access.next();
                int position = access.read(HeapKind.INDEX, sibling.subtable(), shape.bytes());
                access.execute();
                long header = SubtableShape.movedHeader(words(access, position));
                return HeaderWord.isJoined(header) && HeaderWord.depth(header) < place.depth() ? header : 0;
            }
            if (bit() == 0 || sibling.depth() >= place.depth()) {
                return 0;
            }
            // The sibling's keys are in a subtable that should have this one's too: a merged one, or the parent of both, whose
            // splitter has not flipped that entry yet.
            access.next();
            int position = access.read(HeapKind.INDEX, sibling.subtable(), Long.BYTES);
            access.execute();
            boolean isMerged = HeaderWord.isLive(access.data(position).get(LONG, 0));
            return isMerged ? HeaderWord.joined(sibling.depth(), sibling.subtable()) : 0;
        }

        /// Freezes a subtable and writes what takes its place: its children, or a copy of it.
        ///
        /// @return the header that leads there
        private long replace(HeldSubtable held, Access access, boolean splits) {
            if (splits && held.depth() >= context.root().maxDepth()) {
                throw CapacityException.of("map '" + context.name() + "' is full: its directory is " + held.depth()
                        + " deep, the most it was created for; create it with a greater maxDepth or groupsPerSubtable");
            }
            int bytes = splits ? 2 * shape.bytes() : shape.bytes();
            // First the memory: without it nothing is begun.
            long block = memory.allocate(HeapKind.INDEX, bytes);
            try {
                held.freeze(access, deadline);
                SubtableCopy copy = new SubtableCopy(shape, access, deadline);
                return splits ? copy.split(held, block) : copy.same(held, block);
            } catch (RuntimeException e) {
                memory.abandon(HeapKind.INDEX, block, bytes);
                throw e;
            }
        }

        /// Whether the subtable and its sibling are sparse together, as far as two READs without any right tell.
        Load sparse() {
            try (Access access = memory.access()) {
                locate(access);
                if (bit() == 0 || sibling.depth() < place.depth()) {
                    return Load.DENSE;
                }
                access.next();
                int position = access.read(HeapKind.INDEX, place.subtable(), shape.bytes());
                access.read(HeapKind.INDEX, sibling.subtable(), shape.bytes());
                access.execute();
                int own = SubtableShape.entries(words(access, position));
                int others = SubtableShape.entries(words(access, position + 1));
                if (!hasEqualSibling()) {
                    return isSparse(own) && isSparse(others) ? Load.DEEPER_SIBLING : Load.DENSE;
                }
                return isSparse(own + others) ? Load.SPARSE : Load.DENSE;
            }
        }

        private long[] words(Access access, int position) {
            long[] words = new long[shape.words()];
            MemorySegment.copy(access.data(position), LONG, 0, words, 0, words.length);
            return words;
        }

        /// Merges the subtable of the hash with its sibling, if they are still sparse and nobody else is at one of them.
        ///
        /// @return whether it did
        boolean merge() {
            Directory.Entry first = (hash & bit()) == 0 ? place : sibling;
            Directory.Entry second = (hash & bit()) == 0 ? sibling : place;
            if (!underway.add(first.subtable())) {
                return false;
            }
            try {
                if (!underway.add(second.subtable())) {
                    return false;
                }
                try {
                    return merge(first, second);
                } finally {
                    underway.remove(second.subtable());
                }
            } finally {
                underway.remove(first.subtable());
            }
        }

        private boolean merge(Directory.Entry firstPlace, Directory.Entry secondPlace) {
            long firstHash = hash & ~bit();
            long secondHash = hash | bit();
            long stray;
            try (HeldSubtable first = new HeldSubtable(context, firstPlace, firstHash, Duration.ZERO);
                    HeldSubtable second = new HeldSubtable(context, secondPlace, secondHash, Duration.ZERO);
                    Access access = memory.access()) {
                if (!isStillThere(access) || !isMergeable(first, second, access)) {
                    return false;
                }
                stray = Math.max(range.stray(access, first), range.stray(access, second));
                if (stray < 0) {
                    return merge(first, second, access);
                }
            } catch (StaleAccess | LeaseException e) {
                if (hasFrozen) {
                    Resizer.this.settle(firstHash, 0, deadline);
                    Resizer.this.settle(secondHash, 0, deadline);
                }
                throw e;
            }
            Resizer.this.settle(stray, 0, deadline);
            return false;
        }

        private boolean isMergeable(HeldSubtable first, HeldSubtable second, Access access) {
            first.read(access);
            second.read(access);
            boolean isBusy = first.movedHeader() != 0 || second.movedHeader() != 0 || first.hasBegun() || second.hasBegun();
            return !isBusy && isSparse(first.entries() + second.entries());
        }

        /// @return whether they are one now; if not, because there is no room for an entry, each is a copy of itself
        private boolean merge(HeldSubtable first, HeldSubtable second, Access access) {
            // First the memory: without it nothing is begun.
            long block = memory.allocate(HeapKind.INDEX, shape.bytes());
            long header;
            try {
                hasFrozen = true;
                first.freeze(access, deadline);
                second.freeze(access, deadline);
                header = new SubtableCopy(shape, access, deadline).merge(first, second, block);
            } catch (RuntimeException e) {
                memory.abandon(HeapKind.INDEX, block, shape.bytes());
                throw e;
            }
            if (header == 0) {
                memory.abandon(HeapKind.INDEX, block, shape.bytes());
                moveAlone(first, access);
                moveAlone(second, access);
                return false;
            }
            first.forward(header);
            second.forward(header);
            boolean[] retires = range.flip(header, deadline, first, second);
            if (retires[0]) {
                first.retire();
            }
            if (retires[1]) {
                second.retire();
            }
            return true;
        }

        private void moveAlone(HeldSubtable held, Access access) {
            long header = replace(held, access, false);
            held.forward(header);
            if (range.flip(header, deadline, held)[0]) {
                held.retire();
            }
        }
    }
}
