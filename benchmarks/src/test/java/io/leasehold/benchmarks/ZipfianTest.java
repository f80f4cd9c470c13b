package io.leasehold.benchmarks;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class ZipfianTest {
    private static final long SEED = 20_231_117;
    private static final int DRAWS = 1_000_000;
    /// What a sum of independent draws exceeds once in two million.
    private static final double DEVIATIONS = 5;

    @ParameterizedTest
    @CsvSource({"2, 0.99", "100, 0.99", "100000, 0.99", "1000, 0.5"})
    void drawsFollowTheLaw(int items, double theta) {
        Zipfian zipfian = new Zipfian(items, theta);
        SplittableRandom random = new SplittableRandom(SEED);
        int[] counts = new int[items];
        for (int i = 0; i < DRAWS; i++) {
            counts[(int) zipfian.draw(random)]++;
        }
        double all = IntStream.rangeClosed(1, items).mapToDouble(number -> Math.pow(number, -theta)).sum();
        // The first ranks one by one, the others in groups of growing size.
        for (int first = 0; first < items;) {
            int end = Math.min(items, first + Math.max(1, first / 4));
            double share = IntStream.range(first, end).mapToDouble(rank -> Math.pow(rank + 1, -theta) / all).sum();
            long drawn = IntStream.range(first, end).mapToLong(rank -> counts[rank]).sum();
            double deviation = Math.sqrt(DRAWS * share * (1 - share));
            assertThat((double) drawn).as("draws of ranks %d to %d, seed %d", first, end - 1, SEED)
                    .isBetween(DRAWS * share - DEVIATIONS * deviation, DRAWS * share + DEVIATIONS * deviation);
            first = end;
        }
    }

    @Test
    void nonsenseIsRefused() {
        assertThatThrownBy(() -> new Zipfian(1, 0.99)).isInstanceOf(IllegalArgumentException.class).hasMessageContaining("items 1");
        assertThatThrownBy(() -> new Zipfian(10, 1)).isInstanceOf(IllegalArgumentException.class).hasMessageContaining("theta 1.0");
    }
}
