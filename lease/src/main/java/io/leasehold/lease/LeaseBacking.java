package io.leasehold.lease;

import io.leasehold.rdma.DeviceAttributes;
import io.leasehold.rdma.MemoryWindowType;

/// What a node's device holds against a lease's range, so that nothing but the lease opens it.
public enum LeaseBacking {
    /// A memory window of type 2B, bound to the holder's queue pair. A lease costs the node no system call.
    WINDOW,
    /// A memory region, registered when the lease is granted, in a protection domain that the holder's session has for itself, and
    /// deregistered when the lease ends. It protects as a window does, and costs the node's control thread two system calls a
    /// lease, and more the longer the range is; the locked memory of the process is counted once for each lease.
    REGION;

    /// What leases rest on at a device with these attributes: on windows if the device has such that confine their holder, and on
    /// regions if not.
    public static LeaseBacking of(DeviceAttributes attributes) {
        return attributes.windowTypes().contains(MemoryWindowType.TYPE_2B) && attributes.windowBoundsEnforced() ? WINDOW : REGION;
    }
}
