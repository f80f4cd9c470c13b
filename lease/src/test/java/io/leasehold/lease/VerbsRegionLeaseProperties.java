package io.leasehold.lease;

import net.jqwik.api.PropertyDefaults;
import net.jqwik.api.Tag;
import net.jqwik.api.lifecycle.AddLifecycleHook;

/// P1 to P12 on the RDMA device of this machine, with leases that rest on regions whatever the device has.
@Tag("rdma")
@AddLifecycleHook(VerbsLeaseProperties.WithoutDevice.class)
@PropertyDefaults(tries = 25)
final class VerbsRegionLeaseProperties implements LeaseContract {
    @Override
    public Fabric fabric() {
        return Fabric.VERBS;
    }

    @Override
    public Setting setting() {
        return Setting.on(fabric()).withRegions();
    }
}
