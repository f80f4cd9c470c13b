package io.leasehold.structures;

/// The word of a slot, in which a single element passes through a queue.
///
/// ```
///  63  61  60 59        45 44         32 31                           0
/// +------+---+------------+-------------+------------------------------+
/// |state | A |  length64  |   version   |            block             |   FULL, CLAIMED, RELEASED
/// +------+---+------------+-------------+------------------------------+
/// |state |                          taker                              |   TAKEN
/// +------+-------------------------------------------------------------+
///
/// EMPTY    --put-->          FULL
/// EMPTY    --poison-->       DEAD      by whoever needs the slot, if the producer is late
/// FULL     --take, remove--> TAKEN
/// FULL     --void-->         DEAD      see A
/// FULL     --claim-->        CLAIMED   acknowledged delivery only, as all that follows
/// CLAIMED  --renew, claim--> CLAIMED   by its holder; by another, when the holder is silent
/// CLAIMED  --release-->      RELEASED  --claim--> CLAIMED
/// CLAIMED, RELEASED --acknowledge, take, remove--> TAKEN
/// ```
/// `block` is the offset of the element's block in its node in units of 64 bytes, `length64` its length in the same units.
/// `version` counts the changes of a claimed element, so that a claim that was lost is not taken for the one that followed it; it
/// wraps, and a consumer that slept through 8,192 changes could then acknowledge the same element for its present holder:
/// harmless, for it did receive it. `taker` is a number that nobody else uses: whoever lost the answer to its CAS reads the slot
/// and knows whether it won.
///
/// A slot is used once: TAKEN and DEAD are final, and EMPTY never returns. So there is no ABA inside a segment, and a READ of
/// many slots that tears is still a READ of each slot at some time.
///
/// `A` (*after*) marks an element that was put with one doorbell behind others (`addAll`): its CAS was carried out after that of
/// the slot before it. If that slot turned out DEAD, this element would overtake its predecessor, so it is *void*: it counts as
/// not put, consumers turn it DEAD, and its producer, who sees the same, puts both again in order.
final class QueueSlot {
    static final int EMPTY = 0;
    static final int FULL = 1;
    static final int CLAIMED = 2;
    static final int RELEASED = 3;
    static final int TAKEN = 4;
    static final int DEAD = 5;

    static final int STATE_SHIFT = 61;
    static final int LENGTH_SHIFT = 45;
    static final int LENGTH_BITS = 15;
    static final int VERSION_SHIFT = 32;
    static final int VERSION_BITS = 13;
    static final long AFTER = 1L << 60;
    static final long TAKER_MASK = (1L << STATE_SHIFT) - 1;
    /// The word of a poisoned slot.
    static final long POISON = (long) DEAD << STATE_SHIFT;

    private static final long LENGTH_MASK = (1L << LENGTH_BITS) - 1;
    private static final long VERSION_MASK = (1L << VERSION_BITS) - 1;
    private static final long BLOCK_MASK = 0xFFFF_FFFFL;

    /// Most elements that are put with one doorbell: so far a chain of *after* reaches back.
    static final int RUN_MAX = 32;

    /// Whether a FULL slot holds an element.
    enum Judgement {
        /// It does.
        PUT,
        /// It is void, and will be DEAD.
        VOID,
        /// The READ was torn: look again.
        UNDECIDED
    }

    private QueueSlot() {
    }

    /// Judges the slot at `index` of `words`, which are the words of adjacent slots from slot 0, or from [#RUN_MAX] - 1 slots
    /// before it.
    static Judgement judge(long[] words, int index) {
        int i = index;
        while (state(words[i]) == FULL && isAfter(words[i])) {
            i--;
            if (state(words[i]) == DEAD) {
                return Judgement.VOID;
            }
            if (words[i] == EMPTY) {
                return Judgement.UNDECIDED;
            }
        }
        // A slot that was claimed or taken had been judged before.
        return Judgement.PUT;
    }

    /// A FULL word.
    ///
    /// @param block the block's number in its node
    /// @param lengthBytes its length, a multiple of 64
    static long full(long block, int lengthBytes) {
        int length64 = lengthBytes / Memory.GRANULE;
        if (block <= 0 || block > BLOCK_MASK || lengthBytes % Memory.GRANULE != 0 || length64 < 1 || length64 > LENGTH_MASK) {
            throw new IllegalArgumentException("block " + block + " of " + lengthBytes + " bytes does not fit a slot");
        }
        return (long) FULL << STATE_SHIFT | (long) length64 << LENGTH_SHIFT | block;
    }

    static int state(long word) {
        return (int) (word >>> STATE_SHIFT);
    }

    /// Whether the slot will never change again.
    static boolean isFinal(long word) {
        return state(word) >= TAKEN;
    }

    /// Whether the word leads to a block.
    static boolean hasBlock(long word) {
        int state = state(word);
        return state >= FULL && state <= RELEASED;
    }

    static boolean isAfter(long word) {
        return hasBlock(word) && (word & AFTER) != 0;
    }

    static long block(long word) {
        return word & BLOCK_MASK;
    }

    static int lengthBytes(long word) {
        return (int) (word >>> LENGTH_SHIFT & LENGTH_MASK) * Memory.GRANULE;
    }

    static int version(long word) {
        return (int) (word >>> VERSION_SHIFT & VERSION_MASK);
    }

    /// The same block in another state, with the next version.
    static long changed(long word, int state) {
        long version = (version(word) + 1) & VERSION_MASK;
        return (long) state << STATE_SHIFT | word & (AFTER | LENGTH_MASK << LENGTH_SHIFT | BLOCK_MASK) | version << VERSION_SHIFT;
    }

    static long taken(long taker) {
        return (long) TAKEN << STATE_SHIFT | taker & TAKER_MASK;
    }
}
