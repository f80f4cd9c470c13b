package io.leasehold.lease;

import io.leasehold.lease.IntervalIndex.Interval;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import java.util.random.RandomGenerator;

/// Locks on ranges of bytes: two claims conflict if they share a byte and their modes exclude each other
/// ([LeaseMode#conflictsWith]).
///
/// First come, first served: a claim waits for every conflicting claim that was made before it, held or waiting, and for nothing
/// else; so none starves, and claims that do not conflict pass each other. A claim counts those it waits for, and holds its range
/// when the count is zero. [LeaseMode#UNCHECKED] claims are held at once and are not in the table. For one thread.
final class RangeLocks<O> {
    private final IntervalIndex<Claim<O>> shared;
    private final IntervalIndex<Claim<O>> exclusive;
    private long made;

    /// @param chance balances the table; nobody whose claims it takes may know it
    RangeLocks(RandomGenerator chance) {
        shared = new IntervalIndex<>(chance);
        exclusive = new IntervalIndex<>(chance);
    }

    /// A claim of `owner` to a range, waiting or held.
    static final class Claim<O> {
        private final O owner;
        private final LeaseMode mode;
        private final long start;
        private final long end;
        private final long order;
        private final Interval<Claim<O>> interval;
        private int waitsFor;

        private Claim(O owner, LeaseMode mode, long start, long end, long order) {
            this.owner = owner;
            this.mode = mode;
            this.start = start;
            this.end = end;
            this.order = order;
            interval = new Interval<>(start, end, this);
        }

        boolean isHeld() {
            return waitsFor == 0;
        }
    }

    /// The number of claims in the table.
    int size() {
        return shared.size() + exclusive.size();
    }

    /// Claims `[start, end)`.
    Claim<O> claim(O owner, LeaseMode mode, long start, long end) {
        Claim<O> claim = new Claim<>(owner, mode, start, end, ++made);
        if (mode != LeaseMode.UNCHECKED) {
            forEachConflicting(claim, _ -> claim.waitsFor++);
            index(mode).add(claim.interval);
        }
        return claim;
    }

    /// Releases a claim that is held, or withdraws one that waits.
    ///
    /// @param held sees the owners whose claims are held from now on, in the order of their claims
    void release(Claim<O> claim, Consumer<? super O> held) {
        if (claim.mode == LeaseMode.UNCHECKED) {
            return;
        }
        index(claim.mode).remove(claim.interval);
        List<Claim<O>> freed = new ArrayList<>();
        forEachConflicting(claim, other -> {
            if (other.order > claim.order && --other.waitsFor == 0) {
                freed.add(other);
            }
        });
        freed.sort((a, b) -> Long.compare(a.order, b.order));
        freed.forEach(other -> held.accept(other.owner));
    }

    private void forEachConflicting(Claim<O> claim, Consumer<Claim<O>> found) {
        for (LeaseMode mode : LeaseMode.values()) {
            if (mode.conflictsWith(claim.mode)) {
                index(mode).forEachOverlapping(claim.start, claim.end, found);
            }
        }
    }

    private IntervalIndex<Claim<O>> index(LeaseMode mode) {
        return mode == LeaseMode.EXCLUSIVE ? exclusive : shared;
    }
}
