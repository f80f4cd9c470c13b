package io.leasehold.lease;

/// What a part of a heap is for, which decides the rights that sessions may lease there without excluding each other.
public enum HeapKind {
    /// Words that sessions read and CAS: unchecked leases may [AccessRight#READ] and [AccessRight#ATOMIC].
    INDEX,
    /// Blocks that are written once by their owner, then read: unchecked leases may [AccessRight#READ].
    DATA
}
