package io.leasehold.benchmarks;

/// Which keys are used how often.
enum Distribution {
    /// Each as often as any other.
    UNIFORM,
    /// A few very often; see [Zipfian].
    ZIPFIAN,
    /// Those that were inserted last very often, by the same law.
    LATEST;

    /// The skew of YCSB.
    static final double THETA = 0.99;
}
