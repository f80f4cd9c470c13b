package io.leasehold.lease;

import io.leasehold.rdma.CompletionQueue;
import io.leasehold.rdma.WorkCompletion;
import java.time.Duration;

/// Waits for completions of requests that only the own device carries out: spinning first, for they take microseconds, and never
/// longer than a second. For the control thread, which nobody interrupts.
final class CompletionWait {
    private static final int SPINS = 2_000;
    private static final int NAPS = 100;
    private static final Duration NAP = Duration.ofMillis(10);

    private final CompletionQueue queue;
    private int spins;
    private int naps;

    CompletionWait(CompletionQueue queue) {
        this.queue = queue;
    }

    /// Begins a new wait with all its patience.
    void restart() {
        spins = 0;
        naps = 0;
    }

    /// Waits for the next completion.
    ///
    /// @return `false` if the patience since [#restart] is used up
    boolean next(WorkCompletion into) {
        while (!queue.poll(into)) {
            if (spins < SPINS) {
                spins++;
                Thread.onSpinWait();
            } else if (naps++ == NAPS) {
                return false;
            } else {
                nap();
            }
        }
        return true;
    }

    private void nap() {
        try {
            queue.await(NAP);
        } catch (InterruptedException e) {
            // Nobody has a reason to interrupt the control thread, and it must not leave a chain half done.
        }
    }
}
