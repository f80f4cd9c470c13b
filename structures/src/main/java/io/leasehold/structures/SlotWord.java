package io.leasehold.structures;

/// One slot of a bucket: where an entry's block is, and what may be done with it. Changed only by compare-and-swap.
///
/// ```
///  63           56 55           48 47                     6 5       2   1   0
/// +---------------+---------------+------------------------+---------+---+---+
/// | fingerprint:8 |   units:8     |        block:42        |version:4| T | F |
/// +---------------+---------------+------------------------+---------+---+---+
/// ```
/// `units` is the length of the block in 64 bytes; [#LARGE] stands for more than 254, then the block's header tells the length.
/// `block` is the block number; 0 is an empty slot. **T** (tentative): an insertion that is not decided; readers ignore it. **F**
/// (frozen): the subtable is being split or merged, and nobody changes this slot again.
///
/// `version` counts what the slot has held, so that a compare-and-swap that comes late does not succeed because a block number is
/// back. Departure from RACE hashing (ATC'21), where an empty slot is all zero: an empty slot here keeps its version, otherwise
/// removing and inserting would start it again and bring the same word back.
final class SlotWord {
    static final int FINGERPRINT_SHIFT = 56;
    static final int UNITS_SHIFT = 48;
    static final int BLOCK_SHIFT = 6;
    static final int VERSION_SHIFT = 2;
    static final long TENTATIVE = 0b10;
    static final long FROZEN = 0b01;
    /// The `units` of a block of more than 254 × 64 bytes.
    static final int LARGE = 255;

    private static final long BLOCK_MASK = (1L << 42) - 1 << BLOCK_SHIFT;
    private static final long VERSION_MASK = 0b1111L << VERSION_SHIFT;

    private SlotWord() {
    }

    /// The word of an insertion into the slot that holds `empty`: tentative.
    static long claim(long empty, int fingerprint, int units, long block) {
        return entry(empty, fingerprint, units, block) | TENTATIVE;
    }

    /// The word that makes the insertion `claim` count.
    static long commit(long claim) {
        return claim & ~TENTATIVE;
    }

    /// The word that replaces the block of the slot that holds `word`.
    static long replace(long word, int fingerprint, int units, long block) {
        return entry(word, fingerprint, units, block);
    }

    /// The word that empties the slot that holds `word`.
    static long empty(long word) {
        return nextVersion(word);
    }

    static long freeze(long word) {
        return word | FROZEN;
    }

    static long thaw(long word) {
        return word & ~FROZEN;
    }

    static boolean isEmpty(long word) {
        return (word & BLOCK_MASK) == 0;
    }

    static boolean isTentative(long word) {
        return (word & TENTATIVE) != 0;
    }

    static boolean isFrozen(long word) {
        return (word & FROZEN) != 0;
    }

    /// Whether readers see an entry here.
    static boolean isCommitted(long word) {
        return !isEmpty(word) && !isTentative(word);
    }

    static int fingerprint(long word) {
        return (int) (word >>> FINGERPRINT_SHIFT);
    }

    static int units(long word) {
        return (int) (word >>> UNITS_SHIFT) & 0xFF;
    }

    static long block(long word) {
        return (word & BLOCK_MASK) >>> BLOCK_SHIFT;
    }

    /// The address of the block.
    static long address(long word) {
        return word & BLOCK_MASK;
    }

    static int version(long word) {
        return (int) ((word & VERSION_MASK) >>> VERSION_SHIFT);
    }

    /// The `units` of a block of `lengthBytes`.
    static int unitsOf(int lengthBytes) {
        return Math.min((lengthBytes + Memory.GRANULE - 1) / Memory.GRANULE, LARGE);
    }

    private static long entry(long before, int fingerprint, int units, long block) {
        return (long) fingerprint << FINGERPRINT_SHIFT | (long) units << UNITS_SHIFT | block << BLOCK_SHIFT | nextVersion(before);
    }

    private static long nextVersion(long word) {
        return (word & VERSION_MASK) + (1L << VERSION_SHIFT) & VERSION_MASK;
    }
}
