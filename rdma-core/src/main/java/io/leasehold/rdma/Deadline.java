package io.leasehold.rdma;

import java.time.Duration;
import java.util.concurrent.locks.LockSupport;

/// The end of a wait that has begun.
///
/// @param startNanos when it began, by [System#nanoTime()]
/// @param endNanos when it ends
record Deadline(long startNanos, long endNanos) {
    /// The longest wait; beyond it the arithmetic would overflow.
    private static final Duration LONGEST = Duration.ofDays(365);

    static Deadline after(Duration timeout) {
        long now = System.nanoTime();
        return new Deadline(now, now + (timeout.compareTo(LONGEST) < 0 ? timeout : LONGEST).toNanos());
    }

    /// A wait that counts as begun when this one did, and ends `timeout` from now.
    Deadline endingAfter(Duration timeout) {
        return new Deadline(startNanos, after(timeout).endNanos);
    }

    /// What is left, never negative.
    long remainingNanos() {
        return Math.max(0, endNanos - System.nanoTime());
    }

    boolean passed() {
        return remainingNanos() == 0;
    }

    Duration elapsed() {
        return Duration.ofNanos(System.nanoTime() - startNanos);
    }

    /// Waits for `pause`, but not beyond the deadline, and no longer when the thread is interrupted.
    void pause(Duration pause) {
        LockSupport.parkNanos(this, Math.min(pause.toNanos(), remainingNanos()));
    }
}
