package io.leasehold.rdma.internal.soft;

/// A wire to another process, with a thread of its own.
sealed interface RemoteWire extends Wire permits TcpWire, RingWire {
    /// Begins to serve. The queue pair has the wire already.
    void start();

    /// Whether this thread is the one that serves: the end of the wire waits for it.
    boolean isServedHere();

    /// Releases what a wire holds that was never started.
    void discard();
}
