package io.leasehold.rdma.internal;

import java.time.Duration;

/// The only clock of the providers: nanoseconds since an arbitrary moment, never going back.
public final class NicClock {
    /// What a wait is cut to when its end would overflow.
    private static final long FOREVER_NANOS = Long.MAX_VALUE / 4;

    private NicClock() {
    }

    /// Now.
    public static long nanos() {
        return System.nanoTime();
    }

    /// The moment `wait` from now.
    public static long deadline(Duration wait) {
        return nanos() + nanosOf(wait);
    }

    /// `wait` in nanoseconds, at least 0 and cut to what can be added to a moment.
    public static long nanosOf(Duration wait) {
        if (wait.isNegative()) {
            return 0;
        }
        return wait.compareTo(Duration.ofNanos(FOREVER_NANOS)) > 0 ? FOREVER_NANOS : wait.toNanos();
    }

    /// What is left until `deadlineNanos`, in whole milliseconds, at least 0.
    public static int millisUntil(long deadlineNanos) {
        return Math.clamp((deadlineNanos - nanos() + 999_999) / 1_000_000, 0, Integer.MAX_VALUE);
    }

    /// Milliseconds since `startNanos`, for messages.
    public static long millisSince(long startNanos) {
        return (nanos() - startNanos) / 1_000_000;
    }
}
