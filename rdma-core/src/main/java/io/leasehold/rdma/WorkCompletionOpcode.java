package io.leasehold.rdma;

/// What a completed work request did; the names of `enum ibv_wc_opcode`.
public enum WorkCompletionOpcode {
    /// A SEND, with or without immediate data or invalidation.
    SEND,
    /// An RDMA WRITE, with or without immediate data.
    RDMA_WRITE,
    /// An RDMA READ.
    RDMA_READ,
    /// A compare-and-swap.
    COMP_SWAP,
    /// A fetch-and-add.
    FETCH_ADD,
    /// A memory-window bind.
    BIND_MW,
    /// A local invalidation of a key.
    LOCAL_INV,
    /// A receive that a SEND consumed.
    RECV,
    /// A receive that an RDMA WRITE with immediate data consumed.
    RECV_RDMA_WITH_IMM
}
