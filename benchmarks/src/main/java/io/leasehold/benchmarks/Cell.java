package io.leasehold.benchmarks;

import java.util.List;

/// One situation in which subjects are compared.
///
/// @param parts what it is, from the general to the particular; the first two make a group, which has a plot of its own
record Cell(List<String> parts) {
    private static final int GROUP_PARTS = 2;

    Cell {
        parts = List.copyOf(parts);
        if (parts.size() <= GROUP_PARTS) {
            throw new IllegalArgumentException("too few parts in " + parts);
        }
    }

    static Cell of(String... parts) {
        return new Cell(List.of(parts));
    }

    /// What it has in common with others.
    String group() {
        return String.join(", ", parts.subList(0, GROUP_PARTS));
    }

    /// What it is within its group.
    String name() {
        return String.join(" ", parts.subList(GROUP_PARTS, parts.size()));
    }

    /// For people.
    String label() {
        return String.join(", ", parts);
    }

    /// For a column of a CSV file.
    String path() {
        return String.join("/", parts);
    }
}
