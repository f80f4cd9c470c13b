package io.leasehold.rdma;

/// The states of a reliable-connected queue pair, as in the InfiniBand specification (section 10.3).
public enum QueuePairState {
    /// Fresh or reset: nothing can be posted, nothing is received.
    RESET,
    /// Receives can be posted; nothing moves yet.
    INIT,
    /// Ready to receive: the peer is known and incoming requests are served.
    RTR,
    /// Ready to send: both directions work.
    RTS,
    /// Send queue drained: what was posted completes, what is posted now waits.
    SQD,
    /// Send queue error. A reliable connection goes straight to [#ERR]; the state exists because `ibv_qp_state` has it.
    SQE,
    /// Everything outstanding and everything posted from now on completes with [WorkCompletionStatus#WR_FLUSH_ERR].
    ERR
}
