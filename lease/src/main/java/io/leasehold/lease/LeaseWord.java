package io.leasehold.lease;

import io.leasehold.lease.ControlMessage.Granted;
import io.leasehold.lease.WorkChain.Kind;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/// A lease's word at the node, as its holder knows it, and the deadline it stands for.
///
/// ```
///  63              32 31               0
/// +------------------+------------------+
/// |       era        |      units       |     deadline = begin + units × unit
/// +------------------+------------------+
/// ```
///
/// The holder moves `units` by compare-and-swap; the node ends the lease by moving `era`. So of an extension and an expiry
/// exactly one wins.
final class LeaseWord {
    private final SessionCore session;
    private final long remote;
    private final int era;
    private final long beginNanos;
    private final long unitNanos;
    private final long endNanos;
    // What the word held when it was last seen; grows.
    private volatile int units;

    LeaseWord(SessionCore session, Granted granted) {
        this.session = session;
        remote = session.wordRemote(granted.word());
        era = granted.era();
        beginNanos = granted.beginNanos();
        unitNanos = granted.unitNanos();
        endNanos = granted.endNanos();
        units = granted.units();
    }

    static long word(int era, int units) {
        return (long) era << Integer.SIZE | units & 0xffff_ffffL;
    }

    static int eraOf(long word) {
        return (int) (word >>> Integer.SIZE);
    }

    static int unitsOf(long word) {
        return (int) word;
    }

    /// The deadline, in node time.
    long deadlineNanos() {
        return deadlineNanos(units);
    }

    private long deadlineNanos(int count) {
        return beginNanos + Integer.toUnsignedLong(count) * unitNanos;
    }

    /// How far the word would have to move for the deadline to move by `nanos`, from `count` units; −1 if it would pass the
    /// longest life.
    private int moved(int count, long nanos) {
        long more = nanos / unitNanos + (nanos % unitNanos == 0 ? 0 : 1);
        long target = Integer.toUnsignedLong(count) + more;
        return target <= maxUnits() ? (int) target : -1;
    }

    private long maxUnits() {
        return Math.min((endNanos - beginNanos) / unitNanos, 0xffff_ffffL);
    }

    /// The word as it was last seen.
    long seen() {
        return word(era, units);
    }

    /// The word to put in place of [#seen()] to move the deadline by `nanos`, as far as the longest life allows; `null` if it
    /// cannot move.
    @Nullable Long renewed(long nanos) {
        int count = units;
        int target = moved(count, nanos);
        if (target < 0) {
            target = (int) maxUnits();
        }
        return Integer.compareUnsigned(target, count) > 0 ? word(era, target) : null;
    }

    long remote() {
        return remote;
    }

    /// Learns from what a compare-and-swap found.
    ///
    /// @return whether the lease was still there
    boolean learn(long previous, long expected, long desired) {
        if (previous == expected) {
            raise(unitsOf(desired));
            return true;
        }
        if (eraOf(previous) != era) {
            return false;
        }
        raise(unitsOf(previous));
        return true;
    }

    private synchronized void raise(int count) {
        if (Integer.compareUnsigned(count, units) > 0) {
            units = count;
        }
    }

    /// Runs `ending` if the deadline has passed at `nowNanos` of the node's clock: never between somebody's learning that it has
    /// moved and the move.
    ///
    /// @return what `ending` returned
    synchronized boolean endAt(long nowNanos, BooleanSupplier ending) {
        return nowNanos >= deadlineNanos() && ending.getAsBoolean();
    }

    /// Moves the deadline by `nanos`. One round trip, and one more each time that another thread was faster.
    ///
    /// @return whether the lease was still there
    /// @throws LeaseExpiredException if it would outlive its longest life
    /// @throws NodeUnavailableException if it was not moved in time
    /// @throws OutcomeUnknownException if the connection broke and the word could not be read in time: the deadline may have moved
    boolean extend(long nanos) {
        long giveUpNanos = session.deadline();
        while (true) {
            int count = units;
            int target = moved(count, nanos);
            if (target < 0) {
                throw new LeaseExpiredException("the lease can be extended by " + Math.max(0, endNanos - deadlineNanos(count))
                        + " ns more, not by " + nanos + " ns: acquire it with a longer maxLife, or acquire a new one");
            }
            long expected = word(era, count);
            long desired = word(era, target);
            try {
                long previous = session.operations().atomic(Kind.COMPARE_AND_SWAP, session.wordRow(), remote, expected, desired);
                if (!learn(previous, expected, desired)) {
                    return false;
                }
                if (previous == expected) {
                    return true;
                }
            } catch (OutcomeUnknownException e) {
                // The word itself tells. If it has not moved far enough, the swap was not made, or another thread was faster.
                long now = look(e, giveUpNanos);
                if (eraOf(now) != era) {
                    return false;
                }
                raise(unitsOf(now));
                if (Integer.compareUnsigned(unitsOf(now), target) >= 0) {
                    return true;
                }
                if (SystemClock.NANOS.getAsLong() - giveUpNanos >= 0) {
                    throw new NodeUnavailableException(e.getMessage() + "; it was not, and the time is over: try again", e);
                }
            }
        }
    }

    /// Reads the word after a swap of it whose answer was lost, by adding nothing, which can be repeated.
    ///
    /// @throws OutcomeUnknownException if it cannot be read in time
    private long look(OutcomeUnknownException lost, long giveUpNanos) {
        while (true) {
            try {
                return session.operations().atomic(Kind.FETCH_AND_ADD, session.wordRow(), remote, 0, 0);
            } catch (OutcomeUnknownException e) {
                if (SystemClock.NANOS.getAsLong() - giveUpNanos >= 0) {
                    throw e;
                }
            } catch (LeaseException | IllegalStateException e) {
                OutcomeUnknownException unknown = new OutcomeUnknownException(lost.getMessage()
                        + "; then the lease word could not be read: " + e.getMessage(), lost);
                unknown.addSuppressed(e);
                throw unknown;
            }
        }
    }
}
