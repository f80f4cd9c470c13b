package io.leasehold.lease;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.CharBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;

/// A cursor that writes little-endian fields one after the other.
///
/// What does not fit, or is longer than the protocol allows, is a fault of the caller: an [IllegalArgumentException].
final class MessageWriter {
    static final ValueLayout.OfShort U16 = ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    static final ValueLayout.OfInt U32 = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    static final ValueLayout.OfLong U64 = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final MemorySegment into;
    private long position;

    MessageWriter(MemorySegment into, long position) {
        this.into = into;
        this.position = position;
    }

    int position() {
        return (int) position;
    }

    MessageWriter u8(int value) {
        into.set(JAVA_BYTE, advance(1), (byte) value);
        return this;
    }

    MessageWriter u16(int value) {
        into.set(U16, advance(2), (short) value);
        return this;
    }

    MessageWriter u32(int value) {
        into.set(U32, advance(4), value);
        return this;
    }

    MessageWriter u64(long value) {
        into.set(U64, advance(8), value);
        return this;
    }

    MessageWriter bool(boolean value) {
        return u8(value ? 1 : 0);
    }

    /// The number of elements that follow.
    MessageWriter count(int elements, int max, String what) {
        if (elements > max) {
            throw new IllegalArgumentException(elements + " " + what + " in one message, at most " + max);
        }
        return u16(elements);
    }

    /// Text of up to `maxBytes` bytes of UTF-8, after their number.
    MessageWriter text(String value, int maxBytes) {
        ByteBuffer utf8;
        try {
            utf8 = StandardCharsets.UTF_8.newEncoder().encode(CharBuffer.wrap(value));
        } catch (CharacterCodingException e) {
            throw new IllegalArgumentException("text has half a surrogate pair", e);
        }
        int length = utf8.remaining();
        if (length > maxBytes) {
            throw new IllegalArgumentException("text of " + length + " bytes of UTF-8, at most " + maxBytes);
        }
        u16(length);
        MemorySegment.copy(MemorySegment.ofBuffer(utf8), 0, into, advance(length), length);
        return this;
    }

    private long advance(int bytes) {
        long at = position;
        if (bytes > into.byteSize() - at) {
            throw new IllegalArgumentException("message is longer than " + into.byteSize() + " bytes");
        }
        position = at + bytes;
        return at;
    }
}
