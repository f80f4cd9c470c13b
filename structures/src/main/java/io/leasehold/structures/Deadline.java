package io.leasehold.structures;

import io.leasehold.lease.LeaseConflictException;
import java.time.Duration;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/// How long one operation may still take. For one thread.
final class Deadline {
    private final LongSupplier clock;
    private final String operation;
    private final Duration timeout;
    private final long startNanos;
    private int retries;

    /// Starts the time of `operation`, which a message will name.
    Deadline(LongSupplier clock, String operation, Duration timeout) {
        this.clock = clock;
        this.operation = operation;
        this.timeout = timeout;
        startNanos = clock.getAsLong();
    }

    Duration remaining() {
        Duration left = timeout.minusNanos(elapsedNanos());
        return left.isNegative() ? Duration.ZERO : left;
    }

    /// Counts one more try.
    ///
    /// @throws LeaseConflictException if there is no time for it
    void retry(String phase, @Nullable Throwable cause) {
        retries++;
        if (elapsedNanos() > timeout.toNanos()) {
            throw LeaseConflictException.of(operation + " did not end within " + timeout + ": " + retries + " retries in "
                    + Duration.ofNanos(elapsedNanos()) + ", last in phase " + phase
                    + "; a longer timeout helps if leases are long or the node is loaded", cause);
        }
    }

    private long elapsedNanos() {
        return clock.getAsLong() - startNanos;
    }
}
