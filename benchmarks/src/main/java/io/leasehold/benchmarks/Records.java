package io.leasehold.benchmarks;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/// Keys and values: entry number i has one key, and values that tell whose they are.
final class Records {
    static final int KEY_BYTES = 16;
    private static final VarHandle LONG = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);
    private static final byte[] DIGITS = "0123456789abcdef".getBytes(StandardCharsets.US_ASCII);

    private final byte[] pattern;

    /// @param valueBytes length of each value
    Records(int valueBytes) {
        pattern = new byte[valueBytes];
        for (int i = 0; i < valueBytes; i++) {
            pattern[i] = (byte) ('a' + i % 26);
        }
    }

    /// The key of an entry: 16 printable characters, all different, in no order.
    static byte[] key(long entry) {
        byte[] key = new byte[KEY_BYTES];
        long rest = scatter(entry);
        for (int i = 0; i < KEY_BYTES; i++) {
            key[i] = DIGITS[(int) rest & 15];
            rest >>>= 4;
        }
        return key;
    }

    /// What stands for a key of a map in a store that has no maps: as long as the key, and for no other map the same but by a
    /// chance of one in 2^64.
    static byte[] qualified(byte[] map, byte[] key) {
        byte[] qualified = new byte[KEY_BYTES];
        for (int i = 0; i < KEY_BYTES; i++) {
            int digit = key[i] <= '9' ? key[i] - '0' : key[i] - 'a' + 10;
            qualified[i] = DIGITS[digit + map[i % map.length] & 15];
        }
        return qualified;
    }

    /// A new value for an entry.
    byte[] value(long entry) {
        byte[] value = pattern.clone();
        LONG.set(value, 0, scatter(entry));
        return value;
    }

    /// @throws IllegalStateException if `value` is not one of this entry
    void check(long entry, byte @org.jspecify.annotations.Nullable [] value) {
        if (value == null || value.length != pattern.length || (long) LONG.get(value, 0) != scatter(entry)) {
            throw new IllegalStateException("entry " + entry + " has "
                    + (value == null ? "no value" : "a value of " + value.length + " bytes that is not its own"));
        }
    }

    /// A bijection of the numbers of 64 bits that leaves no order: the finalizer of SplitMix64.
    private static long scatter(long number) {
        long mixed = number + 0x9E3779B97F4A7C15L;
        mixed = (mixed ^ mixed >>> 30) * 0xBF58476D1CE4E5B9L;
        mixed = (mixed ^ mixed >>> 27) * 0x94D049BB133111EBL;
        return mixed ^ mixed >>> 31;
    }
}
