package io.leasehold.structures;

import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// How many elements a bounded queue still takes. Thread-safe.
///
/// The count that must not exceed the capacity is that of tickets which were given out to producers, not yet to consumers, and
/// whose slots are not final: each may hold an element, now or soon. Whoever finds it below the capacity may take tickets by a
/// CAS of `enq`: if that succeeds, no tickets have been taken since, and everything else only lowers the count. Usually the
/// distance of `enq` from an old value of `deq` is small enough, and finding room costs nothing.
///
/// If it is not, the slots themselves are looked at, since elements may have been removed from the middle, and producers may have
/// died between ticket and slot. The queue is *full* only if as many slots as the capacity are FULL: they are read twice, and a
/// slot that is FULL both times, and whose ticket to take has not been given out afterwards, held an element at the instant
/// between. Slots whose producer is late are poisoned.
///
/// Costs two READs of all slots between `deq` and `enq` when the queue is full, or nearly.
final class Room {
    private final Segments segments;
    private final int capacity;
    private volatile Segments.@Nullable Head taken;

    /// @param tickets how many tickets of the tail segment the room follows
    /// @param room at most so many more may be taken by a CAS from `tickets`; 0 if the queue was full
    record Found(long tickets, long room) {
    }

    /// Slots `[from, to)` of a segment.
    private record Span(long segment, int from, int to) {
    }

    /// Slots of several spans, numbered through: holding an element, or not final.
    private static final class Census {
        final BitSet full = new BitSet();
        final BitSet open = new BitSet();
        final List<Leftovers.SlotAt> late = new ArrayList<>();
        int size;
    }

    Room(Segments segments) {
        this.segments = segments;
        capacity = segments.shape.capacity();
    }

    /// Finds room for at most `most` elements in the tail segment, of which `tickets` are believed to be given out.
    Found find(Access access, long tail, long tickets, int most) {
        Segments.Head known = taken;
        if (known == null || left(known, tail, tickets) < most) {
            known = segments.currentHead(access);
            taken = known;
        }
        long left = left(known, tail, tickets);
        return left > 0 ? new Found(tickets, left) : measure(access, tail);
    }

    private long left(Segments.Head head, long tail, long tickets) {
        return capacity - Math.max(0, segments.layout.between(head.segment(), head.taken(), tail, tickets));
    }

    private Found measure(Access access, long tail) {
        Patience.Wait wait = segments.patience.begin();
        while (true) {
            Segments.Head before = segments.currentHead(access);
            int enq = segments.addRead(access, segments.layout.enq(tail));
            int next = segments.addNext(access, tail);
            access.execute();
            long tickets = Math.min(Segments.word(access, enq), segments.slots());
            boolean isLast = segments.successor(access, tail, next) == 0;
            access.next();
            if (!isLast || SegmentLayout.distance(before.segment(), tail) < 0) {
                // Not the tail any more: whoever goes on from here moves to the next segment and asks again.
                return new Found(segments.slots(), 1);
            }
            List<Span> spans = spans(access, before, tail, (int) tickets);
            Census first = count(access, spans);
            Census second = count(access, spans);
            Segments.Head after = segments.currentHead(access);
            taken = after;
            int from = (int) Math.min(second.size, Math.max(0,
                    segments.layout.between(before.segment(), before.taken(), after.segment(), after.taken())));
            int open = second.open.get(from, Math.max(from, second.size)).cardinality();
            if (open < capacity) {
                return new Found(tickets, capacity - open);
            }
            second.full.and(first.full);
            if (second.full.get(from, Math.max(from, second.size)).cardinality() >= capacity) {
                return new Found(tickets, 0);
            }
            if (wait.isOver()) {
                poison(access, second.late);
            }
        }
    }

    private List<Span> spans(Access access, Segments.Head head, long tail, int tickets) {
        List<Span> spans = new ArrayList<>();
        long segment = head.segment();
        int from = (int) Math.min(head.taken(), segments.slots());
        while (segment != tail) {
            spans.add(new Span(segment, from, segments.slots()));
            segment = segments.successor(access, segment);
            from = 0;
        }
        if (from < tickets) {
            spans.add(new Span(segment, from, tickets));
        }
        return spans;
    }

    private Census count(Access access, List<Span> spans) {
        Census census = new Census();
        for (Span span : spans) {
            if (span.from == span.to) {
                continue;
            }
            int start = Math.max(0, span.from - QueueSlot.RUN_MAX + 1);
            int position = segments.addSlots(access, span.segment, start, span.to);
            access.execute();
            long[] words = Segments.words(access, position, span.to - start);
            access.next();
            for (int i = span.from - start; i < words.length; i++, census.size++) {
                count(census, new Leftovers.SlotAt(span.segment, start + i, words[i]), QueueSlot.judge(words, i));
            }
        }
        return census;
    }

    private static void count(Census census, Leftovers.SlotAt slot, QueueSlot.Judgement judgement) {
        if (QueueSlot.isFinal(slot.word())) {
            return;
        }
        census.open.set(census.size);
        boolean isEmpty = slot.word() == QueueSlot.EMPTY;
        census.full.set(census.size, !isEmpty && judgement == QueueSlot.Judgement.PUT);
        if (isEmpty || judgement == QueueSlot.Judgement.VOID) {
            census.late.add(slot);
        }
    }

    private void poison(Access access, List<Leftovers.SlotAt> late) {
        for (Leftovers.SlotAt slot : late) {
            access.compareAndSwap(segments.layout.slot(slot.segment(), slot.ticket()), slot.word(), QueueSlot.POISON);
        }
        if (!late.isEmpty()) {
            Segments.executeHarmless(access);
            access.next();
        }
    }
}
