package io.leasehold.testkit;

import java.time.Duration;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;

/// Waits for a condition, for a bounded time: what a test does in place of sleeping.
public final class Await {
    private static final long FIRST_PAUSE_NANOS = 10_000;
    private static final long LONGEST_PAUSE_NANOS = 5_000_000;

    private Await() {
    }

    /// Returns as soon as `condition` holds.
    ///
    /// @param what what is waited for, for the message
    /// @throws AssertionError if it does not hold within `timeout`
    public static void until(Duration timeout, String what, BooleanSupplier condition) {
        if (!holdsWithin(timeout, condition)) {
            throw new AssertionError("waited " + timeout + " in vain until " + what);
        }
    }

    /// Whether `condition` came to hold within `timeout`; returns as soon as it does.
    public static boolean holdsWithin(Duration timeout, BooleanSupplier condition) {
        long start = System.nanoTime();
        long pause = FIRST_PAUSE_NANOS;
        while (!condition.getAsBoolean()) {
            long left = timeout.toNanos() - (System.nanoTime() - start);
            if (left <= 0 || Thread.currentThread().isInterrupted()) {
                return false;
            }
            LockSupport.parkNanos(Math.min(pause, left));
            pause = Math.min(pause * 2, LONGEST_PAUSE_NANOS);
        }
        return true;
    }
}
