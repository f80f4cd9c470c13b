package io.leasehold.lease;

import io.leasehold.rdma.AccessFlag;
import java.util.Set;

/// What a lease lets its holder do with its range.
public enum AccessRight {
    /// Read.
    READ(AccessFlag.REMOTE_READ),
    /// Write.
    WRITE(AccessFlag.REMOTE_WRITE),
    /// Compare-and-swap and fetch-and-add.
    ATOMIC(AccessFlag.REMOTE_ATOMIC);

    private final AccessFlag flag;

    AccessRight(AccessFlag flag) {
        this.flag = flag;
    }

    /// The bits of `rights`, as a window is bound with them.
    static int mask(Set<AccessRight> rights) {
        int mask = 0;
        for (AccessRight right : rights) {
            mask |= right.flag.bit();
        }
        return mask;
    }

    /// Whether the access bits `mask` hold this right.
    boolean in(int mask) {
        return flag.in(mask);
    }
}
