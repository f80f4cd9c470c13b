package io.leasehold.rdma;

/// How a work request ended; names and numbers are those of `enum ibv_wc_status`.
public enum WorkCompletionStatus {
    /// The request was carried out.
    SUCCESS,
    /// The local buffer does not fit the message.
    LOC_LEN_ERR,
    /// The local queue pair could not carry out the request.
    LOC_QP_OP_ERR,
    /// Not used by reliable connections.
    LOC_EEC_OP_ERR,
    /// A local key, its range or its rights do not allow the local access.
    LOC_PROT_ERR,
    /// The queue pair was in, or went to, the error state before this request was carried out: it had no effect.
    WR_FLUSH_ERR,
    /// A memory window could not be bound.
    MW_BIND_ERR,
    /// The responder answered what the requester did not expect.
    BAD_RESP_ERR,
    /// A receive could not be completed for a local access reason.
    LOC_ACCESS_ERR,
    /// The responder found the request malformed: unaligned atomic, message longer than the receive, too many outstanding reads.
    REM_INV_REQ_ERR,
    /// The responder's key does not allow the access. Nothing was read or changed, unless the key was revoked in the middle of a
    /// transfer longer than the link carries in one piece: then a first part may have been. Both queue pairs are in the error
    /// state.
    REM_ACCESS_ERR,
    /// The responder failed while it carried the request out.
    REM_OP_ERR,
    /// The peer no longer answers: the request **may** have been carried out. So ends each request that was on the way; those
    /// that were not yet, end with [#WR_FLUSH_ERR]. (On hardware only the first one ends so, and the others leave one in the
    /// dark.)
    RETRY_EXC_ERR,
    /// The peer had no receive posted for as long as the requester was told to wait: nothing was delivered.
    RNR_RETRY_EXC_ERR,
    /// Not used by reliable connections.
    LOC_RDD_VIOL_ERR,
    /// Not used by reliable connections.
    REM_INV_RD_REQ_ERR,
    /// The request was aborted by the peer.
    REM_ABORT_ERR,
    /// Not used by reliable connections.
    INV_EECN_ERR,
    /// Not used by reliable connections.
    INV_EEC_STATE_ERR,
    /// The device failed.
    FATAL_ERR,
    /// The response did not arrive in time.
    RESP_TIMEOUT_ERR,
    /// None of the above.
    GENERAL_ERR;

    /// Whether a request that ended so may have taken effect at the peer.
    public boolean mayHaveTakenEffect() {
        return switch (this) {
            case SUCCESS, RETRY_EXC_ERR, FATAL_ERR, RESP_TIMEOUT_ERR, GENERAL_ERR, BAD_RESP_ERR, REM_OP_ERR, REM_ABORT_ERR -> true;
            default -> false;
        };
    }
}
