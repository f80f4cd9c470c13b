package io.leasehold.lease;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Random;
import net.jqwik.api.Example;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;

/// Free ranges against one bit for each place.
final class FreeRangesProperties {
    private static final int SPACE = 256;

    @Property(tries = 300)
    void takesTheShortestThatSuffices(@ForAll long seed) {
        Random random = new Random(seed);
        BitSet borders = new BitSet();
        for (int i = random.nextInt(4); i > 0; i--) {
            borders.set(random.nextInt(SPACE));
        }
        FreeRanges ranges = new FreeRanges(offset -> borders.get((int) offset));
        BitSet free = new BitSet();
        List<int[]> taken = new ArrayList<>();
        free.set(0, SPACE);
        runs(free, borders).forEach(run -> ranges.add(run[0], run[1]));
        for (int step = 0; step < 100; step++) {
            if (taken.isEmpty() || random.nextBoolean()) {
                int length = 1 + random.nextInt(1 + random.nextInt(SPACE));
                long offset = ranges.take(length);
                int suffices = shortest(free, borders, length);
                assertThat(offset >= 0).as("taking %d", length).isEqualTo(suffices < Integer.MAX_VALUE);
                if (offset >= 0) {
                    assertThat(free.nextClearBit((int) offset) - offset).as("places free").isGreaterThanOrEqualTo(length);
                    free.clear((int) offset, (int) offset + length);
                    taken.add(new int[] {(int) offset, length});
                }
            } else {
                int[] back = taken.remove(random.nextInt(taken.size()));
                ranges.add(back[0], back[1]);
                free.set(back[0], back[0] + back[1]);
            }
            assertThat(ranges.bytes()).isEqualTo(free.cardinality());
            assertThat(ranges.longest()).isEqualTo(longest(free, borders));
        }
    }

    /// The length of the shortest run of free places that is at least `length`, where borders end a run.
    private static int shortest(BitSet free, BitSet borders, int length) {
        int best = Integer.MAX_VALUE;
        for (int[] run : runs(free, borders)) {
            if (run[1] >= length) {
                best = Math.min(best, run[1]);
            }
        }
        return best;
    }

    private static int longest(BitSet free, BitSet borders) {
        return runs(free, borders).stream().mapToInt(run -> run[1]).max().orElse(0);
    }

    private static List<int[]> runs(BitSet free, BitSet borders) {
        List<int[]> runs = new ArrayList<>();
        for (int start = free.nextSetBit(0); start >= 0;) {
            int end = start + 1;
            while (free.get(end) && !borders.get(end)) {
                end++;
            }
            runs.add(new int[] {start, end - start});
            start = free.nextSetBit(end);
        }
        return runs;
    }

    @Example
    void neighboursAreJoinedButNotOverABorder() {
        FreeRanges ranges = new FreeRanges(offset -> offset == 100);
        ranges.add(50, 50);
        ranges.add(100, 50);
        ranges.add(150, 50);
        assertThat(ranges.longest()).isEqualTo(100);
        assertThat(ranges.take(101)).isEqualTo(-1);
        assertThat(ranges.take(60)).isEqualTo(100);
        assertThat(ranges.take(50)).isEqualTo(50);
        assertThat(ranges.bytes()).isEqualTo(40);
        assertThatIllegalStateException().isThrownBy(() -> ranges.add(190, 5));
    }
}
