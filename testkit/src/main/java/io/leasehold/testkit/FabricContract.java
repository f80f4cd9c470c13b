package io.leasehold.testkit;

import io.leasehold.rdma.RdmaDevice;
import java.util.Set;

/// What a contract needs to know of the provider that it tests: how to open a device.
///
/// Each contract opens devices of its own and closes them, so its tests may run in any order, and at the same time.
@FunctionalInterface
public interface FabricContract {
    /// Opens a device that can reach, and be reached by, the other devices that this method opens.
    RdmaDevice openDevice();

    /// What the device is known to do otherwise than the specification says; nothing, unless it cannot be mended.
    default Set<Quirk> quirks() {
        return Set.of();
    }

    /// Two hosts on two such devices.
    default Testbed testbed() {
        return Testbed.of(this::openDevice);
    }
}
