package io.leasehold.rdma;

/// Something that happened to an object of a device outside any request; the names of `enum ibv_event_type`.
///
/// @param type what happened
/// @param number the queue pair concerned, or 0
/// @param detail a sentence for the log: the peer, the cause
public record AsyncEvent(Type type, int number, String detail) {
    /// What can happen.
    public enum Type {
        /// A completion found its completion queue full; the queue is of no further use.
        CQ_ERR,
        /// A queue pair went to ERR for a reason that no completion tells.
        QP_FATAL,
        /// A queue pair went to ERR because of an invalid request of the peer.
        QP_REQ_ERR,
        /// A queue pair went to ERR because a request of the peer was refused.
        QP_ACCESS_ERR,
        /// The peer of a queue pair disconnected or died.
        PEER_GONE,
        /// The device is closing or broken.
        DEVICE_FATAL
    }
}
