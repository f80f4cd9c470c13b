package io.leasehold.lease;

import net.jqwik.api.PropertyDefaults;

/// P1 to P12 over TCP, with leases that rest on regions.
@PropertyDefaults(tries = 100)
final class TcpRegionLeaseProperties implements LeaseContract {
    @Override
    public Fabric fabric() {
        return Fabric.TCP;
    }

    @Override
    public Setting setting() {
        return Setting.on(fabric()).withRegions();
    }
}
