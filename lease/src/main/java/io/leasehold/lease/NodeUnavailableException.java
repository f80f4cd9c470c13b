package io.leasehold.lease;

import org.jspecify.annotations.Nullable;

/// Thrown when the memory node does not answer: nothing was changed by the operation that failed. It can succeed when the node is
/// back. A lease that was asked for and is granted after that is relinquished at once.
public final class NodeUnavailableException extends LeaseException {
    private static final long serialVersionUID = 1;

    NodeUnavailableException(String message, @Nullable Throwable cause) {
        super(Effect.NONE, true, message, cause);
    }

    NodeUnavailableException(String message) {
        this(message, null);
    }

    /// For structures made of leases, if the node did not answer and the structure was not changed.
    public static NodeUnavailableException of(String message, @Nullable Throwable cause) {
        return new NodeUnavailableException(message, cause);
    }
}
