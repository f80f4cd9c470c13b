package io.leasehold.rdma;

/// Answers the connection requests of a [Listener].
@FunctionalInterface
public interface ConnectionHandler {
    /// Called for each request, on a thread of the device; it may take as long as the peer waits, and other requests go on meanwhile.
    void onRequest(ConnectionRequest request);
}
