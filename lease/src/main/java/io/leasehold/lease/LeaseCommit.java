package io.leasehold.lease;

import io.leasehold.lease.ControlMessage.Failed;
import io.leasehold.lease.ControlMessage.Granted;
import io.leasehold.lease.ControlMessage.Reason;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.function.Consumer;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/// Ends and begins leases, all that are queued in a [LeaseRegister] together. A round has four steps, each for all leases of the
/// round:
///
/// 1. *Words.* Swap the words of ending leases from {era, n} to {era + 1, 0}, and those of new ones to {era, units}. From here on
///    no extension of an ending lease succeeds; one whose word shows that its client was first goes on.
/// 2. *Keys.* The ranges of ending leases are closed, and those of new ones opened. By windows that is one chain a session: the
///    invalidations of its ending leases and the binds of its new ones.
/// 3. *Ends.* The keys are dead: ranges are free, and memory may leave quarantine.
/// 4. *Begins.* The keys work: the time of the leases begins, and the answers leave.
///
/// A range that an ending lease held is granted in the next round at the earliest, when the old key is dead, on whichever queue
/// pair that was. Departure from Patronus (FAST '23), which frees first, posts the invalidation later and never looks at its
/// completion. If a device does not take a key back, the lease keeps its range until it does.
///
/// For the control thread.
final class LeaseCommit {
    /// How often a word is tried that changes under the node's hands. An extension on its way changes it once or twice; only a
    /// client that scribbles keeps on.
    private static final int SWAP_TRIES_MAX = 8;
    /// How often a range is tried to be opened. Another caller may break the queue pair just then; a bind that fails again and
    /// again is what breaks it.
    private static final int OPEN_TRIES_MAX = 3;

    private final NodeOptions options;
    private final LongSupplier clock;
    private final LeaseRegister table;
    private final Backing backing;
    private final LoopBack loopBack;
    private final Leftovers leftovers;
    private final Consumer<Allocation> leaseEnded;

    /// A lease on its way through a round.
    private static final class Move {
        private final NodeLease lease;
        private final @Nullable PendingGrant grant;
        private boolean survived;
        private boolean scribbled;

        private Move(NodeLease lease, @Nullable PendingGrant grant) {
            this.lease = lease;
            this.grant = grant;
        }
    }

    /// @param leaseEnded told of the memory that a lease has left
    LeaseCommit(NodeOptions options, LeaseRegister table, NodeFabric fabric, Leftovers leftovers,
            Consumer<Allocation> leaseEnded) {
        this.options = options;
        this.table = table;
        this.leftovers = leftovers;
        this.leaseEnded = leaseEnded;
        clock = options.clock();
        backing = fabric.backing();
        loopBack = fabric.loopBack();
    }

    /// Runs rounds until nothing is queued.
    void run() {
        while (table.hasWork()) {
            List<Move> ends = new ArrayList<>();
            table.takeEnding().forEach(lease -> ends.add(new Move(lease, null)));
            List<Move> begins = new ArrayList<>();
            table.takeReady().forEach(grant -> prepare(grant, begins));
            swapWords(ends, begins);
            changeKeys(ends, begins);
            ends.forEach(this::finishEnd);
            begins.forEach(this::finishBegin);
        }
    }

    private void prepare(PendingGrant grant, List<Move> begins) {
        if (!grant.session.isActive()) {
            table.stall(grant);
            return;
        }
        if (table.size() >= options.maxLeases()) {
            table.refuse(grant, Reason.OUT_OF_WINDOWS,
                    "all " + options.maxLeases() + " leases of the node are in use; raise maxLeases of its NodeOptions");
            return;
        }
        Opening opening;
        try {
            opening = backing.take(grant.session, grant.terms);
        } catch (RefusedException e) {
            table.refuse(grant, e.reply());
            return;
        }
        int word = grant.session.row.take();
        if (word < 0) {
            leftovers.untilDone(opening::release);
            table.refuse(grant, Reason.OUT_OF_WORDS, "all " + options.maxLeasesPerSession()
                    + " leases of the session are in use; raise maxLeasesPerSession of the node's NodeOptions");
            return;
        }
        NodeLease lease = table.begin(grant, word);
        lease.opening = opening;
        begins.add(new Move(lease, grant));
    }

    // ---- words

    private void swapWords(List<Move> ends, List<Move> begins) {
        List<Move> open = new ArrayList<>(ends.size() + begins.size());
        for (Move move : ends) {
            // The words of a session that has ended are given up with it, and are closed to it first.
            if (!move.lease.session.ended) {
                move.lease.swap.aim(LeaseWord.word(move.lease.era, move.lease.units), LeaseWord.word(move.lease.era + 1, 0));
                open.add(move);
            }
        }
        for (Move move : begins) {
            move.lease.swap.aim(LeaseWord.word(move.lease.era, 0), LeaseWord.word(move.lease.era, move.lease.units));
            open.add(move);
        }
        for (int tries = 1; tries <= SWAP_TRIES_MAX && !open.isEmpty(); tries++) {
            loopBack.swap(open.stream().map(move -> move.lease.swap).toList());
            open.removeIf(this::isSettled);
        }
        open.forEach(move -> move.scribbled = true);
    }

    /// Looks at what a swap has observed.
    ///
    /// @return whether the word is as it should be; if not, the next try is prepared
    private boolean isSettled(Move move) {
        NodeLease lease = move.lease;
        if (lease.swap.isDone()) {
            return true;
        }
        long observed = lease.swap.observed();
        int units = LeaseWord.unitsOf(observed);
        boolean extended = move.grant == null && LeaseWord.eraOf(observed) == lease.era
                && Integer.compareUnsigned(units, lease.units) > 0;
        if (extended) {
            lease.units = units;
            move.survived = !lease.forced && lease.deadlineNanos(units) - clock.getAsLong() > 0;
            if (move.survived) {
                return true;
            }
        }
        // Extended, but not long enough, or no further than the lease's longest life; or scribbled over.
        lease.swap.aim(observed, lease.swap.desired());
        return false;
    }

    // ---- keys

    private void changeKeys(List<Move> ends, List<Move> begins) {
        for (Move move : ends) {
            if (!move.survived && move.lease.opening != null) {
                move.lease.opening.close();
            }
        }
        for (Move move : begins) {
            if (!move.scribbled && move.lease.session.isActive()) {
                Objects.requireNonNull(move.lease.opening).open();
            }
        }
        backing.run();
    }

    // ---- ends and begins

    private void finishEnd(Move move) {
        if (move.survived) {
            table.live(move.lease);
        } else {
            dropLease(move);
        }
    }

    private void finishBegin(Move move) {
        NodeLease lease = move.lease;
        PendingGrant grant = Objects.requireNonNull(move.grant);
        Opening opening = Objects.requireNonNull(lease.opening);
        if (opening.isOpen()) {
            long now = clock.getAsLong();
            lease.begin(now);
            table.live(lease);
            table.close(grant);
            lease.session.answer(grant.requestId, granted(lease, opening.key(), now));
            return;
        }
        dropLease(move);
        Failed refusal = opening.refusal();
        if (move.scribbled) {
            table.refuse(grant, Reason.BAD_REQUEST, "lease word " + lease.word + " changes while nobody holds a lease on it");
        } else if (refusal != null) {
            table.refuse(grant, refusal);
        } else if (++grant.failedOpenings == OPEN_TRIES_MAX) {
            table.refuse(grant, Reason.UNAVAILABLE, "the node's device failed to bind a window, on " + OPEN_TRIES_MAX
                    + " queue pairs; see its limits on the length of a window");
        } else {
            table.stall(grant);
        }
    }

    private static Granted granted(NodeLease lease, int key, long nowNanos) {
        LeaseTerms terms = lease.terms;
        return new Granted(lease.id, terms.offset(), terms.lengthBytes(), key, lease.session.generation, lease.word, lease.era,
                lease.beginNanos, terms.unitNanos(), terms.units(), lease.endNanos, nowNanos);
    }

    /// Ends a lease for good, as soon as its key is dead.
    private void dropLease(Move move) {
        leftovers.untilDone(() -> {
            NodeLease lease = move.lease;
            if (lease.opening != null && !lease.opening.release()) {
                return false;
            }
            lease.opening = null;
            if (move.scribbled) {
                lease.session.row.abandon();
            } else {
                lease.session.row.giveBack(lease.word);
            }
            table.forget(lease);
            leaseEnded.accept(lease.space);
            return true;
        });
    }
}
