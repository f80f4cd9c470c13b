package io.leasehold.lease;

import io.leasehold.lease.RangeLocks.Claim;
import io.leasehold.lease.TimingWheel.Timer;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/// A request for a lease that is in order, on its way to be granted. Touched by the control thread alone, and changed by
/// [LeaseRegister] only.
final class PendingGrant {
    /// Where the request is.
    enum State {
        /// It waits for conflicting leases to end, and for conflicting requests that came before it.
        WAITING,
        /// It waits for its session to activate a data queue pair, and claims no range meanwhile.
        STALLED,
        /// It holds its range, and the next commit grants it.
        READY,
        /// It was answered.
        ANSWERED
    }

    final NodeSession session;
    final long requestId;
    final Allocation space;
    final LeaseTerms terms;
    final long patienceEndsNanos;
    final Timer<Runnable> timer;
    State state = State.WAITING;
    /// How often its range could not be opened.
    int failedOpenings;
    @Nullable Claim<PendingGrant> claim;

    PendingGrant(NodeSession session, long requestId, Allocation space, LeaseTerms terms, long patienceEndsNanos,
            Consumer<PendingGrant> patienceOver) {
        this.session = session;
        this.requestId = requestId;
        this.space = space;
        this.terms = terms;
        this.patienceEndsNanos = patienceEndsNanos;
        timer = new Timer<>(() -> patienceOver.accept(this));
    }
}
