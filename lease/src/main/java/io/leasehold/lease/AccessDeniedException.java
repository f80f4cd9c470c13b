package io.leasehold.lease;

import org.jspecify.annotations.Nullable;

/// Thrown when the node refused an access that no live lease of the session allows: nothing was read or changed.
public final class AccessDeniedException extends LeaseException {
    private static final long serialVersionUID = 1;

    AccessDeniedException(String message, @Nullable Throwable cause) {
        super(Effect.NONE, false, message, cause);
    }

    AccessDeniedException(String message) {
        this(message, null);
    }
}
