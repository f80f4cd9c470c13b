package io.leasehold.lease;

import io.leasehold.lease.TimingWheel.Timer;
import java.lang.System.Logger.Level;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BooleanSupplier;
import java.util.function.LongSupplier;

/// What the device did not take back when it should have, and is asked to again and again. Whatever hangs on it waits: memory that
/// a key may still open is given to nobody else. For the control thread.
final class Leftovers {
    private static final long RETRY_NANOS = 100_000_000;

    private static final System.Logger LOG = System.getLogger(Leftovers.class.getName());

    private final TimingWheel<Runnable> wheel;
    private final LongSupplier clock;
    private final Timer<Runnable> timer = new Timer<>(this::retry);
    private final List<BooleanSupplier> attempts = new ArrayList<>();

    Leftovers(TimingWheel<Runnable> wheel, LongSupplier clock) {
        this.wheel = wheel;
        this.clock = clock;
    }

    /// Makes an attempt, and if it fails makes it again until it does not.
    void untilDone(BooleanSupplier attempt) {
        if (!attempt.getAsBoolean()) {
            LOG.log(Level.WARNING, "the device keeps what it was asked to take back; it is asked again, and what hangs on it waits");
            attempts.add(attempt);
            setTimer();
        }
    }

    private void retry() {
        List<BooleanSupplier> again = List.copyOf(attempts);
        attempts.clear();
        for (BooleanSupplier attempt : again) {
            if (!attempt.getAsBoolean()) {
                attempts.add(attempt);
            }
        }
        setTimer();
    }

    private void setTimer() {
        if (!attempts.isEmpty() && !timer.isSet()) {
            wheel.set(timer, clock.getAsLong() + RETRY_NANOS);
        }
    }
}
