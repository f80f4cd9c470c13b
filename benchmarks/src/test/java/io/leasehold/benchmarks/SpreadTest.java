package io.leasehold.benchmarks;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import java.util.Optional;
import org.HdrHistogram.Histogram;
import org.junit.jupiter.api.Test;

final class SpreadTest {
    private static final Cell CELL = Cell.of("map", "one at a time", "A");

    @Test
    void medianAndQuartiles_whateverTheOrder() {
        assertThat(Spread.of(5, 1, 4, 2, 3)).isEqualTo(new Spread(2, 3, 4, 5));
        assertThat(Spread.of(4, 1, 3, 2)).isEqualTo(new Spread(1.75, 2.5, 3.25, 4));
        assertThat(Spread.of(7)).isEqualTo(new Spread(7, 7, 7, 1));
        assertThat(Spread.of(1, 3)).isEqualTo(new Spread(1.5, 2, 2.5, 2));
        assertThatThrownBy(Spread::of).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void theMedianDoesNotMindOneWildFigure() {
        assertThat(Spread.of(10, 11, 12, 13, 1e9).median()).isEqualTo(12);
    }

    @Test
    void advantageIsMoreOperationsOrLessTime() {
        Results results = new Results();
        for (double figure : new double[] {90, 100, 110}) {
            results.add("fast", CELL, Metric.RATE, figure * 3);
            results.add("slow", CELL, Metric.RATE, figure);
            results.add("fast", CELL, Metric.P50, figure / 2);
            results.add("slow", CELL, Metric.P50, figure);
        }
        assertThat(results.advantage("fast", "slow", CELL, Metric.RATE)).hasValue(3.0);
        assertThat(results.advantage("fast", "slow", CELL, Metric.P50)).hasValue(2.0);
        assertThat(results.advantage("slow", "fast", CELL, Metric.RATE)).hasValue(1 / 3.0);
        assertThat(results.advantage("fast", "absent", CELL, Metric.RATE)).isEmpty();
        assertThat(results.best(CELL, Metric.RATE, _ -> true)).hasValue("fast");
        assertThat(results.best(CELL, Metric.P50, subject -> !subject.equals("fast"))).hasValue("slow");
        assertThat(results.best(CELL, Metric.P999, _ -> true)).isEqualTo(Optional.empty());
    }

    /// One operation that takes a second among a thousand of a millisecond holds up as many as would have come meanwhile.
    @Test
    void whatOneOperationHeldUpCounts_inAClosedLoop() {
        Histogram latencies = new Histogram(3);
        latencies.recordValueWithCount(1_000_000, 1000);
        latencies.recordValue(1_000_000_000);
        Results results = new Results();
        new Measured(1001, 2_000_000_000, latencies).report(true, (metric, figure) -> results.add("closed", CELL, metric, figure));
        new Measured(1001, 2_000_000_000, latencies).report(false, (metric, figure) -> results.add("open", CELL, metric, figure));
        assertThat(results.spread("closed", CELL, Metric.P99).orElseThrow().median()).isGreaterThan(900_000);
        assertThat(results.spread("open", CELL, Metric.P99).orElseThrow().median()).isBetween(999.0, 1001.0);
        assertThat(results.spread("closed", CELL, Metric.P50).orElseThrow().median()).isBetween(999.0, 1001.0);
        assertThat(results.spread("open", CELL, Metric.RATE).orElseThrow().median()).isEqualTo(500.5);
    }

    @Test
    void whatRanSideBySideIsOne() {
        Histogram one = new Histogram(3);
        one.recordValue(10);
        Histogram two = new Histogram(3);
        two.recordValueWithCount(20, 3);
        Measured together = Measured.together(List.of(new Measured(1, 100, one), new Measured(3, 200, two)));
        assertThat(together.operations()).isEqualTo(4);
        assertThat(together.nanos()).isEqualTo(200);
        assertThat(together.latencies().getTotalCount()).isEqualTo(4);
    }
}
