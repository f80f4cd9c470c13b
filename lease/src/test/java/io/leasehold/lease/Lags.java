package io.leasehold.lease;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/// Times that were measured, for a line at the end of a test.
final class Lags {
    private final List<Duration> measured = new ArrayList<>();

    synchronized void add(Duration time) {
        measured.add(time);
    }

    @Override
    public synchronized String toString() {
        if (measured.isEmpty()) {
            return "nothing measured";
        }
        Collections.sort(measured);
        return "median " + micros(0.5) + ", 99 % " + micros(0.99) + ", most " + micros(1) + " of " + measured.size();
    }

    private String micros(double quantile) {
        return measured.get((int) (quantile * (measured.size() - 1))).toNanos() / 1_000 + " µs";
    }
}
