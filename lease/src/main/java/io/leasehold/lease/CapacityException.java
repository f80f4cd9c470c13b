package io.leasehold.lease;

import org.jspecify.annotations.Nullable;

/// Thrown when a node has run out of windows, lease words, memory or sessions, or a session has used up its quota: nothing was
/// granted. It can succeed when something is freed.
public final class CapacityException extends LeaseException {
    private static final long serialVersionUID = 1;

    CapacityException(String message, @Nullable Throwable cause) {
        super(Effect.NONE, true, message, cause);
    }

    CapacityException(String message) {
        this(message, null);
    }

    /// For structures in remote memory that have a greatest size: nothing was changed.
    public static CapacityException of(String message) {
        return new CapacityException(message);
    }
}
