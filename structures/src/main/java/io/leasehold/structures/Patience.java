package io.leasehold.structures;

import java.util.concurrent.atomic.AtomicLong;

/// How long a queue's user waits for a producer that has a ticket and has not come, before it poisons the slot. Thread-safe.
///
/// In time, not in the user's own round trips: a producer behind a slow link needs many of those of a user beside the memory. It
/// doubles whenever it is over, for all users of one queue object, so that a producer that is slower than expected gets through
/// after a few tickets; and it shrinks again while nobody is late.
final class Patience {
    /// Looks that follow one another at once.
    static final int LOOKS = 6;
    /// Doublings at most.
    private static final int GROWTH_MAX = 6;
    private static final int PAUSES = 4;
    private static final int SHRINKAGE_SHIFT = 6;

    private final Memory memory;
    private final long leastNanos;
    private final AtomicLong nanos;

    Patience(Memory memory, long leastNanos) {
        this.memory = memory;
        this.leastNanos = leastNanos;
        nanos = new AtomicLong(leastNanos);
    }

    long nanos() {
        return nanos.get();
    }

    /// Nobody was late.
    void noteInTime() {
        long now = nanos.get();
        if (now > leastNanos) {
            nanos.compareAndSet(now, Math.max(leastNanos, now - (now >> SHRINKAGE_SHIFT)));
        }
    }

    /// Begins to wait.
    Wait begin() {
        return new Wait();
    }

    /// One user's wait. For one thread.
    final class Wait {
        private final long begin = memory.clock().getAsLong();
        private int looks;

        /// Counts a look that found a producer late, and pauses if several have.
        ///
        /// @return whether the patience is over
        boolean isOver() {
            if (++looks < LOOKS) {
                return false;
            }
            long patience = nanos.get();
            if (memory.clock().getAsLong() - begin < patience) {
                memory.pause(patience / PAUSES);
                return false;
            }
            nanos.compareAndSet(patience, Math.min(patience * 2, leastNanos << GROWTH_MAX));
            return true;
        }
    }
}
