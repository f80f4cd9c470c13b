package io.leasehold.lease;

import org.jspecify.annotations.Nullable;

/// Thrown when named memory or a heap does not exist, or exists with another size: nothing was changed.
public final class NoSuchNameException extends LeaseException {
    private static final long serialVersionUID = 1;

    NoSuchNameException(String message, @Nullable Throwable cause) {
        super(Effect.NONE, false, message, cause);
    }

    NoSuchNameException(String message) {
        this(message, null);
    }
}
