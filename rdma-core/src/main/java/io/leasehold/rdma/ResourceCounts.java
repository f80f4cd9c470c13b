package io.leasehold.rdma;

/// How many objects of each kind a device holds now; all zero when everything was closed.
///
/// @param protectionDomains open protection domains
/// @param regions registered regions
/// @param windows allocated windows
/// @param boundWindows windows that are bound
/// @param queuePairs queue pairs
/// @param completionQueues completion queues
/// @param threads threads that the device runs
public record ResourceCounts(int protectionDomains, int regions, int windows, int boundWindows, int queuePairs,
        int completionQueues, int threads) {
    /// Nothing at all.
    public static final ResourceCounts NONE = new ResourceCounts(0, 0, 0, 0, 0, 0, 0);
}
