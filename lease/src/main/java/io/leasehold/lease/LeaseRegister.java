package io.leasehold.lease;

import io.leasehold.lease.ControlMessage.Failed;
import io.leasehold.lease.ControlMessage.Reason;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.LongSupplier;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;

/// All leases of a node and all requests for leases, and the way from the one to the other, where `==>` is the work of a commit:
///
/// ```
///   STALLED <--> WAITING --> READY ==> LIVE --> ENDING ==> ENDED
///                                        ^         ‖
///                                        +=========+  the client had extended it in time
/// ```
///
/// Handlers only move leases and requests between these states; [LeaseCommit] does what the queued ones need of the device, for
/// all of them together. For the control thread.
final class LeaseRegister {
    /// Most leases that one round of a commit ends, and most that it begins.
    static final int ROUND_MAX = 1024;

    private final NodeOptions options;
    private final LongSupplier clock;
    private final TimingWheel<Runnable> wheel;
    private final RangeLocks<PendingGrant> locks;
    private final Map<Long, NodeLease> leases = new HashMap<>();
    private final ArrayDeque<PendingGrant> ready = new ArrayDeque<>();
    private final ArrayDeque<NodeLease> ending = new ArrayDeque<>();
    private long lastId;

    /// @param chance balances the table of locks; unknown to clients
    LeaseRegister(NodeOptions options, TimingWheel<Runnable> wheel, RandomGenerator chance) {
        this.options = options;
        this.wheel = wheel;
        locks = new RangeLocks<>(chance);
        clock = options.clock();
    }

    /// Leases that have begun and not ended.
    int size() {
        return leases.size();
    }

    /// Ranges that are held or waited for.
    int claims() {
        return locks.size();
    }

    // ---- requests for leases

    /// Takes a request for a lease, which will be answered in its time.
    void request(NodeSession session, long requestId, Allocation space, LeaseTerms terms, long patienceNanos) {
        PendingGrant grant = new PendingGrant(session, requestId, space, terms, clock.getAsLong() + patienceNanos,
                this::patienceOver);
        session.grants.add(grant);
        submit(grant);
    }

    private void submit(PendingGrant grant) {
        if (!grant.session.isActive()) {
            stall(grant);
            return;
        }
        grant.claim = locks.claim(grant, grant.terms.mode(), grant.terms.offset(), grant.terms.end());
        grant.state = PendingGrant.State.WAITING;
        if (grant.claim.isHeld()) {
            makeReady(grant);
        } else if (grant.patienceEndsNanos - clock.getAsLong() <= 0) {
            patienceOver(grant);
        } else {
            wheel.set(grant.timer, grant.patienceEndsNanos);
        }
    }

    private void makeReady(PendingGrant grant) {
        wheel.cancel(grant.timer);
        grant.state = PendingGrant.State.READY;
        ready.add(grant);
    }

    /// Has a request wait for the next activation of its session, without holding others up.
    void stall(PendingGrant grant) {
        withdraw(grant);
        grant.state = PendingGrant.State.STALLED;
        long now = clock.getAsLong();
        wheel.set(grant.timer, now + Math.max(grant.patienceEndsNanos - now, options.sessionTerm().toNanos()));
    }

    /// The session has activated a queue pair: takes up what has waited for it.
    void resume(NodeSession session) {
        for (PendingGrant grant : new ArrayList<>(session.grants)) {
            if (grant.state == PendingGrant.State.STALLED) {
                wheel.cancel(grant.timer);
                submit(grant);
            }
        }
    }

    private void patienceOver(PendingGrant grant) {
        if (grant.timer.isSet()) {
            // It was set anew between becoming due and now.
            return;
        }
        if (grant.state == PendingGrant.State.STALLED) {
            refuse(grant, Reason.UNAVAILABLE, "the session has activated no data queue pair since its last one broke");
        } else if (grant.state == PendingGrant.State.WAITING) {
            refuse(grant, Reason.CONFLICT, "range " + grant.terms.offset() + " of " + grant.terms.lengthBytes()
                    + " bytes is leased in a conflicting mode, or asked for before, and was not free in time");
        }
    }

    /// Answers a request with a refusal.
    void refuse(PendingGrant grant, Reason reason, String detail) {
        refuse(grant, new Failed(reason, ControlCodec.detail(detail)));
    }

    /// Answers a request with a refusal.
    void refuse(PendingGrant grant, Failed refusal) {
        withdraw(grant);
        close(grant);
        grant.session.answer(grant.requestId, refusal);
    }

    /// The request was answered.
    void close(PendingGrant grant) {
        wheel.cancel(grant.timer);
        grant.state = PendingGrant.State.ANSWERED;
        grant.session.grants.remove(grant);
    }

    private void withdraw(PendingGrant grant) {
        var claim = grant.claim;
        if (claim != null) {
            grant.claim = null;
            locks.release(claim, this::makeReady);
        }
    }

    /// Refuses all requests of `session` for `space`, or for anything if `space` is `null`.
    void refuseAll(NodeSession session, @Nullable Allocation space, Reason reason, String detail) {
        if (session.grants.isEmpty()) {
            return;
        }
        for (PendingGrant grant : new ArrayList<>(session.grants)) {
            if (space == null || grant.space == space) {
                refuse(grant, reason, detail);
            }
        }
    }

    // ---- leases

    /// A new lease, whose range is to be opened, and is the lease's from now on.
    NodeLease begin(PendingGrant grant, int word) {
        NodeLease lease = new NodeLease(++lastId, grant, Objects.requireNonNull(grant.claim), word, this::due);
        grant.claim = null;
        leases.put(lease.id, lease);
        lease.session.leases.put(lease.id, lease);
        lease.space.leases().add(lease.id);
        return lease;
    }

    /// The lease begins to live, and will be due at its deadline.
    void live(NodeLease lease) {
        lease.state = NodeLease.State.LIVE;
        wheel.set(lease.timer, lease.deadlineNanos(lease.units));
    }

    private void due(NodeLease lease) {
        if (lease.state == NodeLease.State.LIVE && !lease.timer.isSet()) {
            lease.state = NodeLease.State.ENDING;
            ending.add(lease);
        }
    }

    /// Has a lease end with the next commit, whether the client has extended it or not.
    ///
    /// @param ended run when it has ended
    void end(NodeLease lease, Runnable ended) {
        lease.forced = true;
        lease.onEnded.add(ended);
        wheel.cancel(lease.timer);
        due(lease);
    }

    /// Has all of `ids` that live end with the next commit.
    void endAll(Collection<Long> ids) {
        for (long id : ids) {
            NodeLease lease = leases.get(id);
            if (lease != null) {
                end(lease, () -> { });
            }
        }
    }

    /// Forgets a lease whose key is dead, and lets those in that have waited for its range.
    void forget(NodeLease lease) {
        lease.state = NodeLease.State.ENDED;
        wheel.cancel(lease.timer);
        leases.remove(lease.id);
        lease.session.leases.remove(lease.id);
        lease.space.leases().remove(lease.id);
        locks.release(lease.claim, this::makeReady);
        lease.onEnded.forEach(Runnable::run);
    }

    // ---- what a commit takes

    boolean hasWork() {
        return !ready.isEmpty() || !ending.isEmpty();
    }

    List<NodeLease> takeEnding() {
        List<NodeLease> taken = new ArrayList<>();
        while (taken.size() < ROUND_MAX && !ending.isEmpty()) {
            taken.add(ending.removeFirst());
        }
        return taken;
    }

    List<PendingGrant> takeReady() {
        List<PendingGrant> taken = new ArrayList<>();
        while (taken.size() < ROUND_MAX && !ready.isEmpty()) {
            PendingGrant grant = ready.removeFirst();
            // A request may have been refused or stalled after it got ready.
            if (grant.state == PendingGrant.State.READY) {
                taken.add(grant);
            }
        }
        return taken;
    }
}
