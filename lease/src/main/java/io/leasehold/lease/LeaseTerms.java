package io.leasehold.lease;

import io.leasehold.lease.ControlMessage.Acquire;

/// What a lease will be, once it is granted: an [Acquire] that was checked and cut to what the node allows.
///
/// @param offset first byte, from the start of the node's memory
/// @param lengthBytes length
/// @param access bits of [io.leasehold.rdma.AccessFlag]
/// @param mode which other leases may overlap
/// @param unitNanos the unit of the lease word
/// @param units the units that the lease begins with
/// @param lifeNanos the time after which it cannot be extended any more
record LeaseTerms(long offset, long lengthBytes, int access, LeaseMode mode, long unitNanos, int units, long lifeNanos) {
    long end() {
        return offset + lengthBytes;
    }

    /// The time of `acquire`, cut to `maxTermNanos`.
    static LeaseTerms of(Acquire acquire, long offset, long lengthBytes, long maxTermNanos) {
        long life = Math.min(acquire.maxLifeNanos(), maxTermNanos);
        long unit = Math.min(acquire.unitNanos(), life);
        int units = (int) Math.min(acquire.units(), life / unit);
        return new LeaseTerms(offset, lengthBytes, acquire.access(), acquire.mode(), unit, units, life);
    }
}
