package io.leasehold.lease;

import io.leasehold.lease.RangeLocks.Claim;
import io.leasehold.lease.TimingWheel.Timer;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/// What a node knows of a lease. Touched by the control thread alone, and changed by [LeaseRegister], [LeaseCommit] and
/// [Activation] only.
final class NodeLease {
    /// The life of a lease.
    enum State {
        /// Its word is being set and its range opened; the client knows nothing of it.
        BEGINNING,
        /// Granted.
        LIVE,
        /// To be ended by the next commit, unless that finds that the client has extended it.
        ENDING,
        /// Its key is dead.
        ENDED
    }

    /// Grows with every grant; a lease with a smaller id is older.
    final long id;
    final NodeSession session;
    final Allocation space;
    final LeaseTerms terms;
    final Claim<PendingGrant> claim;
    final int word;
    final int era;
    final WordSwap swap;
    final Timer<Runnable> timer;
    /// Those who wait for its end, whatever it ends for.
    final List<Runnable> onEnded = new ArrayList<>(1);

    State state = State.BEGINNING;
    /// What opens its range, if something does: nothing between the loss of a queue pair and the next activation.
    @Nullable Opening opening;
    /// The units that its word held when the node last looked.
    int units;
    long beginNanos;
    long endNanos;
    /// Whether it ends even if the client has extended it.
    boolean forced;

    NodeLease(long id, PendingGrant grant, Claim<PendingGrant> claim, int word, Consumer<NodeLease> due) {
        this.id = id;
        this.claim = claim;
        this.word = word;
        session = grant.session;
        space = grant.space;
        terms = grant.terms;
        era = session.row.era(word);
        swap = session.row.swap(word);
        units = terms.units();
        timer = new Timer<>(() -> due.accept(this));
    }

    /// The lease was granted at `nowNanos`.
    void begin(long nowNanos) {
        state = State.LIVE;
        beginNanos = nowNanos;
        endNanos = nowNanos + terms.lifeNanos();
    }

    /// When it ends if its word holds `wordUnits`: what the client asks for, but never beyond its longest life.
    long deadlineNanos(int wordUnits) {
        long asked = Integer.toUnsignedLong(wordUnits);
        // Compared by division: the product of a scribbled number and the unit may overflow.
        return asked > terms.lifeNanos() / terms.unitNanos() ? endNanos : beginNanos + asked * terms.unitNanos();
    }
}
