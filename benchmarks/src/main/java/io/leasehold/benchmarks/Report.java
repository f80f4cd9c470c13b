package io.leasehold.benchmarks;

import java.io.BufferedWriter;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.function.BiFunction;

/// Tells what was measured: a table, CSV files and plots.
final class Report {
    private static final List<Metric> MAIN = List.of(Metric.RATE, Metric.MICROS);

    private final String name;
    private final Results results;

    Report(String name, Results results) {
        this.name = name;
        this.results = results;
    }

    /// One line for each subject of each cell.
    ///
    /// @param rival with whom a subject is compared in a cell
    void print(PrintStream out, BiFunction<String, Cell, Optional<String>> rival) {
        List<String[]> rows = new ArrayList<>();
        rows.add(new String[] {"", "", "median", "quartiles", "", "p50", "p99", "p99.9", "compared"});
        for (Cell cell : results.cells()) {
            for (String subject : results.subjects(cell)) {
                for (Metric metric : MAIN) {
                    results.spread(subject, cell, metric).ifPresent(spread -> rows.add(row(cell, subject, metric, spread, rival)));
                }
            }
        }
        int[] widths = new int[rows.getFirst().length];
        for (String[] row : rows) {
            for (int i = 0; i < row.length; i++) {
                widths[i] = Math.max(widths[i], row[i].length());
            }
        }
        for (String[] row : rows) {
            StringBuilder line = new StringBuilder();
            for (int i = 0; i < row.length; i++) {
                String pad = " ".repeat(widths[i] - row[i].length());
                // Figures to the right, words to the left.
                line.append(i >= 2 && i <= 7 && i != 4 ? pad + row[i] : row[i] + pad).append("  ");
            }
            out.println(line.toString().stripTrailing());
        }
        out.println("Latencies in µs; p99 and p99.9 are from the time when an operation was due: in a closed loop corrected for what was"
                + " held up with it.");
    }

    private String[] row(Cell cell, String subject, Metric metric, Spread spread, BiFunction<String, Cell, Optional<String>> rival) {
        String compared = rival.apply(subject, cell)
                .flatMap(other -> results.advantage(subject, other, cell, metric).map(times -> figure(times) + " × " + other)).orElse("");
        return new String[] {cell.label(), subject, figure(spread.median()),
                figure(spread.lowerQuartile()) + " to " + figure(spread.upperQuartile()), metric.title(),
                latency(subject, cell, Metric.P50), latency(subject, cell, Metric.P99), latency(subject, cell, Metric.P999), compared};
    }

    private String latency(String subject, Cell cell, Metric metric) {
        return results.spread(subject, cell, metric).map(spread -> figure(spread.median())).orElse("");
    }

    /// Three digits at least.
    private static String figure(double figure) {
        String form = figure >= 100 ? "%,.0f" : figure >= 10 ? "%.1f" : "%.2f";
        return String.format(Locale.ROOT, form, figure);
    }

    /// Writes all figures, and their medians and quartiles, to two files of `directory`.
    ///
    /// @return what was written
    List<Path> writeCsv(Path directory) throws IOException {
        Files.createDirectories(directory);
        Path rounds = directory.resolve(name + "-rounds.csv");
        Path summary = directory.resolve(name + ".csv");
        try (BufferedWriter each = Files.newBufferedWriter(rounds); BufferedWriter middle = Files.newBufferedWriter(summary)) {
            each.write("cell,subject,metric,round,figure\n");
            middle.write("cell,subject,metric,rounds,lower quartile,median,upper quartile\n");
            for (Results.Series series : results.series()) {
                String what = series.cell().path() + "," + series.subject() + "," + series.metric().title();
                for (int round = 0; round < series.figures().size(); round++) {
                    each.write(what + "," + (round + 1) + "," + series.figures().get(round) + "\n");
                }
                Spread spread = series.spread();
                middle.write(what + "," + spread.count() + "," + spread.lowerQuartile() + "," + spread.median() + ","
                        + spread.upperQuartile() + "\n");
            }
        }
        return List.of(summary, rounds);
    }

    /// Plots each group of cells to a file of `directory`.
    List<Path> writePlots(Path directory) throws IOException {
        Files.createDirectories(directory);
        List<Path> written = new ArrayList<>();
        Map<String, List<Cell>> groups = new LinkedHashMap<>();
        results.cells().forEach(cell -> groups.computeIfAbsent(cell.group(), _ -> new ArrayList<>()).add(cell));
        for (Map.Entry<String, List<Cell>> group : groups.entrySet()) {
            for (Metric metric : MAIN) {
                if (results.series().stream().anyMatch(series -> series.metric() == metric && group.getValue().contains(series.cell()))) {
                    Path file = directory.resolve((name + " " + group.getKey()).replaceAll("[^A-Za-z0-9]+", "-") + ".png");
                    Plot.write(file, group.getKey(), metric, group.getValue(), results);
                    written.add(file);
                }
            }
        }
        return written;
    }
}
