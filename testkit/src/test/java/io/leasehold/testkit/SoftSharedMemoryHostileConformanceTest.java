package io.leasehold.testkit;

import io.leasehold.rdma.DeviceOptions;
import io.leasehold.rdma.Hostility;
import io.leasehold.rdma.Link;
import io.leasehold.rdma.RdmaDevice;

class SoftSharedMemoryHostileConformanceTest implements RdmaProviderContract, RunSeed.Reported {
    @Override
    public RdmaDevice openDevice() {
        return RdmaDevice.open(
                DeviceOptions.soft().withLinks(Link.SHARED_MEMORY).withHostility(Hostility.unpleasant(RunSeed.value())));
    }
}
