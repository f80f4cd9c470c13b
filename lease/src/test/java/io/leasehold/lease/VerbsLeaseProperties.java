package io.leasehold.lease;

import io.leasehold.rdma.DeviceOptions;
import io.leasehold.rdma.RdmaDevice;
import io.leasehold.rdma.RdmaError;
import io.leasehold.rdma.RdmaException;
import net.jqwik.api.PropertyDefaults;
import net.jqwik.api.Tag;
import net.jqwik.api.lifecycle.AddLifecycleHook;
import net.jqwik.api.lifecycle.LifecycleContext;
import net.jqwik.api.lifecycle.SkipExecutionHook;

/// P1 to P12 on the RDMA device of this machine, with leases that rest on what the node chooses there; skipped, and the reason told,
/// where there is none.
@Tag("rdma")
@AddLifecycleHook(VerbsLeaseProperties.WithoutDevice.class)
@PropertyDefaults(tries = 100)
final class VerbsLeaseProperties implements LeaseContract {
    /// Leaves the properties out where they cannot be tried.
    static final class WithoutDevice implements SkipExecutionHook {
        @Override
        public SkipResult shouldBeSkipped(LifecycleContext context) {
            try (RdmaDevice _ = RdmaDevice.open(DeviceOptions.verbs())) {
                return SkipResult.doNotSkip();
            } catch (RdmaException e) {
                return e.error() == RdmaError.UNSUPPORTED ? SkipResult.skip(e.getMessage()) : SkipResult.doNotSkip();
            }
        }
    }

    @Override
    public Fabric fabric() {
        return Fabric.VERBS;
    }
}
