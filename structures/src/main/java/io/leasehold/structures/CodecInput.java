package io.leasehold.structures;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/// Where the reader of [Codec#of] takes the parts of a value from, in the order in which they were put. For one thread.
///
/// Each method throws [IndexOutOfBoundsException] when the bytes are used up.
public final class CodecInput {
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final MemorySegment from;
    private long position;

    CodecInput(MemorySegment from) {
        this.from = from;
    }

    /// Takes one byte.
    public byte getByte() {
        return from.get(ValueLayout.JAVA_BYTE, position++);
    }

    /// Takes one byte; `true` if it is not 0.
    public boolean getBoolean() {
        return getByte() != 0;
    }

    /// Takes 4 bytes.
    public int getInt() {
        int value = from.get(INT, position);
        position += Integer.BYTES;
        return value;
    }

    /// Takes 8 bytes.
    public long getLong() {
        long value = from.get(LONG, position);
        position += Long.BYTES;
        return value;
    }

    /// Takes 8 bytes.
    public double getDouble() {
        return Double.longBitsToDouble(getLong());
    }

    /// Takes a length and that many bytes.
    public byte[] getBytes() {
        int length = getInt();
        byte[] value = from.asSlice(position, length).toArray(ValueLayout.JAVA_BYTE);
        position += length;
        return value;
    }

    /// Takes a length and a string of that many bytes of UTF-8.
    public String getString() {
        return new String(getBytes(), StandardCharsets.UTF_8);
    }

    /// The number of bytes left.
    public long remaining() {
        return from.byteSize() - position;
    }
}
