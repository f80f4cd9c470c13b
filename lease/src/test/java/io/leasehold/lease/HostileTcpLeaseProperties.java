package io.leasehold.lease;

import net.jqwik.api.PropertyDefaults;

/// P1 to P12 over TCP at its worst, with clocks that run apart as far as they may.
@PropertyDefaults(tries = 100)
final class HostileTcpLeaseProperties implements LeaseContract {
    @Override
    public Fabric fabric() {
        return Fabric.HOSTILE_TCP;
    }
}
