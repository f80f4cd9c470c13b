package io.leasehold.structures;

import io.leasehold.lease.HeapKind;
import io.leasehold.lease.OutcomeUnknownException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.ReentrantLock;

/// The list of a queue's segments: finding its ends, moving them on, and recycling what lies before `first`. Thread-safe.
///
/// Segments are linked in the order of their serials, and `first <= head <= tail` holds at all times: `head` moves on from a
/// segment when all its tickets to take have been given out and it has a successor, `first` when `head` and `tail` are past a
/// segment and all its slots are final. The one whose CAS moves `first` retires the segment: exactly once, since the pointer
/// carries the serial and never has the same value again. (If it dies in between, or does not learn whether its CAS won, one
/// segment is lost to the heap.) Everything else is helping: whoever finds a pointer that lags moves it on, so nobody waits for
/// anybody.
///
/// A segment is safe to touch in an [Access] that began before the segment was retired. An operation has read the pointer from
/// the root or from a segment that was safe, or remembers it together with [Access#since()], or has asked [#holds] after a
/// restart.
final class Segments {
    final Memory memory;
    final QueueShape shape;
    final SegmentLayout layout;
    final Leftovers leftovers;
    final Patience patience;
    private static final Logger LOG = System.getLogger(Segments.class.getName());
    private static final long NEVER = Long.MIN_VALUE;

    /// Whether `head` was moved by this session since the last recycling.
    private volatile boolean hasMoved;
    private volatile long blockedSince = NEVER;
    private final ReentrantLock recycling = new ReentrantLock();
    /// The taker of a slot; see [#nextTaker()].
    private final AtomicLong takers;

    Segments(Memory memory, QueueShape shape, Duration patience) {
        this.memory = memory;
        this.shape = shape;
        layout = SegmentLayout.at(memory.root(), shape.slots());
        leftovers = new Leftovers(this);
        this.patience = new Patience(memory, patience.toNanos());
        takers = new AtomicLong(memory.random().nextLong());
    }

    int slots() {
        return shape.slots();
    }

    /// A number by which a taker knows its own slots again. 61 random bits, then counted up: two sessions will not share one.
    long nextTaker() {
        return takers.getAndIncrement() & QueueSlot.TAKER_MASK;
    }

    /// The address of a word of the root.
    long root(int at) {
        return memory.root() + at;
    }

    /// Adds a READ of one word; see [#word].
    int addRead(Access access, long address) {
        return access.read(HeapKind.INDEX, address, Long.BYTES);
    }

    /// The word that the READ at `position` brought.
    static long word(Access access, int position) {
        return SegmentLayout.word(access.data(position), 0);
    }

    /// Reads one word; one round trip.
    long read(Access access, long address) {
        int position = addRead(access, address);
        access.execute();
        long word = word(access, position);
        access.next();
        return word;
    }

    /// Adds a READ of the slots `[from, to)`.
    int addSlots(Access access, long segment, long from, long to) {
        return access.read(HeapKind.INDEX, layout.slot(segment, from), Math.toIntExact((to - from) * Long.BYTES));
    }

    /// The words that the READ of `count` slots at `position` brought.
    static long[] words(Access access, int position, int count) {
        long[] words = new long[count];
        for (int i = 0; i < count; i++) {
            words[i] = SegmentLayout.word(access.data(position), i);
        }
        return words;
    }

    /// Adds a READ of the pointer to the next segment; see [#successor(Access, long, int)].
    int addNext(Access access, long segment) {
        return access.read(HeapKind.INDEX, layout.next(segment), 2 * Long.BYTES);
    }

    /// The pointer to the next segment, 0 if there is none.
    ///
    /// @throws IllegalStateException if what was read is another segment: the memory was reused under a lease
    long successor(Access access, long segment, int position) {
        long next = SegmentLayout.word(access.data(position), 0);
        long serial = SegmentLayout.word(access.data(position), 1);
        if (serial != SegmentLayout.serial(segment) || next != 0 && SegmentLayout.distance(segment, next) != 1) {
            throw new IllegalStateException("segment " + SegmentLayout.serial(segment) + " at " + layout.address(segment)
                    + " holds serial " + serial + " and successor " + SegmentLayout.serial(next)
                    + ": its memory was reused too early");
        }
        return next;
    }

    /// Reads the pointer to the next segment, 0 if there is none; one round trip.
    long successor(Access access, long segment) {
        int position = addNext(access, segment);
        access.execute();
        long next = successor(access, segment, position);
        access.next();
        return next;
    }

    /// Whether `segment`, known from before the access began, has not been retired when it began, so that it is safe; one round
    /// trip.
    boolean holds(Access access, long segment) {
        return SegmentLayout.distance(read(access, root(QueueShape.FIRST_AT)), segment) >= 0;
    }

    /// Gives back the block that the word of a slot led to.
    void retireBlock(long word) {
        memory.retire(HeapKind.DATA, layout.addressOfBlock(QueueSlot.block(word)), QueueSlot.lengthBytes(word));
    }

    /// Moves the pointer in the root at `at` from `segment` to its successor `next`, unless somebody else has; one round trip.
    ///
    /// @return whether this call moved it
    /// @throws StaleAccess also if the answer was lost: who reads the pointer again sees
    boolean advance(Access access, int at, long segment, long next) {
        int position = access.compareAndSwap(root(at), segment, next);
        executeHarmless(access);
        boolean moved = access.previous(position) == segment;
        access.next();
        return moved;
    }

    /// Executes steps of which none does harm if it is carried out and nobody knows: then the operation starts over.
    ///
    /// @throws StaleAccess also for a lost answer
    static void executeHarmless(Access access) {
        try {
            access.execute();
        } catch (OutcomeUnknownException e) {
            throw new StaleAccess("an answer was lost", e);
        }
    }

    /// A segment, and how many of its tickets to take had been given out.
    record Head(long segment, long taken) {
    }

    /// The segment where elements are taken now: `head`, or what comes after it if it lags. Two round trips.
    Head currentHead(Access access) {
        long segment = read(access, root(QueueShape.HEAD_AT));
        while (true) {
            int deq = addRead(access, layout.deq(segment));
            int next = addNext(access, segment);
            access.execute();
            long taken = SegmentLayout.tickets(word(access, deq));
            long successor = successor(access, segment, next);
            access.next();
            if (taken < slots() || successor == 0) {
                return new Head(segment, taken);
            }
            advanceHead(access, segment, successor);
            segment = successor;
        }
    }

    /// Moves `head` on from `segment`, but never past `tail`.
    void advanceHead(Access access, long segment, long next) {
        helpTail(access, segment, next);
        hasMoved |= advance(access, QueueShape.HEAD_AT, segment, next);
    }

    private void helpTail(Access access, long segment, long next) {
        if (read(access, root(QueueShape.TAIL_AT)) == segment) {
            advance(access, QueueShape.TAIL_AT, segment, next);
        }
    }

    /// Recycles the segments before `head` whose slots are all final, oldest first, and looks after slots that were left behind,
    /// if this session has moved `head`, or found a segment that could not be recycled a while ago. Costs two round trips, and
    /// about four more a segment; nothing if it is not due or another thread is at it.
    ///
    /// A failure is logged, not thrown: whoever calls this has an element in hand.
    void recycle(long timeoutNanos) {
        boolean isDue = hasMoved || blockedSince != NEVER
                && memory.clock().getAsLong() - blockedSince >= shape.visibilityNanos() / 4;
        if (!isDue || !recycling.tryLock()) {
            return;
        }
        hasMoved = false;
        blockedSince = NEVER;
        Restarts restarts = new Restarts(memory, "recycling of segments", timeoutNanos);
        try (Access access = memory.access()) {
            boolean more = true;
            while (more) {
                try {
                    more = recycleFirst(access);
                } catch (StaleAccess e) {
                    restarts.again(e);
                    access.restart();
                }
            }
        } catch (RuntimeException e) {
            LOG.log(Level.WARNING, "segments were not recycled; later operations will try again", e);
        } finally {
            recycling.unlock();
        }
    }

    private boolean recycleFirst(Access access) {
        int first = addRead(access, root(QueueShape.FIRST_AT));
        int head = addRead(access, root(QueueShape.HEAD_AT));
        access.execute();
        long segment = word(access, first);
        // `head` was read after `first` and may have passed it; if not, the segment is still in use.
        boolean isBehind = SegmentLayout.distance(segment, word(access, head)) > 0;
        access.next();
        if (!isBehind) {
            return false;
        }
        long looked = memory.clock().getAsLong();
        int slots = addSlots(access, segment, 0, slots());
        int next = addNext(access, segment);
        access.execute();
        long[] words = words(access, slots, slots());
        long successor = successor(access, segment, next);
        access.next();
        if (!leftovers.settle(access, segment, words, looked)) {
            blockedSince = looked;
            return false;
        }
        // If the answer is lost and the CAS had won, the segment is lost as well: to retire it might be the second time.
        if (advance(access, QueueShape.FIRST_AT, segment, successor)) {
            memory.retire(HeapKind.INDEX, layout.address(segment), layout.bytes());
        }
        return true;
    }
}
