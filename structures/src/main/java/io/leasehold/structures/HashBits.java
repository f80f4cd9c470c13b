package io.leasehold.structures;

/// How the 64 bits of a key's hash are spent.
///
/// ```
///  63            46 45            28 27          20 19                      0
/// +----------------+----------------+--------------+-------------------------+
/// |   second:18    |    first:18    |fingerprint:8 |      directory:20       |
/// +----------------+----------------+--------------+-------------------------+
/// ```
/// The directory takes its bits from the lowest up, as many as it is deep: two keys are split by the first bit in which they
/// differ.
final class HashBits {
    static final int FINGERPRINT_SHIFT = 20;
    static final int FIRST_SHIFT = 28;
    static final int SECOND_SHIFT = 46;
    /// The greatest depth of a directory.
    static final int DEPTH_MAX = 20;
    /// The width of each bucket choice.
    static final int CHOICE_BITS = 18;

    private static final int CHOICE_MASK = (1 << CHOICE_BITS) - 1;

    private HashBits() {
    }

    /// The lowest `depth` bits.
    static long suffix(long hash, int depth) {
        return hash & (1L << depth) - 1;
    }

    static int fingerprint(long hash) {
        return (int) (hash >>> FINGERPRINT_SHIFT) & 0xFF;
    }

    static int first(long hash) {
        return (int) (hash >>> FIRST_SHIFT) & CHOICE_MASK;
    }

    static int second(long hash) {
        return (int) (hash >>> SECOND_SHIFT);
    }
}
