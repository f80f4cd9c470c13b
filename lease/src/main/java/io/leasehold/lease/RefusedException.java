package io.leasehold.lease;

import io.leasehold.lease.ControlMessage.Failed;
import io.leasehold.lease.ControlMessage.Reason;

/// Thrown by what serves a request to refuse it: it had no effect.
final class RefusedException extends Exception {
    private static final long serialVersionUID = 1;

    private final Reason reason;

    RefusedException(Reason reason, String detail) {
        // No stack trace: it is an answer, and a client can cause any number of them.
        super(detail, null, false, false);
        this.reason = reason;
    }

    Failed reply() {
        return new Failed(reason, ControlCodec.detail(String.valueOf(getMessage())));
    }
}
