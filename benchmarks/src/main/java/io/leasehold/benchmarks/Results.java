package io.leasehold.benchmarks;

import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Predicate;

/// What was measured: for each subject, cell and metric one figure a round. Keeps the order in which things first came.
final class Results {
    private record Key(String subject, Cell cell, Metric metric) {
    }

    /// One series.
    record Series(String subject, Cell cell, Metric metric, List<Double> figures) {
        Spread spread() {
            return Spread.of(figures.stream().mapToDouble(Double::doubleValue).toArray());
        }
    }

    private final Map<Key, List<Double>> figures = new LinkedHashMap<>();

    void add(String subject, Cell cell, Metric metric, double figure) {
        figures.computeIfAbsent(new Key(subject, cell, metric), _ -> new ArrayList<>()).add(figure);
    }

    Collection<Series> series() {
        return figures.entrySet().stream()
                .map(entry -> new Series(entry.getKey().subject(), entry.getKey().cell(), entry.getKey().metric(), entry.getValue()))
                .toList();
    }

    Set<Cell> cells() {
        Set<Cell> cells = new LinkedHashSet<>();
        figures.keySet().forEach(key -> cells.add(key.cell()));
        return cells;
    }

    /// The cells with all of `parts`.
    List<Cell> cellsWith(String... parts) {
        return cells().stream().filter(cell -> cell.parts().containsAll(List.of(parts))).toList();
    }

    Set<String> subjects() {
        Set<String> subjects = new LinkedHashSet<>();
        figures.keySet().forEach(key -> subjects.add(key.subject()));
        return subjects;
    }

    /// The subjects of a cell.
    List<String> subjects(Cell cell) {
        return subjects().stream().filter(subject -> figures.keySet().stream()
                .anyMatch(key -> key.subject().equals(subject) && key.cell().equals(cell))).toList();
    }

    /// How a subject did, if it was measured.
    Optional<Spread> spread(String subject, Cell cell, Metric metric) {
        return Optional.ofNullable(figures.get(new Key(subject, cell, metric)))
                .map(series -> Spread.of(series.stream().mapToDouble(Double::doubleValue).toArray()));
    }

    /// By how many times a subject is better than another, as a ratio of medians, if both were measured.
    Optional<Double> advantage(String subject, String other, Cell cell, Metric metric) {
        return spread(subject, cell, metric).flatMap(mine -> spread(other, cell, metric).map(its -> metric.advantage(mine, its)));
    }

    /// The best of the subjects that `isRival` names, by its median.
    Optional<String> best(Cell cell, Metric metric, Predicate<String> isRival) {
        return subjects(cell).stream().filter(isRival).filter(subject -> spread(subject, cell, metric).isPresent())
                .reduce((best, next) -> advantage(next, best, cell, metric).orElse(0.0) > 1 ? next : best);
    }
}
