package io.leasehold.rdma;

/// Opens devices of one kind; found by [java.util.ServiceLoader].
public interface RdmaProvider {
    /// The name by which [DeviceOptions#provider()] selects it.
    String name();

    /// Opens a device.
    ///
    /// @throws RdmaException if there is none, or an option is out of range; the message names the remedy
    RdmaDevice open(DeviceOptions options);
}
