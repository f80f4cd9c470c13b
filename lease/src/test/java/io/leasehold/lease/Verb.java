package io.leasehold.lease;

import io.leasehold.rdma.WorkCompletionStatus;
import java.util.Set;

/// The ways to touch remote memory.
enum Verb {
    /// RDMA READ.
    READ(AccessRight.READ),
    /// RDMA WRITE.
    WRITE(AccessRight.WRITE),
    /// Atomic compare-and-swap.
    COMPARE_AND_SWAP(AccessRight.ATOMIC),
    /// Atomic fetch-and-add.
    FETCH_AND_ADD(AccessRight.ATOMIC);

    private final AccessRight needs;

    Verb(AccessRight needs) {
        this.needs = needs;
    }

    /// The right that it needs.
    AccessRight needs() {
        return needs;
    }

    /// Whether it works on one aligned word.
    boolean isAtomic() {
        return needs == AccessRight.ATOMIC;
    }

    /// Whether a device may carry it out at `address`, whatever the key opens.
    boolean isWellFormedAt(long address) {
        return !isAtomic() || address % Long.BYTES == 0;
    }

    /// How a device may refuse it at `address`.
    Set<WorkCompletionStatus> refusalsAt(long address) {
        return isWellFormedAt(address) ? Set.of(WorkCompletionStatus.REM_ACCESS_ERR)
                : Set.of(WorkCompletionStatus.REM_ACCESS_ERR, WorkCompletionStatus.REM_INV_REQ_ERR);
    }
}
