package io.leasehold.lease;

import net.jqwik.api.PropertyDefaults;

/// P1 to P12 on the local link at its worst, with clocks that run apart as far as they may, and leases that rest on regions.
@PropertyDefaults(tries = 50)
final class HostileRegionLeaseProperties implements LeaseContract {
    @Override
    public Fabric fabric() {
        return Fabric.HOSTILE_LOCAL;
    }

    @Override
    public Setting setting() {
        return Setting.on(fabric()).withRegions();
    }
}
