package io.leasehold.rdma.internal.soft;

/// A wire that whoever polls a completion queue can carry on itself, instead of waiting for the wire's own thread to do it.
interface PolledWire {
    /// Takes in what has come, if somebody may be waiting for it and no other thread is at it. No handler runs here. The caller
    /// holds no lock.
    void advance();

    /// Whoever polled is about to sleep, and counts on the wire's own thread. The caller holds no lock.
    void leave();
}
