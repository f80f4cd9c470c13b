package io.leasehold.structures;

import io.leasehold.lease.HeapKind;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.time.Duration;

/// The root of a map: what it is, how many entries it has, and the directory of its subtables.
///
/// ```
/// byte      0                8                16               20
///          +----------------+----------------+----------------+----------------+
///        0 | magic          | hash seed      | groups:4       | max depth:4    |
///       64 | length:4 | name of the key codec                                  |
///      128 | length:4 | name of the value codec                                |
///      192 | cursor         | due            | unused                          |
///      256 | 16 counters, 64 bytes apart          (fetch-and-add only)         |
///     1280 | depth of the directory                                            |
///     1344 | entries: depth:8 | 0:14 | block:42,  8 bytes × 2^max depth         |
///          +-------------------------------------------------------------------+
/// ```
/// Cursor and due time are the [Janitor]'s. Everything but the counters is written under an exclusive right and read by all.
/// The magic is written last: a root that was
/// not finished is made again from the start by whoever comes next. The seed is 32 bits wide.
///
/// @param address of the root
/// @param seed of the hash
/// @param shape of the subtables
/// @param maxDepth of the directory
record MapRoot(long address, int seed, SubtableShape shape, int maxDepth) {
    /// "LHMAP", and the format in the lowest byte. Another format is refused. Format 2: subtables may be merged, entries expire.
    static final long MAGIC = 0x4C48_4D41_5000_0002L;
    static final int KEY_CODEC_OFFSET = 64;
    static final int VALUE_CODEC_OFFSET = 128;
    static final int JANITOR_OFFSET = 192;
    static final int JANITOR_BYTES = 64;
    static final int COUNTERS_OFFSET = 256;
    static final int COUNTERS = 16;
    static final int COUNTER_BYTES = 64;
    static final int DEPTH_OFFSET = COUNTERS_OFFSET + COUNTERS * COUNTER_BYTES;
    static final int ENTRIES_OFFSET = DEPTH_OFFSET + 64;
    static final int CODEC_NAME_BYTES_MAX = 60;

    private static final int HEADER_BYTES = COUNTERS_OFFSET;
    private static final int SEED_OFFSET = 8;
    private static final int SHAPE_OFFSET = 16;
    private static final int MAX_DEPTH_OFFSET = 20;
    private static final int ENTRY_DEPTH_SHIFT = 56;
    private static final long BLOCK_MASK = (1L << 42) - 1;
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    /// The length of a root whose directory can be `maxDepth` deep.
    static long bytes(int maxDepth) {
        return ENTRIES_OFFSET + ((long) Long.BYTES << maxDepth);
    }

    /// Opens the map in `memory`, making it first if there is none.
    ///
    /// @throws IllegalArgumentException if it has other codecs, or is no map
    static MapRoot open(Memory memory, MapOptions options, String keyCodec, String valueCodec) {
        checkName(keyCodec);
        checkName(valueCodec);
        Deadline deadline = new Deadline(memory.clock(), "opening of a map", options.timeout());
        try (Access access = memory.access()) {
            if (magic(memory, access, deadline) == 0) {
                create(memory, options, keyCodec, valueCodec, deadline);
            }
            // Read after the magic, which is written after all that is read here.
            MemorySegment header = header(memory, access, deadline);
            if (header.get(LONG, 0) != MAGIC) {
                throw new IllegalArgumentException("there is no map of this format here: its first word is 0x"
                        + Long.toHexString(header.get(LONG, 0)) + ", not 0x" + Long.toHexString(MAGIC));
            }
            checkCodec("keys", name(header, KEY_CODEC_OFFSET), keyCodec);
            checkCodec("values", name(header, VALUE_CODEC_OFFSET), valueCodec);
            return new MapRoot(memory.root(), header.get(INT, SEED_OFFSET), new SubtableShape(header.get(INT, SHAPE_OFFSET)),
                    header.get(INT, MAX_DEPTH_OFFSET));
        }
    }

    long counterAddress(int counter) {
        return address + COUNTERS_OFFSET + (long) counter * COUNTER_BYTES;
    }

    /// The address of the janitor's words, of which the first is its cursor: the suffix to go on with, bits reversed.
    long janitorAddress() {
        return address + JANITOR_OFFSET;
    }

    /// The address of the instant before which no round is due.
    long janitorDueAddress() {
        return janitorAddress() + Long.BYTES;
    }

    long depthAddress() {
        return address + DEPTH_OFFSET;
    }

    long entryAddress(long index) {
        return address + ENTRIES_OFFSET + index * Long.BYTES;
    }

    /// The bytes from the depth to the end of the directory, which are written together.
    long directoryBytes() {
        return bytes(maxDepth) - DEPTH_OFFSET;
    }

    static long entry(int depth, long subtable) {
        return (long) depth << ENTRY_DEPTH_SHIFT | subtable / Memory.GRANULE;
    }

    static int entryDepth(long entry) {
        return (int) (entry >>> ENTRY_DEPTH_SHIFT);
    }

    static long entrySubtable(long entry) {
        return (entry & BLOCK_MASK) * Memory.GRANULE;
    }

    private static void create(Memory memory, MapOptions options, String keyCodec, String valueCodec, Deadline deadline) {
        long bytes = bytes(options.maxDepth());
        if (memory.rootBytes() < bytes) {
            throw new IllegalArgumentException("a directory of depth " + options.maxDepth() + " takes a root of " + bytes
                    + " bytes, this one has " + memory.rootBytes());
        }
        SubtableShape shape = new SubtableShape(options.groupsPerSubtable());
        while (true) {
            try (Exclusive exclusive = memory.exclusive(memory.root(), bytes, deadline.remaining());
                    Access access = memory.access()) {
                if (magic(memory, access, deadline) != 0) {
                    return;
                }
                long subtable = firstSubtable(memory, access, shape);
                MemorySegment header = Arena.ofAuto().allocate(HEADER_BYTES, Long.BYTES);
                header.set(INT, SEED_OFFSET, memory.random().nextInt());
                header.set(INT, SHAPE_OFFSET, shape.groups());
                header.set(INT, MAX_DEPTH_OFFSET, options.maxDepth());
                putName(header, KEY_CODEC_OFFSET, keyCodec);
                putName(header, VALUE_CODEC_OFFSET, valueCodec);
                exclusive.write(memory.root(), header);
                exclusive.writeWord(memory.root() + DEPTH_OFFSET, 0);
                exclusive.writeWord(memory.root() + ENTRIES_OFFSET, entry(0, subtable));
                exclusive.writeWord(memory.root(), MAGIC);
                return;
            } catch (StaleAccess e) {
                // Whoever was faster has made the map, or it is made again from the start.
                deadline.retry("create", e);
            }
        }
    }

    private static long firstSubtable(Memory memory, Access access, SubtableShape shape) {
        long address = memory.allocate(HeapKind.INDEX, shape.bytes());
        MemorySegment image = Arena.ofAuto().allocate(shape.bytes(), Long.BYTES);
        for (int i = 0; i < shape.words(); i += SubtableShape.BUCKET_WORDS) {
            image.setAtIndex(LONG, i, HeaderWord.live(0, 0));
        }
        access.next();
        access.write(HeapKind.INDEX, address, image);
        access.execute();
        return address;
    }

    private static long magic(Memory memory, Access access, Deadline deadline) {
        return header(memory, access, deadline).get(LONG, 0);
    }

    private static MemorySegment header(Memory memory, Access access, Deadline deadline) {
        while (true) {
            try {
                access.next();
                int position = access.read(HeapKind.INDEX, memory.root(), HEADER_BYTES);
                access.execute();
                return access.data(position);
            } catch (StaleAccess e) {
                access.restart();
                deadline.retry("read the root", e);
            }
        }
    }

    private static void checkName(String codec) {
        int bytes = codec.getBytes(StandardCharsets.UTF_8).length;
        if (bytes < 1 || bytes > CODEC_NAME_BYTES_MAX) {
            throw new IllegalArgumentException(
                    "codec name '" + codec + "' has " + bytes + " bytes of UTF-8, not 1 to " + CODEC_NAME_BYTES_MAX);
        }
    }

    private static void checkCodec(String what, String stored, String asked) {
        if (!stored.equals(asked)) {
            throw new IllegalArgumentException(
                    "the map's " + what + " are stored with codec '" + stored + "'; it cannot be opened with codec '" + asked
                            + "'");
        }
    }

    private static void putName(MemorySegment header, int offset, String codec) {
        byte[] bytes = codec.getBytes(StandardCharsets.UTF_8);
        header.set(INT, offset, bytes.length);
        MemorySegment.copy(bytes, 0, header, ValueLayout.JAVA_BYTE, offset + Integer.BYTES, bytes.length);
    }

    private static String name(MemorySegment header, int offset) {
        int length = header.get(INT, offset);
        if (length < 1 || length > CODEC_NAME_BYTES_MAX) {
            throw new IllegalArgumentException("the map's root is damaged: a codec name of " + length + " bytes");
        }
        return new String(header.asSlice(offset + Integer.BYTES, length).toArray(ValueLayout.JAVA_BYTE), StandardCharsets.UTF_8);
    }
}
