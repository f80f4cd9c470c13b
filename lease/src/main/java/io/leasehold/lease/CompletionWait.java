package io.leasehold.lease;

import io.leasehold.rdma.CompletionQueue;
import io.leasehold.rdma.WorkCompletion;
import java.time.Duration;
import java.util.function.LongSupplier;

/// Waits for completions of requests that only the own device carries out: spinning first, for they take microseconds, and then
/// for a second at most, over all completions of a round. For the control thread, which nobody interrupts.
final class CompletionWait {
    private static final int SPINS = 2_000;
    private static final Duration NAP = Duration.ofMillis(10);
    private static final long PATIENCE_NANOS = 1_000_000_000;

    private final CompletionQueue queue;
    private final LongSupplier clock;
    private long waitedNanos;

    /// @param clock of the system, whatever the node's clock is
    CompletionWait(CompletionQueue queue, LongSupplier clock) {
        this.queue = queue;
        this.clock = clock;
    }

    /// Begins a new wait with all its patience.
    void restart() {
        waitedNanos = 0;
    }

    /// Waits for the next completion.
    ///
    /// @return `false` if the patience since [#restart] is used up
    boolean next(WorkCompletion into) {
        int spins = 0;
        while (!queue.poll(into)) {
            if (spins < SPINS) {
                spins++;
                Thread.onSpinWait();
            } else if (waitedNanos >= PATIENCE_NANOS) {
                return false;
            } else {
                waitedNanos += nap();
            }
        }
        return true;
    }

    /// Waits a little.
    ///
    /// @return how long the device had meanwhile: what the process stood still beyond the nap is not its fault
    private long nap() {
        long start = clock.getAsLong();
        try {
            if (queue.await(NAP)) {
                return Math.min(clock.getAsLong() - start, NAP.toNanos());
            }
        } catch (InterruptedException e) {
            // Nobody has a reason to interrupt the control thread, and it must not leave a chain half done.
        }
        return NAP.toNanos();
    }
}
