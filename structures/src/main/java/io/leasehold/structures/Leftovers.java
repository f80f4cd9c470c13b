package io.leasehold.structures;

import io.leasehold.lease.OutcomeUnknownException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/// Looks after slots whose ticket was given out to a consumer that has not finished with them: it may be slow, paused or dead,
/// and nobody can tell. Thread-safe.
///
/// The rule is the observer's own: whoever saw a slot's word unchanged for all of the queue's visibility, by its own monotonic
/// clock from after a READ to before another, may take the slot from its consumer. No clocks are compared across machines, and a
/// consumer that changes the word in time (`Delivery.renew`) is safe, since whoever saw the word before has to begin anew. The
/// consumer that lost its slot finds that out by its own CAS, which fails.
///
/// What becomes of the element: with [DeliveryMode#ACKNOWLEDGED] it is handed to another consumer. With
/// [DeliveryMode#AT_MOST_ONCE] it is dropped when its segment is to be recycled, as if the consumer had died with it in hand: to
/// hand it out now would break the order, as elements behind it have been taken. EMPTY slots (the producer, too, has not come)
/// are poisoned: it then takes another ticket.
final class Leftovers {
    private static final Logger LOG = System.getLogger(Leftovers.class.getName());

    private final Segments segments;
    private final long visibilityNanos;
    private final ReentrantLock lock = new ReentrantLock();
    private Map<SlotAt, Seen> seen = new HashMap<>();
    /// Drained segments that were searched: which of their slots were not final.
    private Map<Long, Window> windows = new HashMap<>();
    private final ArrayDeque<SlotAt> due = new ArrayDeque<>();
    private long searchedNanos;
    private long releasedThen;

    /// A slot, with the word it was seen with.
    record SlotAt(long segment, int ticket, long word) {
    }

    /// When a slot was seen first, by this observer.
    private record Seen(long nanos) {
    }

    /// The slots `[from, to)`, and the segment after theirs.
    private record Window(int from, int to, long next) {
    }

    Leftovers(Segments segments) {
        this.segments = segments;
        visibilityNanos = segments.shape.visibilityNanos();
        searchedNanos = segments.memory.clock().getAsLong();
    }

    /// Whether the slot was seen with this word at least the visibility before `lookedNanos`; otherwise notes that it was seen
    /// now.
    private boolean isSilent(SlotAt slot, long lookedNanos, Map<SlotAt, Seen> noted) {
        Seen before = seen.get(slot);
        noted.put(slot, before != null ? before : new Seen(segments.memory.clock().getAsLong()));
        return before != null && lookedNanos - before.nanos >= visibilityNanos;
    }

    /// Settles what can be settled of a segment all of whose tickets have been given out: one round trip, none if all slots are
    /// final.
    ///
    /// @param words its slots, read after `lookedNanos`
    /// @return whether all slots are final now
    boolean settle(Access access, long segment, long[] words, long lookedNanos) {
        lock.lock();
        try {
            boolean isFinal = true;
            List<Change> changes = new ArrayList<>();
            Map<SlotAt, Seen> noted = new HashMap<>();
            for (int i = 0; i < words.length; i++) {
                if (QueueSlot.isFinal(words[i])) {
                    continue;
                }
                SlotAt slot = new SlotAt(segment, i, words[i]);
                if (words[i] == QueueSlot.EMPTY || QueueSlot.judge(words, i) == QueueSlot.Judgement.VOID) {
                    changes.add(add(access, slot, QueueSlot.POISON));
                } else if (!segments.shape.isAcknowledged() && isSilent(slot, lookedNanos, noted)) {
                    changes.add(add(access, slot, QueueSlot.taken(segments.nextTaker())));
                } else {
                    isFinal = false;
                }
            }
            if (!segments.shape.isAcknowledged()) {
                seen = noted;
            }
            return apply(access, changes) && isFinal;
        } finally {
            lock.unlock();
        }
    }

    /// Slots whose elements may be handed out again, oldest first: those that were released, and those whose consumer is silent.
    ///
    /// Costs nothing unless `released` (the word of the root) has changed since the last search or a quarter of the visibility
    /// has passed; then about one round trip for each segment that has left slots behind. None if another thread is searching.
    ///
    /// @return one slot for the caller to try, or `null`
    @Nullable SlotAt pollDue(long released, long timeoutNanos) {
        if (!lock.tryLock()) {
            return null;
        }
        try {
            long now = segments.memory.clock().getAsLong();
            if (due.isEmpty() && (released != releasedThen || now - searchedNanos >= visibilityNanos / 4)) {
                search(timeoutNanos);
                releasedThen = released;
                searchedNanos = now;
            }
            return due.poll();
        } finally {
            lock.unlock();
        }
    }

    private void search(long timeoutNanos) {
        Restarts restarts = new Restarts(segments.memory, "search for elements to hand out again", timeoutNanos);
        try (Access access = segments.memory.access()) {
            while (true) {
                try {
                    due.clear();
                    searchFromFirst(access);
                    return;
                } catch (StaleAccess | OutcomeUnknownException e) {
                    // Changes that were made are made; the search is not spoilt by those that were not.
                    restarts.again(e);
                    access.restart();
                }
            }
        }
    }

    private void searchFromFirst(Access access) {
        Map<Long, Window> searched = new HashMap<>();
        Map<SlotAt, Seen> noted = new HashMap<>();
        long segment = segments.read(access, segments.root(QueueShape.FIRST_AT));
        while (segment != 0) {
            Window window = windows.get(segment);
            if (window == null || window.from < window.to) {
                window = searchSegment(access, segment, window, noted);
            }
            searched.put(segment, window);
            segment = window.next;
        }
        searched.values().removeIf(window -> window.next == 0);
        windows = searched;
        seen = noted;
    }

    /// Looks at the slots in `window`, or at all if it is `null`.
    ///
    /// @return what is left of it, without a next segment if this one still has tickets to give out
    private Window searchSegment(Access access, long segment, @Nullable Window window, Map<SlotAt, Seen> noted) {
        int to = window == null ? segments.slots() : window.to;
        int start = window == null ? 0 : Math.max(0, window.from - QueueSlot.RUN_MAX + 1);
        long looked = segments.memory.clock().getAsLong();
        int deq = segments.addRead(access, segments.layout.deq(segment));
        int slots = segments.addSlots(access, segment, start, to);
        int next = segments.addNext(access, segment);
        access.execute();
        long given = SegmentLayout.tickets(Segments.word(access, deq));
        long[] words = Segments.words(access, slots, to - start);
        long successor = segments.successor(access, segment, next);
        access.next();
        int low = to;
        int high = 0;
        List<Change> changes = new ArrayList<>();
        for (int i = 0; i < words.length && start + i < given; i++) {
            if (!QueueSlot.isFinal(words[i])) {
                low = Math.min(low, start + i);
                high = start + i + 1;
                searchSlot(access, new SlotAt(segment, start + i, words[i]), QueueSlot.judge(words, i), looked, noted, changes);
            }
        }
        apply(access, changes);
        return new Window(low, high, given < segments.slots() ? 0 : successor);
    }

    private void searchSlot(Access access, SlotAt slot, QueueSlot.Judgement judgement, long looked, Map<SlotAt, Seen> noted,
            List<Change> changes) {
        if (judgement == QueueSlot.Judgement.VOID) {
            changes.add(add(access, slot, QueueSlot.POISON));
        } else if (QueueSlot.state(slot.word) == QueueSlot.RELEASED) {
            due.add(slot);
        } else if (judgement == QueueSlot.Judgement.PUT && isSilent(slot, looked, noted)) {
            if (slot.word == QueueSlot.EMPTY) {
                changes.add(add(access, slot, QueueSlot.POISON));
            } else {
                due.add(slot);
            }
        }
    }

    private record Change(SlotAt slot, long to, int position) {
    }

    private Change add(Access access, SlotAt slot, long to) {
        long address = segments.layout.slot(slot.segment, slot.ticket);
        return new Change(slot, to, access.compareAndSwap(address, slot.word, to));
    }

    /// Executes changes; whether all were made. Retires the blocks of dropped elements.
    private boolean apply(Access access, List<Change> changes) {
        if (changes.isEmpty()) {
            return true;
        }
        try {
            access.execute();
        } finally {
            changes.stream().filter(change -> isMade(access, change)).forEach(this::retireIfDropped);
        }
        boolean all = changes.stream().allMatch(change -> isMade(access, change));
        access.next();
        return all;
    }

    private static boolean isMade(Access access, Change change) {
        return access.executed(change.position) && access.previous(change.position) == change.slot.word;
    }

    private void retireIfDropped(Change change) {
        if (QueueSlot.state(change.to) == QueueSlot.TAKEN) {
            segments.retireBlock(change.slot.word);
            LOG.log(Level.WARNING,
                    "dropped an element whose consumer was silent for {0} after taking its ticket (slot {1} of segment {2})",
                    Duration.ofNanos(visibilityNanos), change.slot.ticket, SegmentLayout.serial(change.slot.segment));
        }
    }
}
