package io.leasehold.rdma;

/// Where one queue pair can be reached; exchanged by its owners when they connect the raw way, or seen in a [ConnectionRequest].
///
/// @param endpoint where its device listens
/// @param number the queue pair's number on that device
public record QueuePairAddress(EndpointAddress endpoint, int number) {
}
