package io.leasehold.rdma;

/// A peer that wants to connect, as seen by a [ConnectionHandler]. It must be answered once, by any thread, within the peer's
/// time-out; a request that is not answered is rejected when that has passed.
public interface ConnectionRequest {
    /// The peer's queue pair.
    QueuePairAddress remote();

    /// The peer's private data.
    byte[] privateData();

    /// Connects `queuePair` (RESET or INIT; receives may have been posted in INIT) to the peer and takes it to RTS.
    ///
    /// @throws RdmaException if the peer has gone or the queue pair is in another state
    void accept(QueuePair queuePair, byte[] privateData);

    /// Refuses the peer; `reason` reaches it as the message of its [RdmaException].
    void reject(String reason);
}
