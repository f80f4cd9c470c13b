package io.leasehold.benchmarks;

/// One subject in one cell: what is run once a round.
record Trial(String subject, Cell cell, Body body) {
    /// What is measured.
    interface Body {
        /// Runs for about so long and tells what it found.
        void run(long nanos, Sink sink) throws Exception;
    }

    /// Takes figures.
    interface Sink {
        void add(Metric metric, double figure);
    }
}
