package io.leasehold.structures;

import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.LongSupplier;

/// When the entries of a map expire: by the node's clock as this client knows it, which here never goes back. Thread-safe.
///
/// Two clients may disagree about an entry that is about to expire, for as long as their ideas of that clock differ.
final class ExpiryClock {
    /// The instant of an entry that does not expire.
    static final long NEVER = 0;

    private final LongSupplier nodeNanos;
    private final AtomicLong latest;
    private final AtomicBoolean isInUse = new AtomicBoolean();
    private volatile Runnable whenInUse = () -> {
    };

    /// @param nodeNanos [Memory#nodeClock()]
    ExpiryClock(LongSupplier nodeNanos) {
        this.nodeNanos = nodeNanos;
        latest = new AtomicLong(nodeNanos.getAsLong());
    }

    /// Has `action` run once, as soon as this client writes or meets an entry that expires.
    void whenInUse(Runnable action) {
        whenInUse = action;
    }

    long now() {
        while (true) {
            long now = nodeNanos.getAsLong();
            long before = latest.get();
            if (now - before <= 0) {
                return before;
            }
            if (latest.compareAndSet(before, now)) {
                return now;
            }
        }
    }

    /// The instant at which an entry expires that is written now.
    ///
    /// @param lifeNanos its time to live, 0 for ever
    long instant(long lifeNanos) {
        if (lifeNanos == 0) {
            return NEVER;
        }
        note();
        long instant = now() + lifeNanos;
        return instant == NEVER ? 1 : instant;
    }

    /// Whether an entry that expires at `instant` has.
    boolean isPast(long instant) {
        if (instant == NEVER) {
            return false;
        }
        note();
        return now() - instant >= 0;
    }

    private void note() {
        if (!isInUse.get() && isInUse.compareAndSet(false, true)) {
            whenInUse.run();
        }
    }
}
