/// Leases on remote memory: a [io.leasehold.lease.MemoryNode] owns memory, a [io.leasehold.lease.Session] acquires the right to
/// touch part of it, and a [io.leasehold.lease.Lease] is that right, until a deadline that the node enforces.
///
/// Failures are [io.leasehold.lease.LeaseException]s, which say whether the operation may have taken effect.
package io.leasehold.lease;
