package io.leasehold.lease;

import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/// Waits for chains, in the way that costs least: a lone caller polls for itself for about as long as a round trip takes; where
/// many wait, parking costs less than taking turns. Every wait is bounded, and keeps the interrupt status.
final class ChainWaiter {
    private static final int SPINS = 64;
    private static final int YIELDS_ALONE = 200;
    private static final int YIELDS_IN_A_CROWD = 4;
    /// With more operations than this on the way a caller is better parked.
    private static final int CROWD = 4;
    /// A parked caller looks for itself that often: the thread that should tell it may be held up in somebody's callback.
    private static final long LOOK_NANOS = 10_000_000;
    /// What is left for the completions of a pair that was broken because they did not come.
    private static final int GRACE_SHARE = 4;

    private final ChainPath path;
    private final CallbackQueue callbacks;
    private final long timeoutNanos;

    /// @param timeoutNanos how long an operation may take
    ChainWaiter(ChainPath path, CallbackQueue callbacks, long timeoutNanos) {
        this.path = path;
        this.callbacks = callbacks;
        this.timeoutNanos = timeoutNanos;
    }

    /// Waits until a chain without callback has ended.
    ///
    /// @return whether it has; `false`: it is on the way still, and [#abandon] must follow
    boolean await(WorkChain chain) {
        boolean alone = path.onTheWay() <= CROWD;
        for (int i = 0; i < SPINS; i++) {
            if (chain.hasEnded()) {
                return true;
            }
            // Over shared memory whoever polls fetches the answer itself, sooner than anybody could tell it.
            if (alone) {
                path.drain();
                callbacks.run();
            } else {
                Thread.onSpinWait();
            }
        }
        return poll(chain) || parkUntil(chain, SystemClock.NANOS.getAsLong() + timeoutNanos) || giveUp(chain);
    }

    private boolean poll(WorkChain chain) {
        int yields = path.onTheWay() > CROWD ? YIELDS_IN_A_CROWD : YIELDS_ALONE;
        for (int i = 0; i < yields; i++) {
            path.drain();
            callbacks.run();
            if (chain.hasEnded()) {
                return true;
            }
            Thread.yield();
        }
        return chain.hasEnded();
    }

    private boolean parkUntil(WorkChain chain, long deadlineNanos) {
        boolean interrupted = false;
        chain.waiter = Thread.currentThread();
        while (!chain.hasEnded()) {
            long left = deadlineNanos - SystemClock.NANOS.getAsLong();
            if (left <= 0) {
                break;
            }
            LockSupport.parkNanos(chain, Math.min(left, LOOK_NANOS));
            interrupted |= Thread.interrupted();
            path.drain();
        }
        chain.waiter = null;
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
        return chain.hasEnded();
    }

    /// The time is over: a chain that waits for its turn ends at once, one that is on the way when its pair is broken for it.
    private boolean giveUp(WorkChain chain) {
        giveUp(chain, path);
        return parkUntil(chain, SystemClock.NANOS.getAsLong() + timeoutNanos / GRACE_SHARE);
    }

    /// Leaves a chain that is on the way to whoever ends it, who runs its `reclaim`: then it is not to be touched any more.
    ///
    /// @return whether it was left; if not, it has ended just now
    boolean abandon(WorkChain chain) {
        chain.abandoned = true;
        // It may have ended just now, and its ender may have looked before; then it is ours after all.
        if (chain.casState(WorkChain.ENDED, WorkChain.READY)) {
            chain.abandoned = false;
            return false;
        }
        return true;
    }

    /// Has a chain end soon that did not end in time.
    static void giveUp(WorkChain chain, ChainPath path) {
        chain.givenUp = true;
        if (path.withdraw(chain)) {
            path.end(chain, WorkChain.Fault.UNREACHABLE);
            return;
        }
        @Nullable DataPair pair = chain.pair;
        if (pair != null && chain.state() == WorkChain.POSTED && path.breakPair(pair)) {
            pair.flush();
        }
    }
}
