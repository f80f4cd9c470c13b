package io.leasehold.rdma.internal.verbs;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// The memory of the process by bare address, in which libibverbs keeps its structures.
final class RawMemory {
    /// All of it. A constant, so that the compiler folds its bounds and its (everlasting) scope away.
    private static final MemorySegment ALL = all();

    private RawMemory() {
    }

    // The structures are the library's, whose life no segment of Java's knows.
    @SuppressWarnings("restricted")
    private static MemorySegment all() {
        return MemorySegment.NULL.reinterpret(Long.MAX_VALUE);
    }

    static byte getByte(long address) {
        return ALL.get(ValueLayout.JAVA_BYTE, address);
    }

    static short getShort(long address) {
        return ALL.get(ValueLayout.JAVA_SHORT_UNALIGNED, address);
    }

    static int getInt(long address) {
        return ALL.get(ValueLayout.JAVA_INT_UNALIGNED, address);
    }

    static long getLong(long address) {
        return ALL.get(ValueLayout.JAVA_LONG_UNALIGNED, address);
    }

    static void putByte(long address, int value) {
        ALL.set(ValueLayout.JAVA_BYTE, address, (byte) value);
    }

    static void putShort(long address, int value) {
        ALL.set(ValueLayout.JAVA_SHORT_UNALIGNED, address, (short) value);
    }

    static void putInt(long address, int value) {
        ALL.set(ValueLayout.JAVA_INT_UNALIGNED, address, value);
    }

    static void putLong(long address, long value) {
        ALL.set(ValueLayout.JAVA_LONG_UNALIGNED, address, value);
    }

    /// Zeroes `words` words of 8 bytes.
    static void zero(long address, int words) {
        for (int i = 0; i < words; i++) {
            ALL.set(ValueLayout.JAVA_LONG_UNALIGNED, address + 8L * i, 0L);
        }
    }

    /// Copies from a segment of any kind.
    static void copyIn(MemorySegment source, long offset, long destination, int length) {
        MemorySegment.copy(source, offset, ALL, destination, length);
    }

    static byte[] getBytes(long address, int length) {
        byte[] bytes = new byte[length];
        MemorySegment.copy(ALL, ValueLayout.JAVA_BYTE, address, bytes, 0, length);
        return bytes;
    }

    static void putBytes(long address, byte[] bytes) {
        MemorySegment.copy(bytes, 0, ALL, ValueLayout.JAVA_BYTE, address, bytes.length);
    }

    static String getString(long address) {
        return ALL.getString(address);
    }
}
