package io.leasehold.structures;

import java.util.random.RandomGenerator;

/// How long to wait for others: not at all at first, then a random time around an exponentially growing one, up to [#NANOS_MAX].
/// For one thread.
final class Backoff {
    /// Looks that follow one another at once: what comes within a few round trips is seen without the latency of parking.
    static final int EAGER = 8;
    static final long NANOS_MIN = 10_000;
    /// Bounds how late a waiter sees what it waits for.
    static final long NANOS_MAX = 1_000_000;

    private final Memory memory;
    private int rounds;

    Backoff(Memory memory) {
        this.memory = memory;
    }

    /// The wait of the given round, counted from 1.
    static long nanos(RandomGenerator random, int round) {
        long bound = Math.min(NANOS_MAX, NANOS_MIN << Math.min(round, 20));
        return bound / 2 + random.nextLong(bound / 2 + 1);
    }

    /// Waits, but not much longer than `atMostNanos`.
    void pause(long atMostNanos) {
        rounds++;
        if (rounds <= EAGER) {
            Thread.onSpinWait();
        } else {
            memory.pause(Math.min(nanos(memory.random(), rounds - EAGER), Math.max(atMostNanos, 1)));
        }
    }
}
