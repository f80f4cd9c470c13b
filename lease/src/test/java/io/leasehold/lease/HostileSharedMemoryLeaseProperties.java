package io.leasehold.lease;

import net.jqwik.api.PropertyDefaults;

/// P1 to P12 over shared memory at its worst, with clocks that run apart as far as they may.
@PropertyDefaults(tries = 100)
final class HostileSharedMemoryLeaseProperties implements LeaseContract {
    @Override
    public Fabric fabric() {
        return Fabric.HOSTILE_SHARED_MEMORY;
    }
}
