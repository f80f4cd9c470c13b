package io.leasehold.rdma.internal.verbs;

/// A connection that a queue pair is reserved for.
interface PendingConnection {
    /// The queue pair is no longer available; whoever waits for the connection fails. Called with a lock held: must not wait.
    void cancel(String cause);
}
