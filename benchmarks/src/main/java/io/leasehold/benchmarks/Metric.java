package io.leasehold.benchmarks;

/// What a figure counts.
enum Metric {
    RATE("ops/s"),
    P50("p50 µs"),
    P99("p99 µs"),
    P999("p99.9 µs"),
    MICROS("µs");

    private final String title;

    Metric(String title) {
        this.title = title;
    }

    /// With its unit.
    String title() {
        return title;
    }

    boolean isHigherBetter() {
        return this == RATE;
    }

    /// How many times better `figure` is than `other`.
    double advantage(Spread figure, Spread other) {
        return isHigherBetter() ? figure.over(other) : other.over(figure);
    }
}
