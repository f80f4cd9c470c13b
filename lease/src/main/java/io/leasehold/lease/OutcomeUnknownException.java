package io.leasehold.lease;

import org.jspecify.annotations.Nullable;

/// Thrown when the connection broke, or the time was over, after a request was sent and before it was answered: the word or range
/// **may** have changed. Read it before trying again. Of a request to the node to allocate, free, create, retire or destroy it says
/// that the node **may** have done it or do it yet; what it allocates too late is given back.
///
/// A READ and a WRITE are repeated by the session when the connection breaks. If that of a WRITE failed too, the cause is that
/// failure; an atomic is never repeated, and then there is no cause.
public final class OutcomeUnknownException extends LeaseException {
    private static final long serialVersionUID = 1;

    OutcomeUnknownException(String message, @Nullable Throwable cause) {
        super(Effect.UNKNOWN, false, message, cause);
    }

    OutcomeUnknownException(String message) {
        this(message, null);
    }
}
