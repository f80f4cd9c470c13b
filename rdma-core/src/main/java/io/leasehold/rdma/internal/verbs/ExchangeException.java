package io.leasehold.rdma.internal.verbs;

import java.io.IOException;

/// A peer that does not keep to the exchange: another version, or no peer of ours.
final class ExchangeException extends IOException {
    private static final long serialVersionUID = 1;

    ExchangeException(String message) {
        super(message);
    }
}
