package io.leasehold.structures;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/// Where the words of a segment are, and how one points to a segment.
///
/// A segment, in lines of 64 bytes:
/// ```
///   0  enq     the next ticket to put; counts on when all slots are given out
///  64  deq     tag:32 | the next ticket to take:32; counts on likewise, and may run ahead of enq
/// 128  next    pointer to the next segment, 0 if this is the last | serial
/// 192  slot[0] | slot[1] | ... | slot[slots - 1]     8 bytes each, see QueueSlot
/// ```
/// The tag of `deq` says whose CAS it was that changed it last: whoever lost the answer to its CAS finds its own there, unless
/// others have taken tickets since. 0 is nobody's; a fetch-and-add leaves the tag as it is.
///
/// A segment pointer:
/// ```
///  63                  32 31                   0
/// +----------------------+----------------------+
/// |        serial        |        block         |
/// +----------------------+----------------------+
/// ```
/// `block` is the segment's offset in its node in units of 64 bytes: a queue lies on one node. `serial` counts the segments of
/// the queue; it tells which of two segments is older, makes a late CAS on `first`, `head` or `tail` fail whatever became of the
/// memory, and is checked against the segment's own.
///
/// @param node the address bits of the node
/// @param slots the number of slots
record SegmentLayout(long node, int slots) {
    static final int ENQ_AT = 0;
    static final int DEQ_AT = 64;
    static final int NEXT_AT = 128;
    static final int SERIAL_AT = 136;
    static final int SLOTS_AT = 192;

    private static final int TAG_SHIFT = 32;
    private static final long TICKETS_MASK = (1L << TAG_SHIFT) - 1;
    private static final long OFFSET_MASK = (1L << 38) - 1;
    private static final long BLOCK_MASK = 0xFFFF_FFFFL;
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.nativeOrder());

    static SegmentLayout at(long root, int slots) {
        return new SegmentLayout(root & ~OFFSET_MASK, slots);
    }

    int bytes() {
        return (SLOTS_AT + slots * Long.BYTES + Memory.GRANULE - 1) / Memory.GRANULE * Memory.GRANULE;
    }

    /// How many tickets a word of `deq` says have been given to consumers.
    static long tickets(long deq) {
        return deq & TICKETS_MASK;
    }

    /// Whose CAS it was that a word of `deq` comes from.
    static int tag(long deq) {
        return (int) (deq >>> TAG_SHIFT);
    }

    /// A word of `deq`.
    static long deqWord(int tag, long tickets) {
        return (long) tag << TAG_SHIFT | tickets;
    }

    /// The address of the block whose number in the node is `block`.
    long addressOfBlock(long block) {
        return node | block << 6;
    }

    /// The number in its node of the block at `address`.
    long blockAt(long address) {
        return (address & OFFSET_MASK) >>> 6;
    }

    long pointer(long serial, long address) {
        return serial << 32 | blockAt(address);
    }

    long address(long pointer) {
        return addressOfBlock(pointer & BLOCK_MASK);
    }

    /// The serial number in `pointer`, modulo 2^32.
    static long serial(long pointer) {
        return pointer >>> 32;
    }

    /// How many segments `later` is behind `earlier`; negative if it is before.
    static int distance(long earlier, long later) {
        return (int) (serial(later) - serial(earlier));
    }

    /// How many tickets lie from the first to the second, each given by its segment and number there.
    long between(long fromSegment, long from, long toSegment, long to) {
        return (long) distance(fromSegment, toSegment) * slots + (Math.min(to, slots) - Math.min(from, slots));
    }

    long enq(long pointer) {
        return address(pointer) + ENQ_AT;
    }

    long deq(long pointer) {
        return address(pointer) + DEQ_AT;
    }

    long next(long pointer) {
        return address(pointer) + NEXT_AT;
    }

    long slot(long pointer, long ticket) {
        if (ticket < 0 || ticket >= slots) {
            throw new IndexOutOfBoundsException("ticket " + ticket + " of a segment with " + slots + " slots");
        }
        return address(pointer) + SLOTS_AT + ticket * Long.BYTES;
    }

    /// The image of a segment whose first slots hold `words`.
    MemorySegment image(long serial, long... words) {
        MemorySegment image = MemorySegment.ofArray(new long[bytes() / Long.BYTES]);
        image.set(LONG, ENQ_AT, words.length);
        image.set(LONG, SERIAL_AT, serial & BLOCK_MASK);
        for (int i = 0; i < words.length; i++) {
            image.set(LONG, SLOTS_AT + (long) i * Long.BYTES, words[i]);
        }
        return image;
    }

    /// The word at `index` of what a READ brought.
    static long word(MemorySegment data, int index) {
        return data.get(LONG, (long) index * Long.BYTES);
    }
}
