package io.leasehold.lease;

import net.jqwik.api.PropertyDefaults;

/// P1 to P12 on the local link at its worst, with clocks that run apart as far as they may.
@PropertyDefaults(tries = 100)
final class HostileLocalLeaseProperties implements LeaseContract {
    @Override
    public Fabric fabric() {
        return Fabric.HOSTILE_LOCAL;
    }
}
