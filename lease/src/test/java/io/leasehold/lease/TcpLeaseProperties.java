package io.leasehold.lease;

/// P1 to P12 over TCP.
final class TcpLeaseProperties implements LeaseContract {
    @Override
    public Fabric fabric() {
        return Fabric.TCP;
    }
}
