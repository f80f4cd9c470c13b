package io.leasehold.benchmarks;

import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.function.Function;

/// Something that is wanted of the results, and what came of it.
///
/// @param wanted the bar, in words
/// @param figure what was measured, in words
/// @param verdict whether it holds
record Bar(String wanted, String figure, Verdict verdict) {
    enum Verdict {
        HOLDS("holds"), FALLS_SHORT("falls short"), NOT_MEASURED("not measured");

        private final String text;

        Verdict(String text) {
            this.text = text;
        }
    }

    /// In every one of `cells` a ratio has to be at least `least`; the smallest decides. A cell for which there is none counts as
    /// not measured, and so does a bar without any.
    static Bar atLeast(String wanted, double least, List<Cell> cells, Function<Cell, Optional<Double>> ratio) {
        return judge(wanted, cells, ratio, Comparator.naturalOrder(), worst -> worst >= least);
    }

    /// In every one of `cells` a ratio may be at most `most`; the greatest decides.
    static Bar atMost(String wanted, double most, List<Cell> cells, Function<Cell, Optional<Double>> ratio) {
        return judge(wanted, cells, ratio, Comparator.reverseOrder(), worst -> worst <= most);
    }

    private static Bar judge(String wanted, List<Cell> cells, Function<Cell, Optional<Double>> ratio, Comparator<Double> worstFirst,
            Function<Double, Boolean> holds) {
        Optional<Cell> worst = cells.stream().filter(cell -> ratio.apply(cell).isPresent())
                .min(Comparator.comparing(cell -> ratio.apply(cell).orElseThrow(), worstFirst));
        if (worst.isEmpty()) {
            return new Bar(wanted, "-", Verdict.NOT_MEASURED);
        }
        double figure = ratio.apply(worst.get()).orElseThrow();
        long measured = cells.stream().filter(cell -> ratio.apply(cell).isPresent()).count();
        String text = String.format(Locale.ROOT, "%.3g", figure) + (measured > 1 ? ", the worst of " + measured + ": " : ": ")
                + worst.get().label();
        return new Bar(wanted, text, holds.apply(figure) ? Verdict.HOLDS : Verdict.FALLS_SHORT);
    }

    /// For people, one line.
    String line() {
        return wanted + " | " + figure + " | " + verdict.text;
    }
}
