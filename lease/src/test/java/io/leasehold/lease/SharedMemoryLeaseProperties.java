package io.leasehold.lease;

import net.jqwik.api.PropertyDefaults;

/// P1 to P12 over shared memory.
@PropertyDefaults(tries = 200)
final class SharedMemoryLeaseProperties implements LeaseContract {
    @Override
    public Fabric fabric() {
        return Fabric.SHARED_MEMORY;
    }
}
