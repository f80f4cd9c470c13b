package io.leasehold.lease;

/// One compare-and-swap of a lease word, which [LoopBack] carries out.
final class WordSwap {
    private final long address;
    private final int remoteKey;
    private long expected;
    private long desired;
    private long observed;

    WordSwap(long address, int remoteKey) {
        this.address = address;
        this.remoteKey = remoteKey;
    }

    long address() {
        return address;
    }

    int remoteKey() {
        return remoteKey;
    }

    void aim(long newExpected, long newDesired) {
        expected = newExpected;
        desired = newDesired;
        observed = ~newExpected;
    }

    long expected() {
        return expected;
    }

    long desired() {
        return desired;
    }

    /// What the word held before.
    long observed() {
        return observed;
    }

    void observed(long value) {
        observed = value;
    }

    /// Whether the word holds what was desired. It may have before: a swap that is repeated because its first try was in doubt
    /// finds its own work.
    boolean isDone() {
        return observed == expected || observed == desired;
    }
}
