package io.leasehold.benchmarks;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

final class BarTest {
    private static final Cell A = Cell.of("map", "one at a time", "A");
    private static final Cell B = Cell.of("map", "one at a time", "B");
    private static final Map<Cell, Double> RATIOS = Map.of(A, 5.0, B, 4.0);

    private static Optional<Double> ratio(Cell cell) {
        return Optional.ofNullable(RATIOS.get(cell));
    }

    @Test
    void theWorstCellDecides() {
        assertThat(Bar.atLeast("four times", 4, List.of(A, B), BarTest::ratio).line())
                .isEqualTo("four times | 4.00, the worst of 2: map, one at a time, B | holds");
        assertThat(Bar.atLeast("more", 4.5, List.of(A, B), BarTest::ratio).line())
                .isEqualTo("more | 4.00, the worst of 2: map, one at a time, B | falls short");
        assertThat(Bar.atMost("less", 4.5, List.of(A, B), BarTest::ratio).line())
                .isEqualTo("less | 5.00, the worst of 2: map, one at a time, A | falls short");
        assertThat(Bar.atMost("less", 5, List.of(A), BarTest::ratio).line()).isEqualTo("less | 5.00: map, one at a time, A | holds");
    }

    @Test
    void whatWasNotMeasuredDoesNotHold() {
        Bar bar = Bar.atLeast("any", 1, List.of(Cell.of("map", "one at a time", "C")), BarTest::ratio);
        assertThat(bar.verdict()).isEqualTo(Bar.Verdict.NOT_MEASURED);
        assertThat(Bar.atLeast("any", 1, List.of(), BarTest::ratio).verdict()).isEqualTo(Bar.Verdict.NOT_MEASURED);
    }

    @Test
    void aBarThatFallsShortIsExitStatusOne() {
        Bar holds = Bar.atLeast("low", 1, List.of(A), BarTest::ratio);
        Bar fallsShort = Bar.atLeast("high", 100, List.of(A), BarTest::ratio);
        ByteArrayOutputStream printed = new ByteArrayOutputStream();
        PrintStream out = new PrintStream(printed, true, StandardCharsets.UTF_8);
        assertThat(RunOptions.judge(List.of(holds), true, out)).isZero();
        assertThat(RunOptions.judge(List.of(holds, fallsShort), true, out)).isEqualTo(1);
        assertThat(printed.toString(StandardCharsets.UTF_8)).contains("high | 5.00: map, one at a time, A | falls short");
    }

    @Test
    void nobodyIsJudgedUnasked() {
        ByteArrayOutputStream printed = new ByteArrayOutputStream();
        Bar fallsShort = Bar.atLeast("high", 100, List.of(A), BarTest::ratio);
        assertThat(RunOptions.judge(List.of(fallsShort), false, new PrintStream(printed))).isZero();
        assertThat(printed.size()).isZero();
    }
}
