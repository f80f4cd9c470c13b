package io.leasehold.rdma.internal.soft;

import java.io.IOException;

/// The peer sent what no peer of ours sends.
final class ProtocolViolation extends IOException {
    private static final long serialVersionUID = 1;

    ProtocolViolation(String message) {
        super(message);
    }
}
