package io.leasehold.rdma;

/// What every rendezvous refuses.
final class RendezvousLimits {
    private RendezvousLimits() {
    }

    static void checkValue(String name, byte[] value) {
        if (value.length > Rendezvous.VALUE_MAX_BYTES) {
            throw new IllegalArgumentException("the value of '" + name + "' has " + value.length + " bytes, more than "
                    + Rendezvous.VALUE_MAX_BYTES + "; publish where it can be read instead");
        }
    }

    static void checkParties(int parties) {
        if (parties < 1 || parties > Rendezvous.PARTIES_MAX) {
            throw new IllegalArgumentException("parties " + parties + " is outside 1 to " + Rendezvous.PARTIES_MAX);
        }
    }
}
