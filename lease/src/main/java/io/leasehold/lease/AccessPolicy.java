package io.leasehold.lease;

import java.util.Set;

/// Decides what a client may do at a memory node, beyond what the node decides by itself (no session touches another's memory).
///
/// Called on the node's control thread: it must be quick. One that throws, even an [Error], has refused.
@FunctionalInterface
public interface AccessPolicy {
    /// Every principal may do everything.
    AccessPolicy ALLOW_ALL = (_, _, _) -> true;

    /// What kind of memory is asked for.
    enum Kind {
        /// Memory that belongs to the session which asks.
        SESSION,
        /// Named memory.
        NAMED,
        /// A heap.
        HEAP
    }

    /// What is asked for.
    ///
    /// @param kind the kind of memory
    /// @param name its name; empty for [Kind#SESSION]
    record Target(Kind kind, String name) {
    }

    /// Whether a client that calls itself `principal` may use `target` with `rights`: asked before each lease, and, with
    /// [AccessRight#WRITE], before memory is created, extended, retired or freed.
    ///
    /// An [LeaseMode#EXCLUSIVE] lease asks for [AccessRight#WRITE] as well, whatever its rights are: it keeps others from writing.
    /// A [LeaseMode#SHARED] one holds up whoever wants the range for himself, for the node's longest term at most.
    boolean allows(String principal, Target target, Set<AccessRight> rights);
}
