package io.leasehold.testkit;

import io.leasehold.rdma.DeviceOptions;
import io.leasehold.rdma.Link;
import io.leasehold.rdma.RdmaDevice;

class SoftSharedMemoryConformanceTest implements RdmaProviderContract {
    @Override
    public RdmaDevice openDevice() {
        return RdmaDevice.open(DeviceOptions.soft().withLinks(Link.SHARED_MEMORY));
    }
}
