package io.leasehold.lease;

import org.jspecify.annotations.Nullable;

/// Thrown when an access leaves the range of its lease, or a request names memory that is not there: nothing was read or changed.
public final class OutOfBoundsException extends LeaseException {
    private static final long serialVersionUID = 1;

    OutOfBoundsException(String message, @Nullable Throwable cause) {
        super(Effect.NONE, false, message, cause);
    }

    OutOfBoundsException(String message) {
        this(message, null);
    }
}
