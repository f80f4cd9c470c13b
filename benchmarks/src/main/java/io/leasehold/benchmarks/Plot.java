package io.leasehold.benchmarks;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.knowm.xchart.BitmapEncoder;
import org.knowm.xchart.CategoryChart;
import org.knowm.xchart.CategoryChartBuilder;
import org.knowm.xchart.style.Styler;

/// Bars of medians with half the distance between the quartiles, one colour a subject, on a logarithmic axis.
final class Plot {
    private static final int HEIGHT = 700;
    private static final int WIDTH_MIN = 900;
    private static final int WIDTH_EACH = 18;

    private Plot() {
    }

    /// Writes a PNG.
    static void write(Path file, String title, Metric metric, List<Cell> cells, Results results) throws IOException {
        List<String> subjects = results.subjects().stream()
                .filter(subject -> cells.stream().anyMatch(cell -> results.spread(subject, cell, metric).isPresent())).toList();
        int width = Math.max(WIDTH_MIN, WIDTH_EACH * cells.size() * subjects.size());
        CategoryChart chart = new CategoryChartBuilder().width(width).height(HEIGHT).title(title).xAxisTitle("").yAxisTitle(metric.title())
                .build();
        chart.getStyler().setYAxisLogarithmic(true).setXAxisLabelRotation(60).setLegendPosition(Styler.LegendPosition.OutsideE);
        List<String> names = cells.stream().map(Cell::name).toList();
        for (String subject : subjects) {
            List<Double> medians = new ArrayList<>();
            List<Double> spreads = new ArrayList<>();
            for (Cell cell : cells) {
                Optional<Spread> spread = results.spread(subject, cell, metric);
                // Nothing is no height on a logarithmic axis; the library leaves a gap for null.
                medians.add(spread.map(Spread::median).orElse(null));
                spreads.add(spread.map(Plot::halfSpread).orElse(null));
            }
            chart.addSeries(subject, names, medians, spreads);
        }
        // The axis begins at a power of ten below all: of itself it would begin at zero, which it has not got.
        double lowest = cells.stream().flatMap(cell -> subjects.stream().flatMap(subject -> results.spread(subject, cell, metric).stream()))
                .mapToDouble(spread -> spread.median() - halfSpread(spread)).min().orElse(1);
        chart.getStyler().setYAxisMin(Math.pow(10, Math.floor(Math.log10(lowest))));
        BitmapEncoder.saveBitmap(chart, file.toString(), BitmapEncoder.BitmapFormat.PNG);
    }

    /// Less than the median: a logarithmic axis has no zero.
    private static double halfSpread(Spread spread) {
        return Math.min((spread.upperQuartile() - spread.lowerQuartile()) / 2, 0.9 * spread.median());
    }
}
