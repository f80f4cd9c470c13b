package io.leasehold.structures;

import io.leasehold.lease.HeapKind;
import io.leasehold.lease.LeaseException;
import io.leasehold.lease.OutcomeUnknownException;
import java.lang.foreign.MemorySegment;
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
/// - the answers to the CASes of slots are lost, of all when a connection breaks: they are repeated. A slot belongs to one
///   producer, so whatever it holds but poison, it was this one who filled it;
/// - the answer to the CAS that links a segment is lost: the link shows it. If there is none, the segment and its blocks, which
///   may not have been written either, are written again with the CAS.
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
        int filled = 0;
        try {
            access.execute();
            filled = filled(access, positions, before -> before == QueueSlot.EMPTY);
            access.next();
        } catch (RuntimeException e) {
            filled = filled(access, positions, before -> before == QueueSlot.EMPTY);
            // What is behind one that failed is void, whatever became of it.
            if (e instanceof OutcomeUnknownException lost && filled < count && !access.executed(positions[filled])) {
                filled = refill(access, segment, ticket, words, filled, lost);
                throw new StaleAccess("answers were lost, and found again", e);
            }
            throw e;
        } finally {
            elements.publish(filled);
        }
    }

    /// How many CASes of a run, from its first on, were carried out and found what `won` accepts.
    private static int filled(Access access, int[] positions, LongPredicate won) {
        int filled = 0;
        while (filled < positions.length && access.executed(positions[filled])
                && won.test(access.previous(positions[filled]))) {
            filled++;
        }
        return filled;
    }

    /// Repeats the CASes of a run from slot `filled` on, whose answers were lost: when a connection breaks, each of them may have
    /// been carried out. Restarts the access.
    ///
    /// @return how many slots of the run are filled
    /// @throws OutcomeUnknownException `lost`, if that cannot be known
    private int refill(Access access, long segment, long ticket, long[] words, int filled, OutcomeUnknownException lost) {
        Restarts restarts = new Restarts(memory, "finding out about lost answers", timeoutNanos);
        while (true) {
            int[] positions = new int[words.length - filled];
            try {
                access.restart();
                if (!segments.holds(access, segment)) {
                    break;
                }
                for (int i = 0; i < positions.length; i++) {
                    positions[i] = access.compareAndSwap(layout.slot(segment, ticket + filled + i), QueueSlot.EMPTY,
                            words[filled + i]);
                }
                access.execute();
                return filled + filled(access, positions, QueueTail::isMine);
            } catch (StaleAccess | OutcomeUnknownException e) {
                restarts.again(lost);
            } catch (LeaseException e) {
                lost.addSuppressed(e);
                break;
            }
        }
        throw lost;
    }

    /// Whether a slot, seen with this word by the one producer that has its ticket, has been filled by it.
    private static boolean isMine(long word) {
        return QueueSlot.state(word) != QueueSlot.DEAD;
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
        MemorySegment image = layout.image(serial, elements.words(count));
        boolean isLinked = false;
        boolean mayBeLinked = true;
        try {
            isLinked = append(access, segment, pointer, image, elements);
            mayBeLinked = isLinked;
            access.next();
        } catch (OutcomeUnknownException e) {
            isLinked = appendAgain(access, segment, pointer, image, elements, e);
            mayBeLinked = isLinked;
            throw new StaleAccess("answers were lost, and found again", e);
        } catch (StaleAccess | LeaseException e) {
            mayBeLinked = false;
            throw e;
        } finally {
            if (isLinked) {
                elements.publish(count);
            } else if (!mayBeLinked) {
                memory.abandon(HeapKind.INDEX, address, layout.bytes());
            }
        }
        return isLinked ? pointer : 0;
    }

    /// Writes a segment, and the blocks of its elements, and links it behind `segment`; one doorbell.
    ///
    /// @return whether it was linked; if not, somebody else has appended one
    private boolean append(Access access, long segment, long pointer, MemorySegment image, Outgoing elements) {
        elements.addWrites(access);
        access.write(HeapKind.INDEX, layout.address(pointer), image);
        int position = access.compareAndSwap(layout.next(segment), 0, pointer);
        try {
            access.execute();
            return access.previous(position) == 0;
        } finally {
            elements.noteWrites(access);
        }
    }

    /// Finds out whether [#append] has linked the segment although its answers were lost; if nobody has linked any, tries again,
    /// with all that has to be written: nobody knows whether that was, and it must not be once the segment is linked. Restarts
    /// the access.
    ///
    /// @throws OutcomeUnknownException `lost`, if that cannot be known
    private boolean appendAgain(Access access, long segment, long pointer, MemorySegment image, Outgoing elements,
            OutcomeUnknownException lost) {
        Restarts restarts = new Restarts(memory, "finding out about lost answers", timeoutNanos);
        while (true) {
            try {
                access.restart();
                if (!segments.holds(access, segment)) {
                    break;
                }
                long next = segments.successor(access, segment);
                return next == 0 ? append(access, segment, pointer, image, elements) : next == pointer;
            } catch (StaleAccess | OutcomeUnknownException e) {
                restarts.again(lost);
            } catch (LeaseException e) {
                lost.addSuppressed(e);
                break;
            }
        }
        throw lost;
    }
}
