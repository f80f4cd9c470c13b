package io.leasehold.rdma;

/// What a queue pair says to a doorbell, at once; how each request ends is said later by its [WorkCompletion].
public enum PostStatus {
    /// All requests of the batch were taken.
    POSTED,
    /// Fewer than the batch's number of places are free in the send or receive queue (`max_wr`): nothing was posted. Poll
    /// completions, then post again.
    QUEUE_FULL,
    /// The queue pair is in a state that does not take requests ([QueuePairState#RESET], or before [QueuePairState#RTS] for
    /// sends): nothing was posted.
    INVALID_STATE,
    /// An inline payload is longer than `max_inline`: nothing was posted.
    INLINE_TOO_LONG,
    /// A request names a range outside its local region, a closed region or window, or an object of another device or protection
    /// domain: nothing was posted.
    INVALID_REQUEST,
    /// The queue pair was closed: nothing was posted.
    CLOSED
}
