package io.leasehold.rdma;

import java.util.Set;

/// What a device is and how much of everything it has.
///
/// @param provider name of the provider, as `soft`
/// @param name name of the device
/// @param windowTypes the window types it can bind; empty if it has no windows
/// @param windowBoundsEnforced whether an access outside a window, by a single byte, is refused
/// @param maxQueuePairs most queue pairs
/// @param maxCompletionQueues most completion queues
/// @param maxCompletionEntries most entries of one completion queue
/// @param maxRegions most memory regions
/// @param maxWindows most memory windows
/// @param maxWorkRequests most places in one send or receive queue
/// @param maxReadAtomic most reads and atomics on the way on one queue pair
/// @param maxInlineBytes longest inline payload
/// @param maxMessageBytes longest single transfer
/// @param maxPrivateDataBytes most private data of a connection request or answer
/// @param maxWindowBytes longest range that a window can be bound to
public record DeviceAttributes(String provider, String name, Set<MemoryWindowType> windowTypes, boolean windowBoundsEnforced,
        int maxQueuePairs, int maxCompletionQueues, int maxCompletionEntries, int maxRegions, int maxWindows,
        int maxWorkRequests, int maxReadAtomic, int maxInlineBytes, int maxMessageBytes, int maxPrivateDataBytes,
        long maxWindowBytes) {
    /// Keeps a copy of the set.
    public DeviceAttributes {
        windowTypes = Set.copyOf(windowTypes);
    }

    /// The same with another answer to whether the bounds of windows are enforced.
    public DeviceAttributes withWindowBoundsEnforced(boolean enforced) {
        return new DeviceAttributes(provider, name, windowTypes, enforced, maxQueuePairs, maxCompletionQueues,
                maxCompletionEntries, maxRegions, maxWindows, maxWorkRequests, maxReadAtomic, maxInlineBytes, maxMessageBytes,
                maxPrivateDataBytes, maxWindowBytes);
    }
}
