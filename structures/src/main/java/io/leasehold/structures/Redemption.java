package io.leasehold.structures;

import io.leasehold.lease.HeapKind;
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
/// A slot whose producer has a ticket and has not come is looked at a few times, then poisoned.
final class Redemption<E> {
    /// How often a slot is looked at before its producer counts as late. It needs one round trip from ticket to slot, as does a
    /// look.
    static final int LOOKS = 6;
    /// Bytes of blocks that are read with one doorbell, unless a single block is longer.
    static final int READ_BYTES_MAX = 1 << 20;

    private final Segments segments;
    private final SegmentLayout layout;
    private final ElementBlocks<E> blocks;
    private final boolean claims;
    private final Restarts restarts;
    private final List<Taken<E>> harvest = new ArrayList<>(1);

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
    Redemption(Segments segments, ElementBlocks<E> blocks, boolean claims, Restarts restarts) {
        this.segments = segments;
        this.blocks = blocks;
        this.claims = claims;
        this.restarts = restarts;
        layout = segments.layout;
    }

    @SuppressWarnings("unchecked")
    private static <E> @Nullable Taken<E>[] array(int length) {
        return (Taken<E>[]) new Taken<?>[length];
    }

    /// What has been taken so far, in order.
    List<Taken<E>> harvest() {
        return harvest;
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
        try {
            for (int look = 1; isOpen(); look++) {
                try {
                    if (known == null) {
                        knownFrom = Math.max(0, from - QueueSlot.RUN_MAX + 1);
                        known = readSlots(access, knownFrom, to);
                    }
                    settleOnce(access, known, knownFrom, look >= LOOKS ? 0 : given);
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
                        if (lost != null) {
                            throw lost;
                        }
                        break;
                    }
                }
                known = null;
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

    /// Settles tickets `[from, to)`, of which this consumer may have some: as far as they were given out, if the segment is still
    /// there. Restarts the access.
    void lookAfter(Access access, long ofSegment, long from, long to, RuntimeException cause) {
        RuntimeException last = cause;
        while (resume(access, ofSegment, last)) {
            try {
                int end = (int) Math.min(to, Math.min(segments.read(access, layout.deq(ofSegment)), segments.slots()));
                if (from < end) {
                    redeem(access, ofSegment, (int) from, end, null, 0, end);
                }
                return;
            } catch (StaleAccess e) {
                last = e;
            }
        }
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

    private void settleOnce(Access access, long[] words, int start, long patientTo) {
        List<Change> changes = new ArrayList<>(settled.length);
        int bytes = 0;
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
            }
        }
        if (changes.isEmpty()) {
            return;
        }
        try {
            access.execute();
        } finally {
            changes.forEach(change -> settle(access, change));
        }
        access.next();
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
