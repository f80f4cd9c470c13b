package io.leasehold.lease;

import net.jqwik.api.PropertyDefaults;

/// P1 to P12 on the local link, on a device without windows: leases rest on regions.
@PropertyDefaults(tries = 500)
final class RegionLeaseProperties implements LeaseContract {
    @Override
    public Fabric fabric() {
        return Fabric.LOCAL;
    }

    @Override
    public Setting setting() {
        return Setting.on(fabric()).withNode(options -> options.withDevice(options.device().withMaxWindows(0)));
    }
}
