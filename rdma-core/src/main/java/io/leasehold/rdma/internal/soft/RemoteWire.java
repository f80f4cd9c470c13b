package io.leasehold.rdma.internal.soft;

/// A wire to another process, with a thread of its own.
sealed interface RemoteWire extends Wire permits TcpWire, RingWire {
    /// Begins to serve. The queue pair has the wire already.
    void start();

    /// Releases what a wire holds that was never started.
    void discard();
}
