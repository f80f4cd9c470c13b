package io.leasehold.structures;

import io.leasehold.lease.LeaseException;
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
/// takes no element along; under contention, with elements in plenty, by a fetch-and-add, which always succeeds.
///
/// If the connection breaks, no answer at all may come, and the tickets that may be this consumer's are those from the last value
/// of `deq` on that this operation saw. It looks after all of them: those of others are theirs or this one's, and none of their
/// consumers began before this operation did, so the order stands. If the operation saw none, because it relied on what an
/// earlier one had seen, the tag in `deq` tells (see [SegmentLayout]), unless others have taken tickets since.
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

    /// Where the head was last seen, by an access that began at `since`: the word `deq`, and at most the number of tickets that
    /// had been given to producers there.
    private record Cursor(long segment, long since, long deq, long given) {
        static final Cursor UNKNOWN = new Cursor(0, 0, 0, 0);

        /// The number of tickets that had been given to consumers.
        long taken() {
            return SegmentLayout.tickets(deq);
        }
    }

    QueueHead(Segments segments, ElementBlocks<E> blocks, long timeoutNanos) {
        this.segments = segments;
        this.blocks = blocks;
        this.timeoutNanos = timeoutNanos;
        layout = segments.layout;
        memory = segments.memory;
    }

    /// Takes up to `most` elements, in order: at least one, unless the queue was empty at some time during the call.
    ///
    /// @param claims whether to claim them, to be acknowledged later, or to take them
    /// @param harvest what was taken is added to this, also if the call throws
    /// @throws OutcomeUnknownException if elements may have been taken that are not in `harvest`: they are lost then
    void take(int most, boolean claims, List<Taken<E>> harvest) {
        Taking taking = new Taking(most, claims, harvest);
        try {
            if (segments.shape.isAcknowledged()) {
                taking.takeDue();
            }
            if (harvest.isEmpty()) {
                taking.take();
            }
        } finally {
            segments.recycle(timeoutNanos);
        }
    }

    /// One call of [#take].
    private final class Taking {
        private final int most;
        private final Restarts restarts = new Restarts(memory, "taking an element", timeoutNanos);
        private final Redemption<E> redemption;
        private final List<Taken<E>> harvest;
        private Cursor at = cursor;
        /// Whether `at.deq` was seen by this operation: then no ticket from there on was given out before it began.
        private boolean isFresh;

        /// @param harvest empty
        Taking(int most, boolean claims, List<Taken<E>> harvest) {
            this.most = Math.min(most, TAKE_MAX);
            this.harvest = harvest;
            redemption = new Redemption<>(segments, blocks, claims, restarts, harvest);
        }

        /// Takes an element that came back, if there is one.
        void takeDue() {
            Leftovers.SlotAt slot = segments.leftovers.pollDue(released, timeoutNanos);
            while (slot != null) {
                redemption.redeemAgain(slot);
                slot = harvest.isEmpty() ? segments.leftovers.pollDue(released, timeoutNanos) : null;
            }
        }

        void take() {
            try (Access access = at.segment == 0 ? memory.access() : memory.access(at.since)) {
                boolean isEmpty = false;
                while (!isEmpty && harvest.isEmpty()) {
                    try {
                        isEmpty = step(access);
                    } catch (StaleAccess e) {
                        at = Cursor.UNKNOWN;
                        restarts.again(e);
                        access.restart();
                    }
                }
            } catch (RuntimeException e) {
                if (harvest.isEmpty() || e instanceof OutcomeUnknownException) {
                    throw e;
                }
                LOG.log(Level.WARNING, "took " + harvest.size() + " elements of " + most + ", then failed", e);
            } finally {
                cursor = at;
            }
        }

        /// Looks, moves on, or takes.
        ///
        /// @return whether the queue was empty
        private boolean step(Access access) {
            if (at.segment == 0) {
                at = new Cursor(segments.read(access, segments.root(QueueShape.HEAD_AT)), access.since(), 0, 0);
                isFresh = false;
            }
            if (at.taken() >= at.given) {
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
            long seen = Segments.word(access, deq);
            long taken = SegmentLayout.tickets(seen);
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
                isFresh = false;
                return false;
            }
            at = new Cursor(at.segment, at.since, seen, given);
            isFresh = true;
            if (taken < given) {
                return false;
            }
            if (cameBack) {
                takeDue();
            }
            return true;
        }

        private void takeTickets(Access access) {
            long guess = at.taken();
            int count = (int) Math.min(most, at.given - guess);
            long desired = SegmentLayout.deqWord(nextTag(), guess + count);
            boolean byCas = contention.get() < CONTENDED || at.given - guess < 2L * contention.get();
            int deq = segments.addRead(access, layout.deq(at.segment));
            int enq = segments.addRead(access, layout.enq(at.segment));
            int tickets = byCas ? access.compareAndSwap(layout.deq(at.segment), at.deq, desired)
                    : access.fetchAndAdd(layout.deq(at.segment), count);
            int start = (int) Math.max(0, guess - QueueSlot.RUN_MAX + 1);
            int end = (int) (guess + count);
            int slots = segments.addSlots(access, at.segment, start, end);
            try {
                access.execute();
            } catch (StaleAccess | LeaseException e) {
                failed(access, e, new Tickets(deq, tickets, byCas, count, desired));
                return;
            }
            long found = access.previous(tickets);
            long before = SegmentLayout.tickets(found);
            boolean isGuessRight = byCas ? found == at.deq : before == guess;
            long given = Math.max(at.given, Math.min(Segments.word(access, enq), segments.slots()));
            long[] words = before == guess ? Segments.words(access, slots, end - start) : null;
            access.next();
            noteContention(isGuessRight);
            boolean hasWon = !byCas || isGuessRight;
            at = new Cursor(at.segment, at.since, byCas ? hasWon ? desired : found : found + count, given);
            isFresh = true;
            if (hasWon && before < segments.slots()) {
                int to = (int) Math.min(before + count, segments.slots());
                if (redemption.redeem(access, at.segment, (int) before, to, words, start, given)) {
                    at = Cursor.UNKNOWN;
                }
            }
        }

        /// Looks after the tickets that a doorbell which failed with `e` took, or may have taken, and lets the operation go on;
        /// throws `e` if it took none.
        private void failed(Access access, RuntimeException e, Tickets tickets) {
            long segment = at.segment;
            if (access.executed(tickets.position)) {
                long before = access.previous(tickets.position);
                if (tickets.byCas && before != at.deq) {
                    throw e instanceof StaleAccess ? e : new StaleAccess("the tickets were others'", e);
                }
                long from = SegmentLayout.tickets(before);
                redemption.lookAfter(access, segment, from, from + tickets.count, e);
            } else if (e instanceof OutcomeUnknownException lost) {
                boolean isRead = access.executed(tickets.deq);
                long low = isRead ? Segments.word(access, tickets.deq) : at.deq;
                if (tickets.byCas && low != at.deq) {
                    // It expected another value than was there just before: it has failed, if it was carried out at all.
                    throw new StaleAccess("an answer was lost", e);
                }
                long from = SegmentLayout.tickets(low);
                long to = tickets.byCas ? from + tickets.count : segments.slots();
                if (isRead || isFresh) {
                    redemption.lookAfter(access, segment, from, to, lost);
                } else {
                    redemption.lookAfterInDoubt(access, segment, from, to, tickets.byCas ? tickets.desired : 0, lost);
                }
            } else {
                throw e;
            }
            at = Cursor.UNKNOWN;
        }
    }

    /// A doorbell that takes tickets: where its READ of `deq` and its atomic are, and what the CAS leaves.
    private record Tickets(int deq, int position, boolean byCas, int count, long desired) {
    }

    /// A tag that no other CAS of `deq` has.
    private int nextTag() {
        return (int) segments.nextTaker() | 1;
    }

    private void noteContention(boolean isGuessRight) {
        int change = isGuessRight ? -1 : 4;
        contention.updateAndGet(now -> Math.clamp(now + change, 0, CONTENTION_MAX));
    }
}
