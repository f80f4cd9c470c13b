package io.leasehold.structures;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.zip.CRC32C;

/// Turns elements into the blocks that a queue stores them in, and back.
///
/// ```
///  0  format:8 | 0:24 | codec:32
///  8  length:32 | crc32c of the encoding:32
/// 16  the element's encoding
/// ```
/// A block is written before a slot refers to it and not changed until it is recycled. The checksum is no part of the algorithm:
/// it finds memory that somebody else has written.
///
/// @param <E> the elements
final class ElementBlocks<E> {
    static final int FORMAT_AT = 0;
    static final int CODEC_AT = 4;
    static final int LENGTH_AT = 8;
    static final int CHECKSUM_AT = 12;
    static final int PAYLOAD_AT = 16;
    static final byte FORMAT = 1;
    /// The longest encoding of an element.
    static final int ENCODED_BYTES_MAX = 1 << 20;

    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final Codec<E> codec;
    private final int codecId;

    ElementBlocks(Codec<E> codec, int codecId) {
        this.codec = codec;
        this.codecId = codecId;
    }

    /// The image of the block of `element`, a multiple of 64 bytes long.
    ///
    /// @throws IllegalArgumentException if the encoding is longer than [#ENCODED_BYTES_MAX]
    MemorySegment encode(E element) {
        int length = codec.encodedBytes(element);
        if (length < 0 || length > ENCODED_BYTES_MAX) {
            throw new IllegalArgumentException("codec '" + codec.name() + "' encodes the element in " + length
                    + " bytes, a queue takes 0 to " + ENCODED_BYTES_MAX);
        }
        int bytes = (PAYLOAD_AT + length + Memory.GRANULE - 1) / Memory.GRANULE * Memory.GRANULE;
        MemorySegment block = MemorySegment.ofArray(new byte[bytes]);
        MemorySegment payload = block.asSlice(PAYLOAD_AT, length);
        codec.encode(element, payload);
        block.set(ValueLayout.JAVA_BYTE, FORMAT_AT, FORMAT);
        block.set(INT, CODEC_AT, codecId);
        block.set(INT, LENGTH_AT, length);
        block.set(INT, CHECKSUM_AT, checksum(payload));
        return block;
    }

    /// The element in `block`.
    ///
    /// @throws IllegalStateException if the block is not what [#encode] made
    E decode(MemorySegment block) {
        byte format = block.get(ValueLayout.JAVA_BYTE, FORMAT_AT);
        int codecFound = block.get(INT, CODEC_AT);
        int length = block.get(INT, LENGTH_AT);
        if (format != FORMAT || codecFound != codecId || length < 0 || length > block.byteSize() - PAYLOAD_AT) {
            throw new IllegalStateException("element block is damaged: format " + format + ", codec 0x"
                    + Integer.toHexString(codecFound) + ", length " + length + " in a block of " + block.byteSize()
                    + " bytes; expected format " + FORMAT + " and codec 0x" + Integer.toHexString(codecId) + " ('" + codec.name()
                    + "')");
        }
        MemorySegment payload = block.asSlice(PAYLOAD_AT, length).asReadOnly();
        int checksum = checksum(payload);
        if (checksum != block.get(INT, CHECKSUM_AT)) {
            throw new IllegalStateException("element block is damaged: checksum 0x" + Integer.toHexString(checksum) + " of "
                    + length + " bytes, stored 0x" + Integer.toHexString(block.get(INT, CHECKSUM_AT)));
        }
        return codec.decode(payload);
    }

    private static int checksum(MemorySegment payload) {
        CRC32C crc = new CRC32C();
        crc.update(payload.asByteBuffer());
        return (int) crc.getValue();
    }
}
