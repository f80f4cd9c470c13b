package io.leasehold.structures;

/// The compare-and-swap of one slot with which a phase of an operation ends, and what it does to the number of entries. For one
/// thread; reused from operation to operation.
final class SlotSwap {
    private static final int NONE = -1;

    private final SizeCounters counters;
    private long hash;
    private long slot;
    private long expected;
    private long desired;
    /// What the swap does to the number of entries, which is added behind it, and what has to be added besides because it was not
    /// as expected.
    private int change;
    private int owed;
    private int position;
    private int changePosition;
    private int owedPosition;

    SlotSwap(SizeCounters counters) {
        this.counters = counters;
    }

    /// Begins with another key.
    void begin(long newHash) {
        hash = newHash;
        owed = 0;
        owedPosition = NONE;
    }

    /// Sets what to swap.
    void set(long newSlot, long newExpected, long newDesired, int newChange) {
        slot = newSlot;
        expected = newExpected;
        desired = newDesired;
        change = newChange;
    }

    long slot() {
        return slot;
    }

    long expected() {
        return expected;
    }

    long desired() {
        return desired;
    }

    int change() {
        return change;
    }

    /// Adds what is owed to the number of entries; before the other steps of a doorbell.
    void postOwed(Access access) {
        owedPosition = owed == 0 ? NONE : counters.post(access, hash, owed);
    }

    /// Adds the compare-and-swap, and the change of the number behind it.
    void post(Access access) {
        position = access.compareAndSwap(slot, expected, desired);
        changePosition = change == 0 ? NONE : counters.post(access, hash, change);
    }

    /// Takes note that what was owed is added.
    ///
    /// @param all whether all steps of the doorbell were carried out
    void takeOwed(Access access, boolean all) {
        if (owedPosition != NONE && (all || access.executed(owedPosition))) {
            owed = 0;
        }
    }

    boolean wasExecuted(Access access) {
        return access.executed(position);
    }

    /// Looks at how a swap that was carried out went.
    ///
    /// @param all whether all steps of the doorbell were carried out
    boolean take(Access access, boolean all) {
        boolean hasWon = access.previous(position) == expected;
        boolean isCounted = changePosition != NONE && (all || access.executed(changePosition));
        owed += (hasWon ? change : 0) - (isCounted ? change : 0);
        return hasWon;
    }

    /// Whether something still has to be added to the number of entries.
    boolean owes() {
        return owed != 0;
    }
}
