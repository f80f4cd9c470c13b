package io.leasehold.benchmarks;

/// A running server, in a process of its own.
interface Server extends AutoCloseable {
    /// How it is set up, for whoever reads the results.
    String settings();

    @Override
    void close();
}
