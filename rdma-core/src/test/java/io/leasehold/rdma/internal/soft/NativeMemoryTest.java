package io.leasehold.rdma.internal.soft;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.SplittableRandom;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;

final class NativeMemoryTest {
    private static final int SIZE = 96;

    private interface Copy {
        void run(long source, long destination, int length);
    }

    @Test
    void copiesEveryAlignmentAndLengthExactly() {
        assertCopies(NativeMemory::read);
        assertCopies(NativeMemory::write);
    }

    @Test
    void tearsEveryAlignmentAndLengthWithoutLosingAByte() {
        var random = new SplittableRandom(1);
        assertCopies((source, destination, length) -> NativeMemory.tear(source, destination, length, source, random.nextLong()));
        assertCopies((source, destination, length) ->
                NativeMemory.tear(source, destination, length, destination, random.nextLong()));
    }

    private static void assertCopies(Copy copy) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment source = arena.allocate(SIZE, 8);
            MemorySegment destination = arena.allocate(SIZE, 8);
            for (int i = 0; i < SIZE; i++) {
                source.set(ValueLayout.JAVA_BYTE, i, (byte) (i + 1));
            }
            for (int from = 0; from < 9; from++) {
                for (int to = 0; to < 9; to++) {
                    for (int length = 0; length < 48; length++) {
                        destination.fill((byte) 0);
                        copy.run(source.address() + from, destination.address() + to, length);
                        assertThat(MemorySegment.mismatch(source, from, from + length, destination, to, to + length))
                                .isEqualTo(-1);
                        for (int i = 0; i < SIZE; i++) {
                            if (i < to || i >= to + length) {
                                assertThat(destination.get(ValueLayout.JAVA_BYTE, i)).isZero();
                            }
                        }
                    }
                }
            }
        }
    }

    /// A writer fills the words with numbers whose two halves agree; no copy may see halves of different numbers.
    @Test
    void alignedWordsNeverTear() throws InterruptedException {
        int words = 64;
        var stop = new AtomicBoolean();
        try (Arena arena = Arena.ofShared()) {
            MemorySegment shared = arena.allocate(words * 8L, 8);
            MemorySegment numbers = arena.allocate(words * 8L + 8, 8);
            Thread writer = Thread.ofPlatform().start(() -> {
                for (int n = 0; !stop.get(); n++) {
                    // From a misaligned source, every other time.
                    long source = numbers.address() + (n & 1) * 3;
                    for (int i = 0; i < words; i++) {
                        NativeMemory.putLong(source + i * 8L, n & 0xffff_ffffL | (long) n << 32);
                    }
                    NativeMemory.write(source, shared.address(), words * 8);
                }
            });
            MemorySegment seen = arena.allocate(words * 8L + 8, 8);
            for (int round = 0; round < 20_000; round++) {
                long to = seen.address() + (round & 1) * 5;
                NativeMemory.read(shared.address(), to, words * 8);
                for (int i = 0; i < words; i++) {
                    long word = NativeMemory.getLong(to + i * 8L);
                    assertThat((int) word).isEqualTo((int) (word >>> 32));
                }
            }
            stop.set(true);
            writer.join();
        }
    }
}
