package io.leasehold.lease;

import org.jspecify.annotations.Nullable;

/// Thrown when a lease had ended before the operation reached the memory: nothing was read or changed. Acquire a new one.
public final class LeaseExpiredException extends LeaseException {
    private static final long serialVersionUID = 1;

    LeaseExpiredException(String message, @Nullable Throwable cause) {
        super(Effect.NONE, false, message, cause);
    }

    LeaseExpiredException(String message) {
        this(message, null);
    }
}
