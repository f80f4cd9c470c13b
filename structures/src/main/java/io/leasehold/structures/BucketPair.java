package io.leasehold.structures;

import io.leasehold.lease.HeapKind;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/// The two combined buckets in which one key may live, as they were read. Words are numbered 0 to 31, through the first combined
/// bucket and then the second. For one thread; reused from key to key.
final class BucketPair {
    static final int WORDS = 2 * SubtableShape.COMBINED_WORDS;
    /// The most entries that can be in a pair.
    static final int SLOTS = WORDS / SubtableShape.BUCKET_WORDS * (SubtableShape.BUCKET_WORDS - 1);
    /// From [#chooseEmpty]: all slots are taken.
    static final int FULL = -1;

    /// What the headers say about the key.
    enum State {
        /// The key lives here.
        LIVE,
        /// A bucket says that it has moved.
        MOVED,
        /// These are not buckets for this key: the way here was out of date.
        ELSEWHERE
    }

    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final SubtableShape shape;
    private final long[] words = new long[WORDS];
    private int first;
    private int second;
    private long subtable;

    BucketPair(SubtableShape shape) {
        this.shape = shape;
    }

    /// Chooses the buckets of another key.
    void locate(long hash) {
        first = shape.first(hash);
        second = shape.second(hash);
    }

    /// Adds the two READs.
    ///
    /// @return the position of the first
    int post(Access access, long subtableAddress) {
        subtable = subtableAddress;
        int position = access.read(HeapKind.INDEX, subtable + SubtableShape.offset(first), SubtableShape.COMBINED_BYTES);
        access.read(HeapKind.INDEX, subtable + SubtableShape.offset(second), SubtableShape.COMBINED_BYTES);
        return position;
    }

    /// Whether the words are still those that were taken before.
    boolean isUnchanged(Access access, int position) {
        for (int i = 0; i < WORDS; i++) {
            MemorySegment data = access.data(position + i / SubtableShape.COMBINED_WORDS);
            if (data.getAtIndex(LONG, i % SubtableShape.COMBINED_WORDS) != words[i]) {
                return false;
            }
        }
        return true;
    }

    void take(Access access, int position) {
        copy(access.data(position), 0);
        copy(access.data(position + 1), SubtableShape.COMBINED_WORDS);
    }

    private void copy(MemorySegment from, int start) {
        MemorySegment.copy(from, LONG, 0, words, start, SubtableShape.COMBINED_WORDS);
    }

    long word(int index) {
        return words[index];
    }

    /// The address of a word.
    long address(int index) {
        int combined = index < SubtableShape.COMBINED_WORDS ? first : second;
        return subtable + SubtableShape.offset(combined) + (long) (index % SubtableShape.COMBINED_WORDS) * Long.BYTES;
    }

    State state(long hash) {
        State state = State.LIVE;
        for (int i = 0; i < WORDS; i += SubtableShape.BUCKET_WORDS) {
            if (HeaderWord.isMoved(words[i])) {
                state = State.MOVED;
            } else if (!HeaderWord.isLive(words[i]) || !HeaderWord.admits(words[i], hash)) {
                return State.ELSEWHERE;
            }
        }
        return state;
    }

    /// The header of a bucket that says that the key has moved, if one does.
    long movedHeader() {
        for (int i = 0; i < WORDS; i += SubtableShape.BUCKET_WORDS) {
            if (HeaderWord.isMoved(words[i])) {
                return words[i];
            }
        }
        throw new IllegalStateException("no bucket has moved");
    }

    /// The index of the slot that holds `word`, frozen or not, or a negative number.
    int indexOf(long word) {
        for (int i = 0; i < WORDS; i++) {
            if (!SubtableShape.isHeader(i) && SlotWord.thaw(words[i]) == word) {
                return i;
            }
        }
        return -1;
    }

    /// The index of an empty slot for a new entry, in the emptier combined bucket, there in the main bucket if it has one.
    ///
    /// Which of the empty slots of a bucket is taken depends on the hash, so that insertions at the same time seldom meet.
    ///
    /// @return [#FULL] if there is none
    int chooseEmpty(long hash) {
        int inFirst = occupied(0);
        int inSecond = occupied(SubtableShape.COMBINED_WORDS);
        int start = inFirst <= inSecond ? 0 : SubtableShape.COMBINED_WORDS;
        int index = emptyIn(start, start == 0 ? first : second, hash);
        if (index == FULL) {
            int other = SubtableShape.COMBINED_WORDS - start;
            index = emptyIn(other, other == 0 ? first : second, hash);
        }
        return index;
    }

    private int occupied(int start) {
        int occupied = 0;
        for (int i = start; i < start + SubtableShape.COMBINED_WORDS; i++) {
            if (!SubtableShape.isHeader(i) && !SlotWord.isEmpty(words[i])) {
                occupied++;
            }
        }
        return occupied;
    }

    private int emptyIn(int start, int combined, long hash) {
        int main = SubtableShape.mainBucket(combined);
        int index = emptyInBucket(start + main, hash);
        return index != FULL ? index : emptyInBucket(start + SubtableShape.BUCKET_WORDS - main, hash);
    }

    private int emptyInBucket(int header, long hash) {
        int slots = SubtableShape.BUCKET_WORDS - 1;
        int turn = HashBits.fingerprint(hash) % slots;
        for (int i = 0; i < slots; i++) {
            int index = header + 1 + (turn + i) % slots;
            if (SlotWord.isEmpty(words[index])) {
                return index;
            }
        }
        return FULL;
    }

    /// Whether a slot is frozen.
    boolean isFreezing() {
        for (int i = 0; i < WORDS; i++) {
            if (!SubtableShape.isHeader(i) && SlotWord.isFrozen(words[i])) {
                return true;
            }
        }
        return false;
    }
}
