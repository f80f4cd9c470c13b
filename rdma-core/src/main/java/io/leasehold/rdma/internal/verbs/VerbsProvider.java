package io.leasehold.rdma.internal.verbs;

import io.leasehold.rdma.DeviceOptions;
import io.leasehold.rdma.RdmaDevice;
import io.leasehold.rdma.RdmaProvider;

/// Real RDMA, through the libibverbs that is installed.
public final class VerbsProvider implements RdmaProvider {
    /// The name in [DeviceOptions#provider()].
    static final String NAME = "verbs";

    /// For [java.util.ServiceLoader].
    public VerbsProvider() {
    }

    @Override
    public String name() {
        return NAME;
    }

    @Override
    public RdmaDevice open(DeviceOptions options) {
        return VerbsDevice.open(SystemVerbsLibrary.load(), options);
    }
}
