package io.leasehold.rdma;

/// The kinds of memory window that the InfiniBand specification defines.
public enum MemoryWindowType {
    /// Valid on every queue pair of its protection domain; may be bound again without being invalidated; the device chooses the
    /// key at each bind.
    TYPE_1,
    /// Bound to one queue pair, and keeps that binding to the queue pair alone, not to the protection domain.
    TYPE_2A,
    /// Bound to one queue pair and checked against its protection domain as well; the consumer chooses the 8-bit variant of the
    /// key, and the window must be invalidated before it can be bound again.
    TYPE_2B
}
