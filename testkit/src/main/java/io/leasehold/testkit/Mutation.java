package io.leasehold.testkit;

/// A way in which a [MutantDevice] lies, to show that a test notices.
///
/// Lies about windows and regions are told by the device that has the memory, lies about atomics and batches by the one that sends them.
public enum Mutation {
    /// It behaves.
    NONE,
    /// LOCAL_INV succeeds and does nothing: the old key opens the window until it is bound again or closed.
    SKIP_INVALIDATION,
    /// LOCAL_INV succeeds at once and takes effect 30 ms later: what is released after it is released before it.
    DELAY_INVALIDATION,
    /// A bind gives all rights, whatever was asked for.
    IGNORE_RIGHTS,
    /// A bind opens 64 bytes more on either side, as far as the region goes.
    WIDEN_BOUNDS,
    /// A bind keeps the key of the bind before: a stale key opens the window again. The new key opens it too, to peers that are
    /// mutant devices of this JVM.
    REUSE_KEY,
    /// A type 2 window answers on every queue pair of its domain, to peers that are mutant devices of this JVM.
    IGNORE_QUEUE_PAIR,
    /// A bind succeeds and does nothing.
    SKIP_BIND,
    /// A compare-and-swap reports that it found what it expected, and swaps nothing.
    CAS_ALWAYS_WINS,
    /// A compare-and-swap on memory of this JVM swaps whatever it finds, and reports that it found what it expected.
    SWAP_UNCONDITIONALLY,
    /// Every third atomic succeeds and does nothing.
    LOSE_ATOMICS,
    /// Every third fetch-and-add is carried out twice.
    REPEAT_ATOMICS,
    /// The requests of a batch are carried out in reverse order: those behind a failing one are carried out.
    REVERSE_BATCHES,
    /// Every third atomic is carried out and reported as flushed, with the queue pair in error: who believes it and repeats it
    /// does it twice.
    FLUSH_WHAT_WAS_DONE,
    /// Closing a window does nothing.
    LEAK_WINDOWS,
    /// A region with a remote right has all rights.
    IGNORE_REGION_RIGHTS,
    /// A region with a remote right is open for 64 bytes more, behind its end.
    WIDEN_REGIONS,
    /// Closing a region with a remote right does nothing: its key goes on opening it.
    KEEP_REGIONS,
    /// Closing a region with a remote right succeeds at once and takes effect 30 ms later.
    CLOSE_REGIONS_LATER,
    /// All protection domains are one.
    IGNORE_DOMAIN;

    /// Of what happens to "every third", how many there are to one that it happens to.
    static final int PERIOD = 3;
}
