package io.leasehold.structures;

import io.leasehold.lease.HeapKind;
import io.leasehold.lease.OutOfBoundsException;
import io.leasehold.lease.OutcomeUnknownException;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// Looks at a queue without taking from its ends: `peek`, `size`, iteration, and removal from the middle. Thread-safe.
///
/// An element *waits* if its slot is FULL and no consumer has been given the ticket to take it, or if it was released. One round
/// trip reads a page of slots, and after them `deq` and `enq`.
final class QueueScan<E> {
    /// Slots that an iteration reads with one doorbell.
    static final int PAGE = 64;
    /// Elements that an iteration holds at once.
    static final int HELD_MAX = 16;

    private final Segments segments;
    private final SegmentLayout layout;
    private final Memory memory;
    private final ElementBlocks<E> blocks;
    private final long timeoutNanos;

    /// The slots `[from, to)` of a segment, its counters as they were afterwards, and its successor or 0.
    record Page(long segment, int from, int to, int start, long[] words, long taken, long given, long next) {
        long word(int ticket) {
            return words[ticket - start];
        }

        /// Whether the slot held an element that waited when `deq` was read, unless that was removed from the middle before.
        boolean isWaiting(int ticket) {
            int state = QueueSlot.state(word(ticket));
            return state == QueueSlot.RELEASED || state == QueueSlot.FULL && ticket >= taken
                    && QueueSlot.judge(words, ticket - start) == QueueSlot.Judgement.PUT;
        }

        /// Whether there were no more tickets than this page shows.
        boolean isLast() {
            return to >= given && next == 0;
        }
    }

    QueueScan(Segments segments, ElementBlocks<E> blocks, long timeoutNanos) {
        this.segments = segments;
        this.blocks = blocks;
        this.timeoutNanos = timeoutNanos;
        layout = segments.layout;
        memory = segments.memory;
    }

    Restarts restarts(String operation) {
        return new Restarts(memory, operation, timeoutNanos);
    }

    /// Reads a page; one round trip.
    Page page(Access access, long segment, int from, int to) {
        int start = Math.max(0, from - QueueSlot.RUN_MAX + 1);
        int slots = segments.addSlots(access, segment, start, to);
        int deq = segments.addRead(access, layout.deq(segment));
        int enq = segments.addRead(access, layout.enq(segment));
        int next = segments.addNext(access, segment);
        access.execute();
        Page page = new Page(segment, from, to, start, Segments.words(access, slots, to - start),
                SegmentLayout.tickets(Segments.word(access, deq)),
                Math.min(Segments.word(access, enq), segments.slots()), segments.successor(access, segment, next));
        access.next();
        return page;
    }

    /// The oldest segment with elements that may wait; one or two round trips.
    long begin(Access access) {
        return segments.shape.isAcknowledged() ? segments.read(access, segments.root(QueueShape.FIRST_AT))
                : segments.currentHead(access).segment();
    }

    /// Counts the elements that wait. Without concurrent changes exact; else never more than waited when the last `deq` was read,
    /// but for elements that were removed from the middle meanwhile. Two round trips, and one for each segment.
    long count() {
        Restarts restarts = restarts("counting the elements");
        try (Access access = memory.access()) {
            while (true) {
                try {
                    long count = 0;
                    for (long segment = begin(access); segment != 0;) {
                        Page page = page(access, segment, 0, segments.slots());
                        for (int i = 0; i < page.to; i++) {
                            count += page.isWaiting(i) ? 1 : 0;
                        }
                        segment = page.next;
                    }
                    return count;
                } catch (StaleAccess e) {
                    restarts.again(e);
                    access.restart();
                }
            }
        }
    }

    /// The first element that waits, `null` if the queue was empty at some time during the call. Four round trips.
    ///
    /// A slot before it whose producer has a ticket and has not come is poisoned like by a consumer: if it were filled later,
    /// this element would not have been the first.
    @Nullable E peek() {
        Restarts restarts = restarts("peeking");
        Patience.Wait wait = segments.patience.begin();
        boolean isLate = false;
        try (Access access = memory.access()) {
            while (true) {
                try {
                    First first = first(access, isLate);
                    if (first.isEmpty) {
                        return null;
                    }
                    E element = first.slot == null ? null : confirmed(access, first.slot);
                    if (element != null) {
                        return element;
                    }
                    isLate = wait.isOver();
                } catch (OutOfBoundsException e) {
                    restarts.again(e);
                    access.next();
                } catch (StaleAccess e) {
                    restarts.again(e);
                    access.restart();
                }
            }
        }
    }

    /// Whether nothing waited at some time during the call; two round trips. Poisons like [#peek()].
    boolean isEmpty() {
        Restarts restarts = restarts("looking whether anything waits");
        Patience.Wait wait = segments.patience.begin();
        boolean isLate = false;
        try (Access access = memory.access()) {
            while (true) {
                try {
                    First first = first(access, isLate);
                    if (first.isEmpty || first.slot != null) {
                        return first.isEmpty;
                    }
                    isLate = wait.isOver();
                } catch (StaleAccess e) {
                    restarts.again(e);
                    access.restart();
                }
            }
        }
    }

    /// What waits first: nothing, a slot, or (both unset) something that has to be looked at again.
    private record First(boolean isEmpty, Leftovers.@Nullable SlotAt slot) {
        static final First AGAIN = new First(false, null);
        static final First EMPTY = new First(true, null);
    }

    private First first(Access access, boolean poisons) {
        long segment = begin(access);
        int from = 0;
        while (true) {
            Page page = page(access, segment, from, Math.min(from + PAGE, segments.slots()));
            for (int i = from; i < page.to; i++) {
                if (page.isWaiting(i)) {
                    return new First(false, new Leftovers.SlotAt(segment, i, page.word(i)));
                }
                if (i >= page.taken && i < page.given && !QueueSlot.isFinal(page.word(i))
                        && QueueSlot.state(page.word(i)) != QueueSlot.CLAIMED) {
                    if (poisons) {
                        poison(access, page, i);
                    }
                    return First.AGAIN;
                }
            }
            if (page.isLast()) {
                return First.EMPTY;
            }
            from = page.to;
            if (page.to == segments.slots()) {
                segment = page.next;
                from = 0;
            } else if (page.taken >= page.to) {
                from = (int) Math.min(page.taken, segments.slots() - 1L);
            }
        }
    }

    /// Poisons a slot that is EMPTY or void.
    private void poison(Access access, Page page, int ticket) {
        long word = page.word(ticket);
        if (word == QueueSlot.EMPTY || QueueSlot.judge(page.words, ticket - page.start) == QueueSlot.Judgement.VOID) {
            access.compareAndSwap(layout.slot(page.segment, ticket), word, QueueSlot.POISON);
            Segments.executeHarmless(access);
            access.next();
        }
    }

    /// The element in a slot, `null` if it does not wait there any more.
    private @Nullable E confirmed(Access access, Leftovers.SlotAt slot) {
        int block = readBlock(access, slot);
        int deq = segments.addRead(access, layout.deq(slot.segment()));
        int word = segments.addRead(access, layout.slot(slot.segment(), slot.ticket()));
        access.execute();
        boolean isReleased = QueueSlot.state(slot.word()) == QueueSlot.RELEASED;
        E element = Segments.word(access, word) == slot.word() && (isReleased
                || SegmentLayout.tickets(Segments.word(access, deq)) <= slot.ticket()) ? blocks.decode(access.data(block)) : null;
        access.next();
        return element;
    }

    private int readBlock(Access access, Leftovers.SlotAt slot) {
        long word = slot.word();
        return access.read(HeapKind.DATA, layout.addressOfBlock(QueueSlot.block(word)), QueueSlot.lengthBytes(word));
    }

    /// The elements in `slots`, without those that were taken meanwhile; one round trip.
    List<Taken<E>> elements(Access access, List<Leftovers.SlotAt> slots) {
        int[] reads = new int[slots.size()];
        int[] words = new int[slots.size()];
        for (int i = 0; i < reads.length; i++) {
            reads[i] = readBlock(access, slots.get(i));
        }
        for (int i = 0; i < reads.length; i++) {
            words[i] = segments.addRead(access, layout.slot(slots.get(i).segment(), slots.get(i).ticket()));
        }
        access.execute();
        List<Taken<E>> elements = new ArrayList<>(reads.length);
        for (int i = 0; i < reads.length; i++) {
            MemorySegment data = access.data(reads[i]);
            if (Segments.word(access, words[i]) == slots.get(i).word()) {
                elements.add(new Taken<>(blocks.decode(data), null, slots.get(i)));
            }
        }
        access.next();
        return elements;
    }

    /// Takes the element in `slot` out of the queue, from wherever it is; two round trips.
    ///
    /// @return whether this call did
    boolean remove(Leftovers.SlotAt slot) {
        return change(slot, QueueSlot.taken(segments.nextTaker()));
    }

    /// Takes claimed elements out of the queue, all that are still their claimer's; two round trips.
    ///
    /// @param slots in the order in which they were claimed
    /// @throws OutcomeUnknownException if it cannot be known of one whether it was taken out: if not, it comes back
    void takeAll(List<Leftovers.SlotAt> slots) {
        long to = QueueSlot.taken(segments.nextTaker());
        boolean[] settled = new boolean[slots.size()];
        boolean mayBeMade = false;
        try (Access access = memory.access()) {
            int[] positions = new int[slots.size()];
            long oldest = slots.stream().map(Leftovers.SlotAt::segment)
                    .reduce((a, b) -> SegmentLayout.distance(a, b) < 0 ? b : a).orElseThrow();
            if (segments.holds(access, oldest)) {
                for (int i = 0; i < positions.length; i++) {
                    Leftovers.SlotAt slot = slots.get(i);
                    positions[i] = access.compareAndSwap(layout.slot(slot.segment(), slot.ticket()), slot.word(), to);
                }
                mayBeMade = true;
                try {
                    access.execute();
                } finally {
                    for (int i = 0; i < positions.length; i++) {
                        settled[i] = access.executed(positions[i]);
                        if (settled[i] && access.previous(positions[i]) == slots.get(i).word()) {
                            segments.retireBlock(slots.get(i).word());
                        }
                    }
                }
                return;
            }
        } catch (StaleAccess | OutcomeUnknownException e) {
            // One by one, then.
        }
        for (int i = 0; i < settled.length; i++) {
            if (!settled[i]) {
                change(slots.get(i), to, mayBeMade);
            }
        }
    }

    /// Changes the word of a slot that leads to a block; if to TAKEN, the block is given back.
    ///
    /// @return whether it held the expected word
    /// @throws OutcomeUnknownException if that cannot be known
    boolean change(Leftovers.SlotAt slot, long to) {
        return change(slot, to, false);
    }

    /// @param isTried whether the change was tried already, and may be made
    private boolean change(Leftovers.SlotAt slot, long to, boolean isTried) {
        Restarts restarts = restarts("changing a slot");
        OutcomeUnknownException lost = null;
        boolean mayBeMade = isTried;
        try (Access access = memory.access()) {
            while (true) {
                int position = 0;
                try {
                    if (!segments.holds(access, slot.segment())) {
                        break;
                    }
                    position = access.compareAndSwap(layout.slot(slot.segment(), slot.ticket()), slot.word(), to);
                    if (QueueSlot.state(to) == QueueSlot.RELEASED) {
                        access.fetchAndAdd(segments.root(QueueShape.RELEASED_AT), 1);
                    }
                    access.execute();
                    // A taker is unique, and only its holder releases a claim; but who takes a claim over writes what renews it.
                    boolean isMade = access.previous(position) == slot.word()
                            || mayBeMade && access.previous(position) == to && QueueSlot.state(to) != QueueSlot.CLAIMED;
                    if (isMade && QueueSlot.state(to) == QueueSlot.TAKEN) {
                        segments.retireBlock(slot.word());
                    }
                    return isMade;
                } catch (OutcomeUnknownException e) {
                    lost = e;
                    mayBeMade = true;
                    restarts.again(e);
                    access.restart();
                } catch (StaleAccess e) {
                    mayBeMade |= access.size() > 1 && access.executed(position);
                    restarts.again(e);
                    access.restart();
                }
            }
        }
        if (lost != null) {
            throw lost;
        }
        return false;
    }
}
