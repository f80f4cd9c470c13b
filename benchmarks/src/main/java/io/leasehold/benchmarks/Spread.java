package io.leasehold.benchmarks;

import java.util.Arrays;

/// The middle of a set of figures and how far they are apart.
///
/// Quartiles interpolate between neighbours: the p-quantile of n sorted figures is at position p · (n − 1), from 0.
///
/// @param count how many figures
record Spread(double lowerQuartile, double median, double upperQuartile, int count) {
    /// Of at least one figure.
    static Spread of(double... figures) {
        if (figures.length == 0) {
            throw new IllegalArgumentException("no figures");
        }
        double[] sorted = figures.clone();
        Arrays.sort(sorted);
        return new Spread(quantile(sorted, 0.25), quantile(sorted, 0.5), quantile(sorted, 0.75), sorted.length);
    }

    private static double quantile(double[] sorted, double share) {
        double position = share * (sorted.length - 1);
        int below = (int) position;
        double part = position - below;
        return part == 0 ? sorted[below] : sorted[below] * (1 - part) + sorted[below + 1] * part;
    }

    /// This median divided by that one: by how many times what it stands for is more.
    double over(Spread other) {
        return median / other.median;
    }
}
