package io.leasehold.rdma.internal.verbs;

/// What goes out as the `wr_id` of a request, and leads its completion back: libibverbs says little of a request that failed, and
/// nothing of the unsignalled ones before it.
///
/// ```
///  63  62           43 42          20 19          0
/// +---+---------------+--------------+-------------+
/// | R |     slot      |  generation  |  position   |
/// +---+---------------+--------------+-------------+
/// ```
///
/// *R*: of the receive queue. *slot*: of the queue pair in the device's table. *generation*: of the queue pair's life; a
/// completion of a life that has ended is dropped. *position*: of the request in its queue, counted from 0 and cut to 20 bits.
final class RequestTag {
    static final int POSITION_BITS = 20;
    static final int GENERATION_BITS = 23;
    static final int SLOT_BITS = 20;
    private static final long RECEIVE = 1L << 63;

    private RequestTag() {
    }

    /// The tag of position 0.
    static long base(boolean receive, int slot, int generation) {
        return (receive ? RECEIVE : 0) | (long) slot << POSITION_BITS + GENERATION_BITS
                | (generation & (1L << GENERATION_BITS) - 1) << POSITION_BITS;
    }

    static long at(long base, long position) {
        return base | position & (1L << POSITION_BITS) - 1;
    }

    static boolean isReceive(long tag) {
        return tag < 0;
    }

    static int slot(long tag) {
        return (int) (tag >>> POSITION_BITS + GENERATION_BITS) & (1 << SLOT_BITS) - 1;
    }

    /// Whether both are of one queue of one life of a queue pair.
    static boolean sameQueue(long tag, long base) {
        return (tag ^ base) >>> POSITION_BITS == 0;
    }

    /// How far the position is from another, which is less than 2^19 away.
    static int distance(long tag, long from) {
        int bits = Integer.SIZE - POSITION_BITS;
        return (int) (tag - from) << bits >> bits;
    }

    /// The position, which is less than 2^20 beyond `oldest`.
    static long position(long tag, long oldest) {
        return oldest + (tag - oldest & (1L << POSITION_BITS) - 1);
    }
}
