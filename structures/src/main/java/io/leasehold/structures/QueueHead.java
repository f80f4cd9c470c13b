package io.leasehold.structures;

import io.leasehold.lease.OutcomeUnknownException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/// The end of a queue where elements are taken: gives out tickets and moves on from drained segments. Thread-safe.
///
/// Three round trips: look at `deq` and `enq`; take tickets, and read their slots with the same doorbell; take the elements from
/// their slots, and read their blocks with the same doorbell (see [Redemption]). The first is saved while elements are known to
/// wait.
///
/// The queue is *empty* if a look finds, in one segment, `deq` not less than `enq` or the end of a last segment: the words are
/// read in this order and only grow, so at the instant of the second READ every ticket that was given to a producer has been
/// given to a consumer.
///
/// Tickets are taken by a CAS of `deq`, which never gives out a ticket that no producer has, so that an idle consumer that dies
/// takes no element along; under contention, with elements in plenty, by a fetch-and-add, which always succeeds. If the answer is
/// lost, the tickets that may be this consumer's are those given out since `deq` was read with the same doorbell, and it looks
/// after all of them: those of others are theirs or this one's, and none of their consumers began before this operation did, so
/// the order stands.
final class QueueHead<E> {
    private static final Logger LOG = System.getLogger(QueueHead.class.getName());
    /// Most elements taken with one doorbell.
    static final int TAKE_MAX = 64;
    /// Failed CASes that make consumers use fetch-and-add.
    private static final int CONTENDED = 8;
    private static final int CONTENTION_MAX = 64;

    private final Segments segments;
    private final SegmentLayout layout;
    private final Memory memory;
    private final ElementBlocks<E> blocks;
    private final long timeoutNanos;
    private final AtomicInteger contention = new AtomicInteger();
    private volatile Cursor cursor = Cursor.UNKNOWN;
    private volatile long released;

    /// Where the head was last seen, by an access that began at `since`. `taken` and `given` are at most the numbers of tickets
    /// that had been given to consumers and producers there.
    private record Cursor(long segment, long since, long taken, long given) {
        static final Cursor UNKNOWN = new Cursor(0, 0, 0, 0);
    }

    QueueHead(Segments segments, ElementBlocks<E> blocks, long timeoutNanos) {
        this.segments = segments;
        this.blocks = blocks;
        this.timeoutNanos = timeoutNanos;
        layout = segments.layout;
        memory = segments.memory;
    }

    /// Takes up to `most` elements, in order.
    ///
    /// @param claims whether to claim them, to be acknowledged later, or to take them
    /// @return at least one, unless the queue was empty at some time during the call
    List<Taken<E>> take(int most, boolean claims) {
        Taking taking = new Taking(most, claims);
        try {
            List<Taken<E>> due = segments.shape.isAcknowledged() ? taking.due() : List.of();
            return due.isEmpty() ? taking.take() : due;
        } finally {
            segments.recycle(timeoutNanos);
        }
    }

    /// One call of [#take].
    private final class Taking {
        private final int most;
        private final Restarts restarts = new Restarts(memory, "taking an element", timeoutNanos);
        private final Redemption<E> redemption;
        private Cursor at = cursor;

        Taking(int most, boolean claims) {
            this.most = Math.min(most, TAKE_MAX);
            redemption = new Redemption<>(segments, blocks, claims, restarts);
        }

        /// Takes an element that came back, if there is one.
        List<Taken<E>> due() {
            Leftovers.SlotAt slot = segments.leftovers.pollDue(released, timeoutNanos);
            while (slot != null) {
                redemption.redeemAgain(slot);
                if (!redemption.harvest().isEmpty()) {
                    return redemption.harvest();
                }
                slot = segments.leftovers.pollDue(released, timeoutNanos);
            }
            return List.of();
        }

        List<Taken<E>> take() {
            try (Access access = at.segment == 0 ? memory.access() : memory.access(at.since)) {
                boolean isEmpty = false;
                while (!isEmpty && redemption.harvest().isEmpty()) {
                    try {
                        isEmpty = step(access);
                    } catch (StaleAccess e) {
                        at = Cursor.UNKNOWN;
                        restarts.again(e);
                        access.restart();
                    }
                }
            } catch (RuntimeException e) {
                if (redemption.harvest().isEmpty()) {
                    throw e;
                }
                LOG.log(Level.WARNING, "took " + redemption.harvest().size() + " elements of " + most + ", then failed", e);
            } finally {
                cursor = at;
            }
            return redemption.harvest();
        }

        /// Looks, moves on, or takes.
        ///
        /// @return whether the queue was empty
        private boolean step(Access access) {
            if (at.segment == 0) {
                at = new Cursor(segments.read(access, segments.root(QueueShape.HEAD_AT)), access.since(), 0, 0);
            }
            if (at.taken >= at.given) {
                return look(access);
            }
            takeTickets(access);
            return false;
        }

        private boolean look(Access access) {
            int deq = segments.addRead(access, layout.deq(at.segment));
            int enq = segments.addRead(access, layout.enq(at.segment));
            int next = segments.addNext(access, at.segment);
            int back = segments.shape.isAcknowledged() ? segments.addRead(access, segments.root(QueueShape.RELEASED_AT)) : 0;
            access.execute();
            long taken = Segments.word(access, deq);
            long given = Math.min(Segments.word(access, enq), segments.slots());
            long successor = segments.successor(access, at.segment, next);
            boolean cameBack = false;
            if (segments.shape.isAcknowledged()) {
                long now = Segments.word(access, back);
                cameBack = now != released;
                released = now;
            }
            access.next();
            if (taken >= segments.slots() && successor != 0) {
                segments.advanceHead(access, at.segment, successor);
                at = new Cursor(successor, at.since, 0, 0);
                return false;
            }
            at = new Cursor(at.segment, at.since, taken, given);
            if (taken < given) {
                return false;
            }
            if (cameBack) {
                due();
            }
            return true;
        }

        private void takeTickets(Access access) {
            long guess = at.taken;
            int count = (int) Math.min(most, at.given - guess);
            boolean byCas = contention.get() < CONTENDED || at.given - guess < 2L * contention.get();
            int deq = segments.addRead(access, layout.deq(at.segment));
            int enq = segments.addRead(access, layout.enq(at.segment));
            int tickets = byCas ? access.compareAndSwap(layout.deq(at.segment), guess, guess + count)
                    : access.fetchAndAdd(layout.deq(at.segment), count);
            int start = (int) Math.max(0, guess - QueueSlot.RUN_MAX + 1);
            int end = (int) (guess + count);
            int slots = segments.addSlots(access, at.segment, start, end);
            try {
                access.execute();
            } catch (OutcomeUnknownException e) {
                long low = access.executed(deq) ? Segments.word(access, deq) : segments.slots();
                if (byCas && low != guess) {
                    // A CAS that expected another value than was there just before has failed, if it was carried out at all.
                    throw new StaleAccess("an answer was lost", e);
                }
                redemption.lookAfter(access, at.segment, low, byCas ? guess + count : segments.slots(), e);
                at = Cursor.UNKNOWN;
                return;
            } catch (StaleAccess e) {
                if (access.executed(tickets) && (!byCas || access.previous(tickets) == guess)) {
                    long low = access.previous(tickets);
                    redemption.lookAfter(access, at.segment, low, low + count, e);
                    at = Cursor.UNKNOWN;
                    return;
                }
                throw e;
            }
            long before = access.previous(tickets);
            long given = Math.max(at.given, Math.min(Segments.word(access, enq), segments.slots()));
            long[] words = before == guess ? Segments.words(access, slots, end - start) : null;
            access.next();
            noteContention(before == guess);
            at = new Cursor(at.segment, at.since, byCas && before != guess ? before : before + count, given);
            if (before < segments.slots() && (!byCas || before == guess)) {
                int to = (int) Math.min(before + count, segments.slots());
                if (redemption.redeem(access, at.segment, (int) before, to, words, start, given)) {
                    at = Cursor.UNKNOWN;
                }
            }
        }
    }

    private void noteContention(boolean isGuessRight) {
        int change = isGuessRight ? -1 : 4;
        contention.updateAndGet(now -> Math.clamp(now + change, 0, CONTENTION_MAX));
    }
}
