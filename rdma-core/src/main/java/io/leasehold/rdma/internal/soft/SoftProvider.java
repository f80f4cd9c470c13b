package io.leasehold.rdma.internal.soft;

import io.leasehold.rdma.DeviceOptions;
import io.leasehold.rdma.RdmaDevice;
import io.leasehold.rdma.RdmaProvider;

/// The software fabric: protected remote memory without RDMA hardware.
public final class SoftProvider implements RdmaProvider {
    /// The name in [DeviceOptions#provider()].
    static final String NAME = "soft";

    /// For [java.util.ServiceLoader].
    public SoftProvider() {
    }

    @Override
    public String name() {
        return NAME;
    }

    @Override
    public RdmaDevice open(DeviceOptions options) {
        return SoftDevice.open(options);
    }
}
