package io.leasehold.structures;

import io.leasehold.lease.HeapKind;
import io.leasehold.lease.OutcomeUnknownException;
import java.util.function.LongPredicate;
import org.jspecify.annotations.Nullable;

/// The end of a queue where elements are put: takes tickets, fills slots, appends segments. Thread-safe.
///
/// One round trip writes the blocks and takes tickets by a fetch-and-add, a second fills the slots by CAS. A slot that its
/// consumer has poisoned costs two more: new ticket, same block. A full segment costs three more, once for all its elements: the
/// one who appends the next puts its elements in there with the same doorbell.
///
/// What can go wrong between two round trips, and what follows:
/// - the access becomes stale: the ticket is left behind, its slot is poisoned by a consumer, and a new one is taken;
/// - the answer to the fetch-and-add is lost: likewise;
/// - the answer to the CAS of a slot is lost: it is repeated. A slot belongs to one producer, so whatever it holds but poison, it
///   was this one who filled it;
/// - the answer to the CAS that links a segment is lost: it is repeated, too.
///
/// Only if the segment was recycled before it could be asked (the producer was cut off for all that time) is the outcome unknown
/// to the caller as well.
///
/// The structure is the array queue with fetch-and-add of Ramalhete and Correia (FAAArrayQueue), whose dequeuers poison slots by
/// an exchange where these first look again; that of Yang and Mellor-Crummey, PPoPP 2016, is its wait-free relative.
final class QueueTail {
    private final Segments segments;
    private final SegmentLayout layout;
    private final Memory memory;
    private final @Nullable Room room;
    private final long timeoutNanos;
    private volatile Cursor cursor = Cursor.UNKNOWN;

    /// Where the tail was last seen, by an access that began at `since`; `tickets` is at most the number of tickets given out in
    /// it.
    private record Cursor(long segment, long since, long tickets) {
        static final Cursor UNKNOWN = new Cursor(0, 0, 0);
    }

    /// @param room what a bounded queue has left; `null` for an unbounded one
    QueueTail(Segments segments, @Nullable Room room, long timeoutNanos) {
        this.segments = segments;
        this.room = room;
        this.timeoutNanos = timeoutNanos;
        layout = segments.layout;
        memory = segments.memory;
    }

    /// Puts elements in order, until all are in the queue or the queue is full.
    ///
    /// @return `false` if the queue was full, at some time during the call, for the first that is not in it
    /// @throws OutcomeUnknownException if it cannot be known whether the first that is not in the queue is in it
    boolean put(Outgoing elements) {
        Cursor at = cursor;
        Restarts restarts = new Restarts(memory, "putting an element", timeoutNanos);
        try (Access access = at.segment == 0 ? memory.access() : memory.access(at.since)) {
            while (elements.left() > 0) {
                try {
                    if (at.segment == 0) {
                        at = new Cursor(segments.read(access, segments.root(QueueShape.TAIL_AT)), access.since(), 0);
                    }
                    Cursor next = room == null ? putAnyway(access, at, elements) : putIfRoom(room, access, at, elements);
                    if (next == null) {
                        return false;
                    }
                    at = next;
                } catch (StaleAccess e) {
                    at = Cursor.UNKNOWN;
                    restarts.again(e);
                    access.restart();
                }
            }
            return true;
        } finally {
            cursor = at;
            segments.recycle(timeoutNanos);
        }
    }

    private Cursor putAnyway(Access access, Cursor at, Outgoing elements) {
        int count = Math.min(Math.min(elements.left(), QueueSlot.RUN_MAX), segments.slots());
        elements.addWrites(access);
        int position = access.fetchAndAdd(layout.enq(at.segment), count);
        executeWrites(access, elements);
        long ticket = access.previous(position);
        access.next();
        if (ticket >= segments.slots()) {
            return extend(access, at, elements, count);
        }
        fill(access, at.segment, ticket, (int) Math.min(count, segments.slots() - ticket), elements);
        return new Cursor(at.segment, at.since, ticket + count);
    }

    /// As [#putAnyway], but takes tickets by a CAS, which fails if others took some since the room was looked at.
    ///
    /// @return `null` if the queue was full
    private @Nullable Cursor putIfRoom(Room limited, Access access, Cursor at, Outgoing elements) {
        int most = Math.min(elements.left(), QueueSlot.RUN_MAX);
        Room.Found found = limited.find(access, at.segment, at.tickets, most);
        if (found.room() == 0) {
            return null;
        }
        int count = (int) Math.min(most, found.room());
        long ticket = found.tickets();
        if (ticket >= segments.slots()) {
            return extend(access, at, elements, Math.min(count, segments.slots()));
        }
        count = (int) Math.min(count, segments.slots() - ticket);
        elements.addWrites(access);
        int position = access.compareAndSwap(layout.enq(at.segment), ticket, ticket + count);
        executeWrites(access, elements);
        long before = access.previous(position);
        access.next();
        if (before != ticket) {
            return new Cursor(at.segment, at.since, before);
        }
        fill(access, at.segment, ticket, count, elements);
        return new Cursor(at.segment, at.since, ticket + count);
    }

    private static void executeWrites(Access access, Outgoing elements) {
        try {
            // A ticket that was taken without an answer is as good as one that was left behind.
            Segments.executeHarmless(access);
        } finally {
            elements.noteWrites(access);
        }
    }

    /// Fills slots with the next `count` elements, in order. Those behind the first whose slot is poisoned are void (see
    /// [QueueSlot]): they are put again with it.
    private void fill(Access access, long segment, long ticket, int count, Outgoing elements) {
        int[] positions = new int[count];
        long[] words = elements.words(count);
        for (int i = 0; i < count; i++) {
            words[i] |= i > 0 ? QueueSlot.AFTER : 0;
            positions[i] = access.compareAndSwap(layout.slot(segment, ticket + i), QueueSlot.EMPTY, words[i]);
        }
        try {
            access.execute();
        } catch (RuntimeException e) {
            int filled = filled(access, positions);
            elements.publish(filled);
            // If the one without an answer is behind one that failed, it is void whatever became of it.
            if (e instanceof OutcomeUnknownException lost) {
                if (filled < count && !access.executed(positions[filled])
                        && isFilled(access, segment, ticket + filled, words[filled], lost)) {
                    elements.publish(1);
                }
                throw new StaleAccess("an answer was lost, and found again", e);
            }
            throw e;
        }
        elements.publish(filled(access, positions));
        access.next();
    }

    private static int filled(Access access, int[] positions) {
        int filled = 0;
        while (filled < positions.length && access.executed(positions[filled])
                && access.previous(positions[filled]) == QueueSlot.EMPTY) {
            filled++;
        }
        return filled;
    }

    /// Repeats the CAS of a slot whose answer was lost. Leaves the access restarted.
    private boolean isFilled(Access access, long segment, long ticket, long word, OutcomeUnknownException lost) {
        long slot = layout.slot(segment, ticket);
        return repeat(access, segment, slot, word, lost, before -> QueueSlot.state(before) != QueueSlot.DEAD);
    }

    /// Repeats a CAS of `word` for 0 whose answer was lost, and asks `won` with the word that it finds.
    private boolean repeat(Access access, long segment, long address, long word, OutcomeUnknownException lost,
            LongPredicate won) {
        Restarts restarts = new Restarts(memory, "finding out about a lost answer", timeoutNanos);
        while (true) {
            try {
                access.restart();
                if (!segments.holds(access, segment)) {
                    break;
                }
                int position = access.compareAndSwap(address, 0, word);
                Segments.executeHarmless(access);
                return won.test(access.previous(position));
            } catch (StaleAccess e) {
                restarts.again(lost);
            }
        }
        throw lost;
    }

    /// Moves on from a full segment: to where the tail is, or to a new segment that holds the next `count` elements already.
    private Cursor extend(Access access, Cursor at, Outgoing elements, int count) {
        int nextRead = segments.addNext(access, at.segment);
        int tailRead = segments.addRead(access, segments.root(QueueShape.TAIL_AT));
        access.execute();
        long next = segments.successor(access, at.segment, nextRead);
        long tail = Segments.word(access, tailRead);
        access.next();
        if (next == 0) {
            long mine = link(access, at.segment, elements, count);
            if (mine != 0) {
                segments.advance(access, QueueShape.TAIL_AT, at.segment, mine);
                return new Cursor(mine, at.since, count);
            }
            next = segments.successor(access, at.segment);
        } else if (SegmentLayout.distance(next, tail) > 0) {
            next = tail;
        }
        if (tail == at.segment) {
            segments.advance(access, QueueShape.TAIL_AT, at.segment, next);
        }
        return new Cursor(next, at.since, 0);
    }

    /// Appends a segment with the next `count` elements in its first slots; one round trip.
    ///
    /// @return its pointer, or 0 if somebody else has appended one
    private long link(Access access, long segment, Outgoing elements, int count) {
        long address = memory.allocate(HeapKind.INDEX, layout.bytes());
        long serial = SegmentLayout.serial(segment) + 1;
        long pointer = layout.pointer(serial, address);
        elements.addWrites(access);
        access.write(HeapKind.INDEX, address, layout.image(serial, elements.words(count)));
        int position = access.compareAndSwap(layout.next(segment), 0, pointer);
        boolean isLinked = false;
        boolean isKnown = true;
        OutcomeUnknownException lost = null;
        try {
            try {
                access.execute();
                isLinked = access.previous(position) == 0;
            } catch (OutcomeUnknownException e) {
                lost = e;
            } finally {
                elements.noteWrites(access);
            }
            if (lost != null) {
                isKnown = false;
                isLinked = repeat(access, segment, layout.next(segment), pointer, lost,
                        before -> before == 0 || before == pointer);
                isKnown = true;
                throw new StaleAccess("an answer was lost, and found again", lost);
            }
            access.next();
        } finally {
            if (isLinked) {
                elements.publish(count);
            } else if (isKnown) {
                memory.abandon(HeapKind.INDEX, address, layout.bytes());
            }
        }
        return isLinked ? pointer : 0;
    }
}
