package io.leasehold.structures;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.zip.CRC32C;

/// The block of an entry: written once, before a slot refers to it, and never changed while one does.
///
/// ```
/// byte  0        1        2                 4                 6
///      +--------+--------+-----------------+-----------------+-----------------+
///    0 | format |   0    |   key codec     |   value codec   |        0        |
///      +--------+--------+-----------------+-----------------+-----------------+
///    8 |            key length             |           value length            |
///      +-----------------------------------+-----------------------------------+
///   16 |                            hash of the key                            |
///      +-----------------------------------------------------------------------+
///   24 |                 expiry: nanoseconds, 0 = never                        |
///      +-----------------------------------+-----------------------------------+
///   32 |         check of the value        |     check of bytes 0-35 and key   |
///      +-----------------------------------+-----------------------------------+
///   40 | key, then value                                                       |
/// ```
/// Little-endian. *Expiry* is an instant of the node's clock. Format 1 had none, so its readers must not see a block that expires:
/// this is format 2, and others are refused. A *check* is a CRC32C. There are two, so that whoever needs the key only (a blind
/// update, an insertion looking for rivals) reads no value. Quarantine is what makes a read of a block right; the checks would
/// show that it failed.
final class KeyValueBlock {
    static final int FORMAT = 2;
    static final int HEADER_BYTES = 40;
    static final int KEY_BYTES_MAX = 1 << 16;
    static final int VALUE_BYTES_MAX = 1 << 20;

    static final int HASH_OFFSET = 16;
    private static final int KEY_CODEC_OFFSET = 2;
    private static final int VALUE_CODEC_OFFSET = 4;
    private static final int KEY_LENGTH_OFFSET = 8;
    private static final int VALUE_LENGTH_OFFSET = 12;
    private static final int EXPIRY_OFFSET = 24;
    private static final int VALUE_CHECK_OFFSET = 32;
    private static final int KEY_CHECK_OFFSET = 36;

    private static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private KeyValueBlock() {
    }

    static int bytes(int keyBytes, int valueBytes) {
        return HEADER_BYTES + keyBytes + valueBytes;
    }

    /// Fills in the header of a block whose key and value are in place.
    static void seal(MemorySegment block, short keyCodec, short valueCodec, int keyBytes, int valueBytes, long hash,
            long expiry) {
        block.asSlice(0, HEADER_BYTES).fill((byte) 0);
        block.set(ValueLayout.JAVA_BYTE, 0, (byte) FORMAT);
        block.set(SHORT, KEY_CODEC_OFFSET, keyCodec);
        block.set(SHORT, VALUE_CODEC_OFFSET, valueCodec);
        block.set(INT, KEY_LENGTH_OFFSET, keyBytes);
        block.set(INT, VALUE_LENGTH_OFFSET, valueBytes);
        block.set(LONG, HASH_OFFSET, hash);
        block.set(LONG, EXPIRY_OFFSET, expiry);
        block.set(INT, VALUE_CHECK_OFFSET, valueCheck(block, keyBytes, valueBytes));
        block.set(INT, KEY_CHECK_OFFSET, keyCheck(block, keyBytes));
    }

    static long hash(MemorySegment block) {
        return block.get(LONG, HASH_OFFSET);
    }

    static int keyBytes(MemorySegment block) {
        return block.get(INT, KEY_LENGTH_OFFSET);
    }

    static int valueBytes(MemorySegment block) {
        return block.get(INT, VALUE_LENGTH_OFFSET);
    }

    static short keyCodec(MemorySegment block) {
        return block.get(SHORT, KEY_CODEC_OFFSET);
    }

    static short valueCodec(MemorySegment block) {
        return block.get(SHORT, VALUE_CODEC_OFFSET);
    }

    static long expiry(MemorySegment block) {
        return block.get(LONG, EXPIRY_OFFSET);
    }

    static MemorySegment key(MemorySegment block) {
        return block.asSlice(HEADER_BYTES, keyBytes(block));
    }

    static MemorySegment value(MemorySegment block) {
        return block.asSlice(HEADER_BYTES + keyBytes(block), valueBytes(block));
    }

    /// Whether these may be the first bytes of a block; a header alone cannot be checked.
    static boolean isHeader(MemorySegment header) {
        int key = keyBytes(header);
        int value = valueBytes(header);
        return header.get(ValueLayout.JAVA_BYTE, 0) == FORMAT && key >= 0 && key <= KEY_BYTES_MAX && value >= 0
                && value <= VALUE_BYTES_MAX;
    }

    /// Whether the header's lengths are possible and what `block` holds reaches to the end of the key.
    static boolean holdsKey(MemorySegment block) {
        int key = keyBytes(block);
        int value = valueBytes(block);
        return key >= 0 && key <= KEY_BYTES_MAX && value >= 0 && value <= VALUE_BYTES_MAX
                && HEADER_BYTES + key <= block.byteSize();
    }

    /// Whether [#holdsKey(MemorySegment)], and header and key are as they were sealed.
    static boolean isKeyIntact(MemorySegment block) {
        return block.get(ValueLayout.JAVA_BYTE, 0) == FORMAT && holdsKey(block)
                && block.get(INT, KEY_CHECK_OFFSET) == keyCheck(block, keyBytes(block));
    }

    /// Whether the value of a block whose key is intact is as it was sealed.
    static boolean isValueIntact(MemorySegment block) {
        int key = keyBytes(block);
        int value = valueBytes(block);
        return bytes(key, value) <= block.byteSize() && block.get(INT, VALUE_CHECK_OFFSET) == valueCheck(block, key, value);
    }

    /// Whether `block`, whose key is intact, holds the key in `[HEADER_BYTES, HEADER_BYTES + keyBytes)` of `image`.
    static boolean hasKey(MemorySegment block, MemorySegment image, int keyBytes, long hash) {
        return hash(block) == hash && keyBytes(block) == keyBytes && MemorySegment.mismatch(block, HEADER_BYTES,
                HEADER_BYTES + keyBytes, image, HEADER_BYTES, HEADER_BYTES + keyBytes) < 0;
    }

    /// The id of a codec in the header: 16 bits of its name's hash. The names themselves are compared when the map is opened.
    static short codecId(String name) {
        int hash = name.hashCode();
        return (short) (hash ^ hash >>> 16);
    }

    private static int keyCheck(MemorySegment block, int keyBytes) {
        ByteBuffer bytes = block.asByteBuffer();
        CRC32C check = new CRC32C();
        check.update(bytes.limit(KEY_CHECK_OFFSET));
        check.update(bytes.limit(HEADER_BYTES + keyBytes).position(HEADER_BYTES));
        return (int) check.getValue();
    }

    private static int valueCheck(MemorySegment block, int keyBytes, int valueBytes) {
        CRC32C check = new CRC32C();
        check.update(block.asByteBuffer().limit(bytes(keyBytes, valueBytes)).position(HEADER_BYTES + keyBytes));
        return (int) check.getValue();
    }
}
