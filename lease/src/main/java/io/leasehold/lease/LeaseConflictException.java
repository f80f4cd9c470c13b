package io.leasehold.lease;

import org.jspecify.annotations.Nullable;

/// Thrown when conflicting leases did not end within the request's patience: nothing was granted. It can succeed later.
public final class LeaseConflictException extends LeaseException {
    private static final long serialVersionUID = 1;

    LeaseConflictException(String message, @Nullable Throwable cause) {
        super(Effect.NONE, true, message, cause);
    }

    LeaseConflictException(String message) {
        this(message, null);
    }

    /// For structures made of leases, whose operations end in time although others' leases do not: nothing was changed.
    public static LeaseConflictException of(String message, @Nullable Throwable cause) {
        return new LeaseConflictException(message, cause);
    }
}
