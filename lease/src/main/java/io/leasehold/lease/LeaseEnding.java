package io.leasehold.lease;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// Whether and why a lease has ended for its holder, and what is to be done then. It ends once, and the first cause stays.
final class LeaseEnding {
    /// Why a lease is no more, other than because its holder closed it.
    enum Loss {
        /// Its deadline has passed.
        EXPIRED,
        /// It could not be extended, or was not among the leases that the node still knew when the session recovered.
        ENDED_BY_NODE,
        /// The session was closed.
        SESSION_CLOSED,
        /// The session ended for another reason.
        SESSION_LOST
    }

    private volatile boolean ended;
    // Guarded by this.
    private boolean closed;
    private @Nullable Loss loss;
    private final List<Runnable> actions = new ArrayList<>(0);

    boolean hasEnded() {
        return ended;
    }

    /// The holder ends the lease.
    ///
    /// @return whether it had not ended before
    synchronized boolean close() {
        if (ended) {
            return false;
        }
        closed = true;
        ended = true;
        actions.clear();
        return true;
    }

    /// The lease is lost; has what was asked for done.
    ///
    /// @return whether it had not ended before
    boolean lose(Loss why) {
        List<Runnable> now;
        synchronized (this) {
            if (ended) {
                return false;
            }
            loss = why;
            ended = true;
            now = List.copyOf(actions);
            actions.clear();
        }
        now.forEach(LeaseEnding::run);
        return true;
    }

    /// Has `action` run when the lease is lost; at once if it was, never if it was closed.
    void onLost(Runnable action) {
        synchronized (this) {
            if (!ended) {
                actions.add(action);
                return;
            }
            if (closed) {
                return;
            }
        }
        run(action);
    }

    /// On a thread of its own: users may want to wait for operations, and whoever found the loss is busy letting operations go on.
    private static void run(Runnable action) {
        Thread.ofVirtual().name("leasehold-lease-lost").start(action);
    }

    /// Why `what`, which names the lease, cannot be done any more.
    RuntimeException exception(String what, SessionState session) {
        Loss why;
        boolean byHolder;
        synchronized (this) {
            why = loss;
            byHolder = closed;
        }
        if (why == Loss.SESSION_LOST) {
            return session.exception(what);
        }
        String reason;
        if (byHolder) {
            reason = "was closed";
        } else if (why == null || why == Loss.EXPIRED) {
            reason = "ended at its deadline";
        } else {
            reason = why == Loss.SESSION_CLOSED ? "ended with its session" : "was ended by the node";
        }
        return new LeaseExpiredException(what + ": the lease " + reason + "; acquire a new one");
    }
}
