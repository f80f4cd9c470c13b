package io.leasehold.structures;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/// Where the writer of [Codec#of] puts the parts of a value; numbers are little-endian. For one thread.
public final class CodecOutput {
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private byte[] bytes = new byte[64];
    private MemorySegment segment = MemorySegment.ofArray(bytes);
    private int size;

    CodecOutput() {
    }

    /// Puts one byte.
    public CodecOutput putByte(byte value) {
        reserve(1);
        bytes[size++] = value;
        return this;
    }

    /// Puts one byte, 1 for `true`.
    public CodecOutput putBoolean(boolean value) {
        return putByte((byte) (value ? 1 : 0));
    }

    /// Puts 4 bytes.
    public CodecOutput putInt(int value) {
        reserve(Integer.BYTES);
        segment.set(INT, size, value);
        size += Integer.BYTES;
        return this;
    }

    /// Puts 8 bytes.
    public CodecOutput putLong(long value) {
        reserve(Long.BYTES);
        segment.set(LONG, size, value);
        size += Long.BYTES;
        return this;
    }

    /// Puts 8 bytes.
    public CodecOutput putDouble(double value) {
        return putLong(Double.doubleToRawLongBits(value));
    }

    /// Puts a length of 4 bytes, then the bytes.
    public CodecOutput putBytes(byte[] value) {
        putInt(value.length);
        reserve(value.length);
        System.arraycopy(value, 0, bytes, size, value.length);
        size += value.length;
        return this;
    }

    /// Puts a length of 4 bytes, then the string as UTF-8.
    public CodecOutput putString(String value) {
        return putBytes(value.getBytes(StandardCharsets.UTF_8));
    }

    int size() {
        return size;
    }

    void clear() {
        size = 0;
    }

    void copyTo(MemorySegment into) {
        MemorySegment.copy(segment, 0, into, 0, size);
    }

    private void reserve(int more) {
        if (size + more > bytes.length) {
            bytes = Arrays.copyOf(bytes, Math.max(bytes.length * 2, size + more));
            segment = MemorySegment.ofArray(bytes);
        }
    }
}
