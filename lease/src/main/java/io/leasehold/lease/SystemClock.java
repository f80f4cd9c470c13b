package io.leasehold.lease;

import java.time.Duration;
import java.util.function.LongSupplier;

/// The one place of this module that asks the system for the time.
final class SystemClock {
    /// Monotonic nanoseconds.
    static final LongSupplier NANOS = System::nanoTime;

    /// A time that no wait outlives, about 146 years, far enough from the ends of `long` to be added to an instant.
    private static final long LONGEST_NANOS = Long.MAX_VALUE / 2;

    private SystemClock() {
    }

    /// The nanoseconds of `time`, cut to what can be added to an instant.
    static long nanosOf(Duration time) {
        return time.compareTo(Duration.ofNanos(LONGEST_NANOS)) >= 0 ? LONGEST_NANOS : time.toNanos();
    }
}
