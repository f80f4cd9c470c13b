package io.leasehold.rdma.internal.soft;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;

/// The memory of the process as a NIC sees it: addresses without owners. Every caller has checked a key first.
///
/// Copies move each aligned 8-byte word in one piece. Fences make a copy that was finished before a request visible to whoever
/// sees that request's effect.
final class NativeMemory {
    /// All of it. A constant, so that the compiler folds its bounds and its (everlasting) scope away.
    private static final MemorySegment ALL = all();
    private static final VarHandle WORD = ValueLayout.JAVA_LONG.varHandle();
    private static final VarHandle HALF_WORD = ValueLayout.JAVA_INT.varHandle();
    private static final int WORD_BYTES = Long.BYTES;
    private static final int IN_WORD = WORD_BYTES - 1;

    private NativeMemory() {
    }

    // Access by bare address is the purpose: the rights are those of regions and windows, not of Java's segments, whose scopes
    // may be confined to a thread that is none of the NIC's.
    @SuppressWarnings("restricted")
    private static MemorySegment all() {
        return MemorySegment.NULL.reinterpret(Long.MAX_VALUE);
    }

    /// Copies, without tearing words that are aligned at the destination.
    static void write(long source, long destination, int length) {
        VarHandle.releaseFence();
        copy(source, destination, length, destination);
        VarHandle.releaseFence();
    }

    /// Copies, without tearing words that are aligned at the source.
    static void read(long source, long destination, int length) {
        VarHandle.acquireFence();
        copy(source, destination, length, source);
        VarHandle.acquireFence();
    }

    private static void copy(long source, long destination, int length, long aligned) {
        int head = Math.min(length, (int) -aligned & IN_WORD);
        if (head != 0) {
            copyHead(source, destination, head, aligned);
        }
        long from = source + head;
        long to = destination + head;
        int words = length - head & ~IN_WORD;
        if (((from | to) & IN_WORD) == 0) {
            // Both aligned and a whole number of words: the JVM copies no unit smaller than a word.
            MemorySegment.copy(ALL, from, ALL, to, words);
        } else {
            for (int at = 0; at < words; at += WORD_BYTES) {
                ALL.set(ValueLayout.JAVA_LONG_UNALIGNED, to + at, ALL.get(ValueLayout.JAVA_LONG_UNALIGNED, from + at));
            }
        }
        int rest = length - head & IN_WORD;
        if (rest != 0) {
            copyTail(from + words, to + words, rest);
        }
    }

    /// From an unaligned start, the smallest units first, so that each unit lies aligned.
    private static void copyHead(long source, long destination, int length, long aligned) {
        int at = 0;
        for (int unit = 1; unit < WORD_BYTES; unit <<= 1) {
            if ((aligned + at & unit) != 0 && at + unit <= length) {
                copyUnit(source + at, destination + at, unit);
                at += unit;
            }
        }
        // A range that ends inside the word leaves a rest that is aligned at a smaller unit.
        for (; at < length; at++) {
            copyUnit(source + at, destination + at, 1);
        }
    }

    private static void copyTail(long source, long destination, int length) {
        int at = 0;
        for (int unit = WORD_BYTES / 2; unit > 0; unit >>= 1) {
            if ((length & unit) != 0) {
                copyUnit(source + at, destination + at, unit);
                at += unit;
            }
        }
    }

    private static void copyUnit(long source, long destination, int unit) {
        switch (unit) {
            case 1 -> ALL.set(ValueLayout.JAVA_BYTE, destination, ALL.get(ValueLayout.JAVA_BYTE, source));
            case 2 -> ALL.set(ValueLayout.JAVA_SHORT_UNALIGNED, destination, ALL.get(ValueLayout.JAVA_SHORT_UNALIGNED, source));
            default -> ALL.set(ValueLayout.JAVA_INT_UNALIGNED, destination, ALL.get(ValueLayout.JAVA_INT_UNALIGNED, source));
        }
    }

    /// Copies in 8-byte words in the order of a random odd stride, yielding to other threads now and then: what hardware may do.
    static void tear(long source, long destination, int length, long aligned, long random) {
        int head = Math.min(length, (int) -aligned & IN_WORD);
        copyHead(source, destination, head, aligned);
        int words = (length - head) / WORD_BYTES;
        if (words > 0) {
            int start = (int) Long.remainderUnsigned(random, words);
            int stride = coprime((int) (random >>> 33) | 1, words);
            int yieldMask = (int) (random >>> 28) & 3;
            for (int i = 0; i < words; i++) {
                int at = head + (int) ((start + (long) i * stride) % words) * WORD_BYTES;
                ALL.set(ValueLayout.JAVA_LONG_UNALIGNED, destination + at,
                        ALL.get(ValueLayout.JAVA_LONG_UNALIGNED, source + at));
                VarHandle.fullFence();
                if ((i & 7) == yieldMask) {
                    Thread.yield();
                }
            }
        }
        int done = head + words * WORD_BYTES;
        copyTail(source + done, destination + done, length - done);
        VarHandle.fullFence();
    }

    /// The next number from `candidate` up that has no factor in common with `n`, so that its multiples visit all of `n`.
    private static int coprime(int candidate, int n) {
        for (int c = Math.floorMod(candidate, n); ; c++) {
            int a = c;
            int b = n;
            while (b != 0) {
                int rest = a % b;
                a = b;
                b = rest;
            }
            if (a == 1) {
                return c;
            }
        }
    }

    /// Replaces the aligned word if it is `expected`; answers what it was.
    static long compareAndSwap(long address, long expected, long desired) {
        return (long) WORD.compareAndExchange(ALL, address, expected, desired);
    }

    /// Adds to the aligned word; answers what it was.
    static long fetchAndAdd(long address, long addend) {
        return (long) WORD.getAndAdd(ALL, address, addend);
    }

    /// Stores the answer of an atomic at an address of any alignment.
    static void putLong(long address, long value) {
        ALL.set(ValueLayout.JAVA_LONG_UNALIGNED, address, value);
    }

    /// Loads from an address of any alignment.
    static long getLong(long address) {
        return ALL.get(ValueLayout.JAVA_LONG_UNALIGNED, address);
    }

    /// Loads from an aligned address, before whatever comes after.
    static long getLongAcquire(long address) {
        return (long) WORD.getAcquire(ALL, address);
    }

    /// Loads from an aligned address, exactly once.
    static long getLongOnce(long address) {
        return (long) WORD.getOpaque(ALL, address);
    }

    /// Stores to an aligned address, after whatever came before.
    static void putLongRelease(long address, long value) {
        WORD.setRelease(ALL, address, value);
    }

    /// Loads from an aligned address that others write to.
    static int getInt(long address) {
        return (int) HALF_WORD.getOpaque(ALL, address);
    }

    /// Stores to an aligned address that others read.
    static void putInt(long address, int value) {
        HALF_WORD.setOpaque(ALL, address, value);
    }

    /// Copies from a segment of any kind.
    static void copyIn(MemorySegment source, long offset, long destination, int length) {
        MemorySegment.copy(source, offset, ALL, destination, length);
    }
}
