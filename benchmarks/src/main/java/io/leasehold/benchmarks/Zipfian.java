package io.leasehold.benchmarks;

import java.util.SplittableRandom;

/// Draws ranks from 0, the most frequent, to `items` − 1, where rank r has a share in proportion to 1 / (r + 1)^theta.
///
/// By rejection-inversion (Hörmann and Derflinger, "Rejection-inversion to generate variates from monotone discrete
/// distributions", 1996): exact, and making one costs nothing. The generator of YCSB approximates all ranks but the first two.
/// Immutable.
final class Zipfian {
    private final long items;
    private final double theta;
    private final double lowest;
    private final double highest;
    private final double squeeze;

    /// @param theta the skew, between 0 and 1; YCSB's is 0.99
    Zipfian(long items, double theta) {
        if (items < 2) {
            throw new IllegalArgumentException("items " + items + " is less than 2");
        }
        if (!(theta > 0 && theta < 1)) {
            throw new IllegalArgumentException("theta " + theta + " is outside 0 to 1");
        }
        this.items = items;
        this.theta = theta;
        lowest = integral(1.5) - 1;
        highest = integral(items + 0.5);
        squeeze = 2 - inverse(integral(2.5) - Math.pow(2, -theta));
    }

    /// The integral of x^(−theta) from 1.
    private double integral(double x) {
        return Math.expm1((1 - theta) * Math.log(x)) / (1 - theta);
    }

    private double inverse(double integral) {
        return Math.exp(Math.log1p(integral * (1 - theta)) / (1 - theta));
    }

    long draw(SplittableRandom random) {
        while (true) {
            double drawn = highest + random.nextDouble() * (lowest - highest);
            double x = inverse(drawn);
            long number = Math.clamp((long) (x + 0.5), 1, items);
            // The first condition spares nearly always the second.
            if (number - x <= squeeze || drawn >= integral(number + 0.5) - Math.pow(number, -theta)) {
                return number - 1;
            }
        }
    }
}
