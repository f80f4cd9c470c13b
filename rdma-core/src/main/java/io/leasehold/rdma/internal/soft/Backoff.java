package io.leasehold.rdma.internal.soft;

import java.util.concurrent.locks.LockSupport;

/// Waits for something that is nearly done: first by spinning, then by yielding, then by short naps.
final class Backoff {
    private static final int SPINS = 64;
    private static final int YIELDS = 256;
    private static final long NAP_NANOS = 20_000;

    private int rounds;

    /// Waits a little, longer from time to time.
    void pause() {
        rounds++;
        if (rounds <= SPINS) {
            Thread.onSpinWait();
        } else if (rounds <= YIELDS) {
            Thread.yield();
        } else {
            LockSupport.parkNanos(NAP_NANOS);
        }
    }
}
