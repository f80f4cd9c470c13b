package io.leasehold.lease;

import io.leasehold.lease.LeaseEnding.Loss;
import java.util.concurrent.Future;
import org.jspecify.annotations.Nullable;

/// Extends one lease at half-life, again and again, until it is cancelled or the lease can live no longer. Runs on the session
/// timer and on the threads that deliver completions, and never waits.
final class Renewal {
    private final SessionCore session;
    private final Lease lease;
    private final LeaseWord word;
    private final long nanos;
    private volatile boolean cancelled;
    private volatile @Nullable Future<?> next;

    Renewal(SessionCore session, Lease lease, LeaseWord word, long nanos) {
        this.session = session;
        this.lease = lease;
        this.word = word;
        this.nanos = nanos;
    }

    /// Renews when half of what remains has passed.
    void schedule() {
        long remaining = word.deadlineNanos() - session.clock().latestNodeNanos();
        next = SessionTimer.after(remaining / 2, this::renew);
        if (cancelled) {
            cancel();
        }
    }

    void cancel() {
        cancelled = true;
        Future<?> waiting = next;
        if (waiting != null) {
            waiting.cancel(false);
        }
    }

    private void renew() {
        if (cancelled) {
            return;
        }
        Long desired = word.renewed(nanos);
        if (desired == null) {
            // At its longest life: it ends at its deadline, and onLost is told then.
            SessionTimer.after(word.deadlineNanos() - session.clock().latestNodeNanos(), this::expire);
            return;
        }
        try {
            swap(word.seen(), desired);
        } catch (RuntimeException e) {
            // A session that has ended ends its leases itself.
            if (session.state().isOpen()) {
                throw e;
            }
        }
    }

    private void swap(long expected, long desired) {
        Batch batch = session.batch();
        batch.addToWord(word.remote(), expected, desired);
        batch.executeAsync().whenComplete((_, failure) -> {
            // Without an answer the word may have moved or not: the next attempt finds out, if the lease lives so long.
            boolean there = failure != null || word.learn(batch.previous(0), expected, desired);
            if (failure instanceof OutcomeUnknownException) {
                lease.extensionInDoubt();
            }
            batch.close();
            renewed(there);
        });
    }

    private void renewed(boolean there) {
        if (there) {
            lease.expire();
            if (lease.extended() && !cancelled) {
                schedule();
            }
        } else {
            lease.lose(Loss.ENDED_BY_NODE);
        }
    }

    private void expire() {
        if (!cancelled) {
            lease.expire();
        }
    }
}
