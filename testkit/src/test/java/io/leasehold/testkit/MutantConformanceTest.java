package io.leasehold.testkit;

import io.leasehold.rdma.DeviceOptions;
import io.leasehold.rdma.Link;
import io.leasehold.rdma.RdmaDevice;

/// A mutant that does not lie is as good a device as any.
class MutantConformanceTest implements RdmaProviderContract {
    @Override
    public RdmaDevice openDevice() {
        return MutantDevice.of(RdmaDevice.open(DeviceOptions.soft().withLinks(Link.LOCAL)));
    }
}
