package io.leasehold.lease;

import org.jspecify.annotations.Nullable;

/// Thrown when the memory node does not answer: nothing was changed by the operation that failed. It can succeed when the node is back.
public final class NodeUnavailableException extends LeaseException {
    private static final long serialVersionUID = 1;

    NodeUnavailableException(String message, @Nullable Throwable cause) {
        super(Effect.NONE, true, message, cause);
    }

    NodeUnavailableException(String message) {
        this(message, null);
    }
}
