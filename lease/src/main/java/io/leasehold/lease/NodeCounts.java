package io.leasehold.lease;

import io.leasehold.rdma.ResourceCounts;

/// What a memory node has in use at one moment.
///
/// @param sessions sessions that live
/// @param leases leases that live
/// @param keysInUse memory windows or regions, as [MemoryNode#backing()] says, that open ranges to leases, and rows of lease words
///        to sessions
/// @param wordsInUse lease words in use
/// @param lockedRanges ranges in the lock table, held or waited for
/// @param sessionBytes bytes allocated to sessions
/// @param namedBytes bytes of named memory
/// @param heapBytes bytes of heaps: chunks, whether used or free within
/// @param quarantinedBytes freed bytes that may not be used again yet
/// @param freeBytes bytes that can be allocated
/// @param device what the node's device holds
public record NodeCounts(int sessions, int leases, int keysInUse, int wordsInUse, int lockedRanges, long sessionBytes,
        long namedBytes, long heapBytes, long quarantinedBytes, long freeBytes, ResourceCounts device) {
}
