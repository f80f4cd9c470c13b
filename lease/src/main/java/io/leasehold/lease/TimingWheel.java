package io.leasehold.lease;

import java.util.List;
import org.jspecify.annotations.Nullable;

/// Timers by deadline, in a hierarchy of wheels: setting and cancelling cost O(1), and finding what is due costs O(1) per timer
/// and level, however long nothing was due.
///
/// The hierarchy is scheme 7 of Varghese and Lauck, *Hashed and Hierarchical Timing Wheels*, SOSP '87. A timer lies at the level
/// of the highest base-64 digit in which its tick differs from the wheel's, and moves down when the wheel reaches its slot; a bit
/// mask of occupied slots for each level lets the wheel skip what is empty instead of turning tick by tick.
///
/// A timer is never due before its deadline, and at most one tick (1,024 ns) after. For one thread.
final class TimingWheel<E> {
    private static final int TICK_BITS = 10;
    private static final int SLOT_BITS = 6;
    private static final int SLOTS = 1 << SLOT_BITS;
    private static final int LEVELS = 8;
    // So far away, 9 years, that clamping to it is no error.
    private static final long TICK_MAX = (1L << SLOT_BITS * LEVELS) - 1;

    private final long base;
    private final @Nullable Timer<E>[] slots = newSlots();
    private final long[] occupied = new long[LEVELS];
    private @Nullable Timer<E> overdue;
    private long elapsed;
    private int size;

    /// @param nowNanos the clock now; no time before it will be given
    TimingWheel(long nowNanos) {
        base = nowNanos;
    }

    /// A deadline for `payload`, set or not.
    static final class Timer<E> {
        private static final int NOT_SET = -1;
        private static final int OVERDUE = -2;

        private final E payload;
        private int slot = NOT_SET;
        private long tick;
        private @Nullable Timer<E> previous;
        private @Nullable Timer<E> next;

        Timer(E payload) {
            this.payload = payload;
        }

        E payload() {
            return payload;
        }

        boolean isSet() {
            return slot != NOT_SET;
        }
    }

    /// The number of timers that are set.
    int size() {
        return size;
    }

    /// Sets `timer`, which may be set already, to become due at `deadlineNanos`.
    void set(Timer<E> timer, long deadlineNanos) {
        cancel(timer);
        timer.tick = tickAtOrAfter(deadlineNanos);
        insert(timer);
        size++;
    }

    /// Takes `timer` out, if it is set.
    void cancel(Timer<E> timer) {
        if (timer.isSet()) {
            unlink(timer);
            size--;
        }
    }

    /// Moves the wheel to `nowNanos` and adds the payloads of the timers that became due to `due`.
    void expire(long nowNanos, List<? super E> due) {
        long target = Math.min(Math.max(nowNanos - base >> TICK_BITS, elapsed), TICK_MAX);
        takeOverdue(due);
        for (int slot = nextSlot(); slot >= 0; slot = nextSlot()) {
            long begins = tickOf(slot);
            if (begins > target) {
                break;
            }
            elapsed = Math.max(elapsed, begins);
            for (Timer<E> timer = slots[slot]; timer != null; timer = slots[slot]) {
                unlink(timer);
                insert(timer);
            }
            takeOverdue(due);
        }
        elapsed = target;
    }

    /// When [#expire] has something to do next: no timer is due before. [Long#MAX_VALUE] if none is set.
    long nextNanos() {
        if (overdue != null) {
            return base + (elapsed << TICK_BITS);
        }
        int slot = nextSlot();
        return slot < 0 ? Long.MAX_VALUE : base + (tickOf(slot) << TICK_BITS);
    }

    private void takeOverdue(List<? super E> due) {
        for (Timer<E> timer = overdue; timer != null; timer = overdue) {
            unlink(timer);
            size--;
            due.add(timer.payload);
        }
    }

    private long tickAtOrAfter(long deadlineNanos) {
        long after = deadlineNanos - base;
        if (after <= 0) {
            return 0;
        }
        return Math.min((after - 1 >> TICK_BITS) + 1, TICK_MAX);
    }

    private void insert(Timer<E> timer) {
        if (timer.tick <= elapsed) {
            timer.slot = Timer.OVERDUE;
            link(timer, overdue);
            overdue = timer;
            return;
        }
        int level = (Long.SIZE - 1 - Long.numberOfLeadingZeros(timer.tick ^ elapsed)) / SLOT_BITS;
        int inLevel = (int) (timer.tick >> level * SLOT_BITS) & SLOTS - 1;
        timer.slot = level << SLOT_BITS | inLevel;
        link(timer, slots[timer.slot]);
        slots[timer.slot] = timer;
        occupied[level] |= 1L << inLevel;
    }

    private static <E> void link(Timer<E> timer, @Nullable Timer<E> first) {
        timer.previous = null;
        timer.next = first;
        if (first != null) {
            first.previous = timer;
        }
    }

    private void unlink(Timer<E> timer) {
        if (timer.next != null) {
            timer.next.previous = timer.previous;
        }
        if (timer.previous != null) {
            timer.previous.next = timer.next;
        } else if (timer.slot == Timer.OVERDUE) {
            overdue = timer.next;
        } else {
            slots[timer.slot] = timer.next;
            if (timer.next == null) {
                occupied[timer.slot >> SLOT_BITS] &= ~(1L << (timer.slot & SLOTS - 1));
            }
        }
        timer.previous = null;
        timer.next = null;
        timer.slot = Timer.NOT_SET;
    }

    /// The occupied slot that the wheel reaches first, or -1. What lies at a lower level comes before all of a higher one, and at
    /// one level the slots come in their order: a timer agrees with the wheel in all digits above its level, and is later in this
    /// one.
    private int nextSlot() {
        for (int level = 0; level < LEVELS; level++) {
            if (occupied[level] != 0) {
                return level << SLOT_BITS | Long.numberOfTrailingZeros(occupied[level]);
            }
        }
        return -1;
    }

    /// The tick at which an occupied slot begins.
    private long tickOf(int slot) {
        int shift = (slot >> SLOT_BITS) * SLOT_BITS;
        long above = elapsed >> shift + SLOT_BITS << shift + SLOT_BITS;
        return above | (long) (slot & SLOTS - 1) << shift;
    }

    @SuppressWarnings("unchecked")
    private static <E> @Nullable Timer<E>[] newSlots() {
        return (Timer<E>[]) new Timer<?>[LEVELS * SLOTS];
    }
}
