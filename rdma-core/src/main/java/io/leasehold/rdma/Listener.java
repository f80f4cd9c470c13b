package io.leasehold.rdma;

/// Accepts connections for a device until it is closed.
public interface Listener extends AutoCloseable {
    /// What peers connect to.
    EndpointAddress address();

    /// Stops accepting; queue pairs that were connected stay.
    @Override
    void close();
}
