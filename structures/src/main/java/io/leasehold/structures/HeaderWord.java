package io.leasehold.structures;

/// The first word of a bucket: which keys live in its subtable, or that they have moved. Changed only by whoever holds the
/// subtable exclusively, and only once, from live to moved (split) or joined (merged).
///
/// ```
///  63    56 55    48 47    42 41                                            0
/// +--------+--------+--------+-----------------------------------------------+
/// | LIVE:8 | depth:8|    0   |                  suffix:42                    |
/// +--------+--------+--------+-----------------------------------------------+
/// | MOVED:8| depth:8|    0   |               children:42                     |
/// +--------+--------+--------+-----------------------------------------------+
/// |JOINED:8| depth:8|    0   |               subtable:42                     |
/// +--------+--------+--------+-----------------------------------------------+
/// ```
/// A subtable of local depth `d` holds the keys whose hashes end in the `d` bits `suffix`. After a split its keys are in two
/// subtables of depth `d + 1`, which are one block, so that one block number, `children`, names both: first the one whose keys
/// have 0 in bit `d`. After a merge its keys are in one subtable, `subtable`, of depth `d - 1`, with those of its sibling; or of
/// depth `d`, alone, if the merge did not come about. The depth of a joined header is that of the new subtable.
final class HeaderWord {
    static final int KIND_SHIFT = 56;
    static final int DEPTH_SHIFT = 48;
    static final int LIVE = 'L';
    static final int MOVED = 'M';
    static final int JOINED = 'J';

    private static final long PAYLOAD_MASK = (1L << 42) - 1;

    private HeaderWord() {
    }

    static long live(int depth, long suffix) {
        return (long) LIVE << KIND_SHIFT | (long) depth << DEPTH_SHIFT | suffix;
    }

    /// @param depth of the subtable that was split
    static long moved(int depth, long childrenAddress) {
        return (long) MOVED << KIND_SHIFT | (long) depth << DEPTH_SHIFT | childrenAddress / Memory.GRANULE;
    }

    /// @param depth of the subtable at `address`, which has the keys
    static long joined(int depth, long address) {
        return (long) JOINED << KIND_SHIFT | (long) depth << DEPTH_SHIFT | address / Memory.GRANULE;
    }

    static boolean isLive(long header) {
        return header >>> KIND_SHIFT == LIVE;
    }

    /// Whether the keys are elsewhere, by a split or a merge.
    static boolean isMoved(long header) {
        return header >>> KIND_SHIFT == MOVED || isJoined(header);
    }

    static boolean isJoined(long header) {
        return header >>> KIND_SHIFT == JOINED;
    }

    static int depth(long header) {
        return (int) (header >>> DEPTH_SHIFT) & 0xFF;
    }

    static long suffix(long header) {
        return header & PAYLOAD_MASK;
    }

    /// The address of the subtable to which keys with `hash` have moved.
    static long next(long header, long hash, int subtableBytes) {
        long address = (header & PAYLOAD_MASK) * Memory.GRANULE;
        return isJoined(header) ? address : address + (hash >>> depth(header) & 1) * subtableBytes;
    }

    /// The depth of the subtables to which keys have moved.
    static int nextDepth(long header) {
        return isJoined(header) ? depth(header) : depth(header) + 1;
    }

    /// Whether keys with `hash` belong into the subtable of the live `header`.
    static boolean admits(long header, long hash) {
        return suffix(header) == HashBits.suffix(hash, depth(header));
    }
}
