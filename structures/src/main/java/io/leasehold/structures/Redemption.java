package io.leasehold.structures;

import io.leasehold.lease.HeapKind;
import io.leasehold.lease.LeaseException;
import io.leasehold.lease.OutOfBoundsException;
import io.leasehold.lease.OutcomeUnknownException;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// Turns tickets into elements: the second half of taking. For one thread and one operation.
///
/// A ticket says where to look, and for as long as nobody falls silent no two look at the same slot; but it is the CAS of the
/// slot that takes the element. Its block is read with the same doorbell before the CAS, so if the CAS wins, the block had not
/// been recycled when it was read. Therefore a consumer that lost a ticket, or the answer to its CAS, may look at a slot again,
/// or at one that is perhaps not its own, without harm.
///
/// A slot whose producer has a ticket and has not come is looked at for a while (see [Patience]), then poisoned.
final class Redemption<E> {
    /// Bytes of blocks that are read with one doorbell, unless a single block is longer.
    static final int READ_BYTES_MAX = 1 << 20;

    private final Segments segments;
    private final SegmentLayout layout;
    private final ElementBlocks<E> blocks;
    private final boolean claims;
    private final Restarts restarts;
    /// What has been taken so far, in order.
    private final List<Taken<E>> harvest;

    private long segment;
    private int first;
    private long taker;
    /// Of each slot from `first` on, the word that this operation tried to take.
    private long[] fulls = {};
    private boolean[] settled = {};
    private @Nullable Taken<E>[] got = array(0);

    /// A CAS of the slot at `index`, and the READ of its block if it is to be taken.
    private record Change(int index, long from, int cas, int read) {
        static final int NONE = Integer.MIN_VALUE;
    }

    /// @param claims whether elements are claimed, to be acknowledged later, or taken
    /// @param harvest elements are added to this
    Redemption(Segments segments, ElementBlocks<E> blocks, boolean claims, Restarts restarts, List<Taken<E>> harvest) {
        this.segments = segments;
        this.blocks = blocks;
        this.claims = claims;
        this.restarts = restarts;
        this.harvest = harvest;
        layout = segments.layout;
    }

    @SuppressWarnings("unchecked")
    private static <E> @Nullable Taken<E>[] array(int length) {
        return (Taken<E>[]) new Taken<?>[length];
    }

    /// Settles the slots of tickets `[from, to)` of `ofSegment`; returns when each is final, or taken from this consumer. One
    /// round trip if all are FULL, no matter how many; a READ more if `words` is `null`.
    ///
    /// @param words the slots from `start` on, if they have been read, else `null`
    /// @param given so many tickets have been given to producers at least: a slot behind that is poisoned without patience
    /// @return whether the access was restarted, so that pointers known before are not safe any more
    /// @throws OutcomeUnknownException if it cannot be known whether an element was taken; it may be lost
    boolean redeem(Access access, long ofSegment, int from, int to, long @Nullable [] words, int start, long given) {
        segment = ofSegment;
        first = from;
        taker = segments.nextTaker();
        fulls = new long[to - from];
        settled = new boolean[to - from];
        got = array(to - from);
        boolean hasRestarted = false;
        OutcomeUnknownException lost = null;
        long[] known = words;
        int knownFrom = start;
        Patience.Wait wait = segments.patience.begin();
        try {
            boolean isInTime = true;
            boolean isLate = false;
            while (isOpen()) {
                try {
                    if (known == null) {
                        knownFrom = Math.max(0, from - QueueSlot.RUN_MAX + 1);
                        known = readSlots(access, knownFrom, to);
                    }
                    if (!settleOnce(access, known, knownFrom, isLate ? 0 : given)) {
                        isInTime = false;
                        isLate = wait.isOver();
                    }
                    lost = null;
                } catch (OutOfBoundsException e) {
                    // The block was recycled before its lease was granted (Protection.BLOCK): its slot tells.
                    restarts.again(e);
                    access.next();
                } catch (OutcomeUnknownException | StaleAccess e) {
                    hasRestarted = true;
                    lost = e instanceof OutcomeUnknownException unknown ? unknown : lost;
                    if (!resume(access, segment, e)) {
                        // Recycled: every slot is final, and those that were not settled here went to others.
                        if (lost != null && !claims) {
                            throw lost;
                        }
                        break;
                    }
                } catch (LeaseException e) {
                    if (lost == null) {
                        throw e;
                    }
                    lost.addSuppressed(e);
                    throw lost;
                }
                known = null;
            }
            if (isInTime) {
                segments.patience.noteInTime();
            }
            return hasRestarted;
        } finally {
            for (Taken<E> element : got) {
                if (element != null) {
                    harvest.add(element);
                }
            }
        }
    }

    private boolean isOpen() {
        for (boolean done : settled) {
            if (!done) {
                return true;
            }
        }
        return false;
    }

    private long[] readSlots(Access access, int from, int to) {
        int position = segments.addSlots(access, segment, from, to);
        access.execute();
        long[] words = Segments.words(access, position, to - from);
        access.next();
        return words;
    }

    /// Settles tickets `[from, to)`, of which this consumer may have some, and which all were given out since its operation began:
    /// as far as they were given out, if the segment is still there. Restarts the access.
    ///
    /// @throws OutcomeUnknownException if `cause` is that, and it cannot be known what became of its tickets
    void lookAfter(Access access, long ofSegment, long from, long to, RuntimeException cause) {
        RuntimeException last = cause;
        while (holds(access, ofSegment, last, cause)) {
            try {
                long given = SegmentLayout.tickets(segments.read(access, layout.deq(ofSegment)));
                int end = (int) Math.min(to, Math.min(given, segments.slots()));
                if (from < end) {
                    redeem(access, ofSegment, (int) from, end, null, 0, end);
                }
                return;
            } catch (StaleAccess e) {
                last = e;
            }
        }
    }

    /// As [#lookAfter], but the tickets may have been given to others before the operation began, behind whom others have taken
    /// elements or found the queue empty: to take these now would break the order, if their consumers are only slow.
    ///
    /// If `deq` shows that the CAS of this consumer was the last, they are its own, and are settled. Else it looks on for a while,
    /// as their consumers settle them. What is left then could be anybody's: an element that comes back is left to come back.
    ///
    /// @param desired what the CAS would have left in `deq`, 0 if it was none
    /// @throws OutcomeUnknownException `cause`, if an element is left that does not come back
    void lookAfterInDoubt(Access access, long ofSegment, long from, long to, long desired, OutcomeUnknownException cause) {
        RuntimeException last = cause;
        Patience.Wait wait = segments.patience.begin();
        while (holds(access, ofSegment, last, cause)) {
            try {
                int deq = segments.addRead(access, layout.deq(ofSegment));
                int slots = segments.addSlots(access, ofSegment, from, Math.min(to, segments.slots()));
                access.execute();
                long now = Segments.word(access, deq);
                int end = (int) Math.min(Math.min(to, SegmentLayout.tickets(now)), segments.slots());
                long[] words = Segments.words(access, slots, (int) (Math.min(to, segments.slots()) - from));
                access.next();
                boolean isMine = desired != 0 && SegmentLayout.tag(now) == SegmentLayout.tag(desired);
                boolean isOthers = desired != 0 && SegmentLayout.tickets(now) < to;
                if (isMine) {
                    redeem(access, ofSegment, (int) from, end, null, 0, end);
                    return;
                }
                if (isOthers || !hasElement(words, 0, end - (int) from) || segments.shape.isAcknowledged()) {
                    return;
                }
                if (wait.isOver()) {
                    throw cause;
                }
            } catch (StaleAccess e) {
                last = e;
            }
        }
    }

    private static boolean hasElement(long[] words, int from, int to) {
        for (int i = from; i < to; i++) {
            if (QueueSlot.state(words[i]) == QueueSlot.FULL) {
                return true;
            }
        }
        return false;
    }

    /// Restarts the access; whether the segment is still there. If not, all its slots are final.
    ///
    /// @throws OutcomeUnknownException `cause`, if it is that and that cannot be found out, or the segment is gone, unless its
    ///     elements would have come back
    private boolean holds(Access access, long ofSegment, RuntimeException last, RuntimeException cause) {
        try {
            if (resume(access, ofSegment, last)) {
                return true;
            }
        } catch (LeaseException e) {
            if (e != cause && cause instanceof OutcomeUnknownException) {
                cause.addSuppressed(e);
                throw cause;
            }
            throw e;
        }
        if (cause instanceof OutcomeUnknownException && !segments.shape.isAcknowledged()) {
            throw cause;
        }
        return false;
    }

    /// Takes or claims the element of a slot that another consumer has left; nothing if somebody was quicker.
    ///
    /// @throws OutcomeUnknownException if it cannot be known whether the element was taken; it may be lost
    void redeemAgain(Leftovers.SlotAt slot) {
        long mine = segments.nextTaker();
        long desired = claims ? QueueSlot.changed(slot.word(), QueueSlot.CLAIMED) : QueueSlot.taken(mine);
        OutcomeUnknownException lost = null;
        try (Access access = segments.memory.access()) {
            while (true) {
                try {
                    if (!segments.holds(access, slot.segment())) {
                        break;
                    }
                    int read = readBlock(access, slot.word());
                    int cas = access.compareAndSwap(layout.slot(slot.segment(), slot.ticket()), slot.word(), desired);
                    access.execute();
                    // A claim whose answer was lost cannot be told from one of somebody else: it comes back when it has lapsed.
                    if (access.previous(cas) == slot.word() || !claims && access.previous(cas) == desired) {
                        harvest.add(element(access.data(read), new Leftovers.SlotAt(slot.segment(), slot.ticket(), desired)));
                        retireUnlessClaimed(slot.word());
                    }
                    return;
                } catch (OutcomeUnknownException e) {
                    lost = e;
                    restarts.again(e);
                    access.restart();
                } catch (StaleAccess | OutOfBoundsException e) {
                    restarts.again(e);
                    access.restart();
                }
            }
        }
        if (lost != null && !claims) {
            throw lost;
        }
    }

    private void retireUnlessClaimed(long word) {
        if (!claims) {
            segments.retireBlock(word);
        }
    }

    /// Restarts the access; whether the segment is still there.
    private boolean resume(Access access, long segment, RuntimeException cause) {
        RuntimeException last = cause;
        while (true) {
            restarts.again(last);
            access.restart();
            try {
                return segments.holds(access, segment);
            } catch (StaleAccess e) {
                last = cause instanceof OutcomeUnknownException ? cause : e;
            }
        }
    }

    /// Settles what can be settled; whether there was anything.
    private boolean settleOnce(Access access, long[] words, int start, long patientTo) {
        List<Change> changes = new ArrayList<>(settled.length);
        int bytes = 0;
        boolean isSettled = false;
        for (int i = 0; i < settled.length; i++) {
            long word = words[first + i - start];
            if (settled[i]) {
                continue;
            }
            if (word == QueueSlot.EMPTY) {
                if (first + i >= patientTo) {
                    changes.add(change(access, i, word, QueueSlot.POISON));
                }
            } else if (QueueSlot.state(word) == QueueSlot.FULL) {
                QueueSlot.Judgement judgement = QueueSlot.judge(words, first + i - start);
                if (judgement == QueueSlot.Judgement.VOID) {
                    changes.add(change(access, i, word, QueueSlot.POISON));
                } else if (judgement == QueueSlot.Judgement.PUT
                        && (bytes == 0 || bytes + QueueSlot.lengthBytes(word) <= READ_BYTES_MAX)) {
                    bytes += QueueSlot.lengthBytes(word);
                    fulls[i] = word;
                    changes.add(take(access, i, word));
                }
            } else if (word == QueueSlot.taken(taker)) {
                // Taken by this very operation, which did not learn of it.
                changes.add(new Change(i, word, Change.NONE, readBlock(access, fulls[i])));
            } else {
                settled[i] = true;
                isSettled = true;
            }
        }
        if (changes.isEmpty()) {
            return isSettled;
        }
        try {
            access.execute();
        } finally {
            changes.forEach(change -> settle(access, change));
        }
        access.next();
        return true;
    }

    private Change change(Access access, int index, long from, long to) {
        return new Change(index, from, access.compareAndSwap(layout.slot(segment, first + index), from, to), Change.NONE);
    }

    private Change take(Access access, int index, long word) {
        int read = readBlock(access, word);
        Change change = change(access, index, word, after(word));
        return new Change(index, word, change.cas, read);
    }

    /// The word of a slot when its element has been taken from `word`.
    private long after(long word) {
        return claims ? QueueSlot.changed(word, QueueSlot.CLAIMED) : QueueSlot.taken(taker);
    }

    private int readBlock(Access access, long word) {
        return access.read(HeapKind.DATA, layout.addressOfBlock(QueueSlot.block(word)), QueueSlot.lengthBytes(word));
    }

    /// Notes what a change came to.
    private void settle(Access access, Change change) {
        int index = change.index;
        if (change.cas != Change.NONE && (!access.executed(change.cas) || access.previous(change.cas) != change.from)) {
            return;
        }
        if (change.read == Change.NONE) {
            settled[index] = true;
        } else if (access.executed(change.read)) {
            settled[index] = true;
            got[index] = element(access.data(change.read), new Leftovers.SlotAt(segment, first + index, after(fulls[index])));
            retireUnlessClaimed(fulls[index]);
        }
    }

    private Taken<E> element(MemorySegment block, Leftovers.SlotAt slot) {
        try {
            return new Taken<>(blocks.decode(block), null, slot);
        } catch (RuntimeException e) {
            return new Taken<>(null, e, slot);
        }
    }
}
