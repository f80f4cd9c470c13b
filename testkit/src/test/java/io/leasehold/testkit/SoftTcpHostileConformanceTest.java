package io.leasehold.testkit;

import io.leasehold.rdma.DeviceOptions;
import io.leasehold.rdma.Hostility;
import io.leasehold.rdma.Link;
import io.leasehold.rdma.RdmaDevice;

class SoftTcpHostileConformanceTest implements RdmaProviderContract, RunSeed.Reported {
    @Override
    public RdmaDevice openDevice() {
        return RdmaDevice.open(
                DeviceOptions.soft().withLinks(Link.TCP).withHostility(Hostility.unpleasant(RunSeed.value())));
    }
}
