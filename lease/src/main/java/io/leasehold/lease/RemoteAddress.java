package io.leasehold.lease;

/// A place in the memory of a node.
///
/// @param node the node's number in its cluster, 0 to 1023
/// @param offset bytes from the start of the node's memory; never negative
public record RemoteAddress(int node, long offset) {
    /// Checks the ranges.
    public RemoteAddress {
        if (node < 0 || node > 1023) {
            throw new IllegalArgumentException("node " + node + " is outside 0 to 1023");
        }
        if (offset < 0) {
            throw new IllegalArgumentException("offset " + offset + " is negative");
        }
    }

    /// The place `bytes` further on.
    public RemoteAddress plus(long bytes) {
        return new RemoteAddress(node, Math.addExact(offset, bytes));
    }
}
