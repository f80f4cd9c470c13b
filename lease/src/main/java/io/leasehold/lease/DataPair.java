package io.leasehold.lease;

import io.leasehold.rdma.QueuePair;
import io.leasehold.rdma.RdmaError;
import io.leasehold.rdma.RdmaException;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;

/// A data queue pair while the session's windows are bound to it, and the places of its send queue.
///
/// One word holds the free places and whether the pair is broken, so that a poster that got places knows that nobody replaces the
/// keys before it has given them back: recovery starts when the pair is broken *and* all places are free.
final class DataPair {
    private static final int BROKEN = 1 << 30;

    final QueuePair queuePair;
    /// Which of the session's data queue pairs it is.
    final int index;
    /// Which activation made it the active one; the keys of that activation open windows through it.
    final int generation;
    /// The chains that it flushed before they were carried out, in any order; [WorkChain#flushOrder] tells the true one.
    final ConcurrentLinkedQueue<WorkChain> flushed = new ConcurrentLinkedQueue<>();
    private final int depth;
    private final AtomicInteger places;
    private volatile long brokenAtNanos;
    private boolean idleWhenBroken;
    private volatile boolean silent;

    DataPair(QueuePair queuePair, int index, int generation, int depth) {
        this.queuePair = queuePair;
        this.index = index;
        this.generation = generation;
        this.depth = depth;
        places = new AtomicInteger(depth);
    }

    /// Takes `count` places of the send queue, unless there are fewer or the pair is broken.
    boolean reserve(int count) {
        int now = places.get();
        while (now >= count && (now & BROKEN) == 0) {
            int witness = places.compareAndExchange(now, now - count);
            if (witness == now) {
                return true;
            }
            now = witness;
        }
        return false;
    }

    /// Gives places back.
    ///
    /// @return whether the pair is broken and these were the last: the caller then starts recovery
    boolean release(int count) {
        return places.addAndGet(count) == (BROKEN | depth);
    }

    boolean isBroken() {
        return (places.get() & BROKEN) != 0;
    }

    /// Lets nobody post from now on.
    ///
    /// @return whether the caller was the first to say so
    boolean markBroken(long nowNanos) {
        // First: whoever sees that the pair is broken may ask since when.
        brokenAtNanos = nowNanos;
        int before = places.getAndUpdate(now -> now | BROKEN);
        if ((before & BROKEN) != 0) {
            return false;
        }
        idleWhenBroken = before == depth;
        return true;
    }

    /// When it broke, about; for finding out that its completions do not come. For a pair that is broken.
    long brokenAtNanos() {
        return brokenAtNanos;
    }

    /// Whether nothing was on the way when the pair broke, so that no [#release] will say that it was the last; for the thread
    /// that [#markBroken] told that it was the first.
    boolean wasIdleWhenBroken() {
        return idleWhenBroken;
    }

    /// How many places are taken.
    int onTheWay() {
        return depth - (places.get() & ~BROKEN);
    }

    /// Whether the pair is broken and nothing is on the way any more.
    boolean isDrained() {
        return places.get() == (BROKEN | depth);
    }

    /// The queue pair was closed: what was on the way and has not completed never will.
    void markSilent() {
        silent = true;
    }

    boolean isSilent() {
        return silent;
    }

    /// Has everything on the way end now, as far as its fate is known; for a pair that is broken.
    void flush() {
        try {
            queuePair.toError();
        } catch (RdmaException e) {
            // Closed meanwhile by whoever replaces it: nothing is on the way any more.
            if (e.error() != RdmaError.CLOSED) {
                throw e;
            }
        }
    }

    /// Places of the send queue.
    int depth() {
        return depth;
    }
}
