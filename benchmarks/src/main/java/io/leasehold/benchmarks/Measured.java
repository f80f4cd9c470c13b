package io.leasehold.benchmarks;

import java.io.Serializable;
import java.util.List;
import org.HdrHistogram.Histogram;

/// What one run of a workload found.
///
/// @param operations how many were done
/// @param nanos in which time
/// @param latencies how long each took, in nanoseconds
record Measured(long operations, long nanos, Histogram latencies) implements Serializable {
    double perSecond() {
        return operations * 1e9 / nanos;
    }

    /// Several that ran side by side, as one.
    static Measured together(List<Measured> parts) {
        Histogram all = new Histogram(parts.getFirst().latencies());
        long operations = 0;
        long nanos = 0;
        for (Measured part : parts) {
            all.add(part.latencies());
            operations += part.operations();
            nanos = Math.max(nanos, part.nanos());
        }
        return new Measured(operations, nanos, all);
    }

    /// Adds rate and percentiles. Those above the median are corrected for coordinated omission where one operation follows the
    /// other: whatever kept one of them also kept those that would have been made meanwhile, one for each median time.
    ///
    /// @param isClosedLoop whether the next operation waited for this one
    void report(boolean isClosedLoop, Trial.Sink sink) {
        long median = latencies.getValueAtPercentile(50);
        Histogram upper = isClosedLoop ? latencies.copyCorrectedForCoordinatedOmission(Math.max(1, median)) : latencies;
        sink.add(Metric.RATE, perSecond());
        sink.add(Metric.P50, median / 1e3);
        sink.add(Metric.P99, upper.getValueAtPercentile(99) / 1e3);
        sink.add(Metric.P999, upper.getValueAtPercentile(99.9) / 1e3);
    }
}
