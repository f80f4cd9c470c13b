package io.leasehold.lease;

/// P1 to P12 on the local link.
final class LocalLeaseProperties implements LeaseContract {
    @Override
    public Fabric fabric() {
        return Fabric.LOCAL;
    }
}
