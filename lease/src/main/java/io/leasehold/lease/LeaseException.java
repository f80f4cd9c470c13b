package io.leasehold.lease;

import org.jspecify.annotations.Nullable;

/// The failures of leases and of remote memory under them. Each says whether the operation may have taken effect, and whether trying
/// again can help; the message names the peer, the phase, the time spent and the remedy.
public abstract sealed class LeaseException extends RuntimeException permits AccessDeniedException, CapacityException,
        LeaseConflictException, LeaseExpiredException, NoSuchNameException, NodeUnavailableException, OutOfBoundsException,
        OutcomeUnknownException {
    private static final long serialVersionUID = 1;

    /// Whether the failed operation changed remote memory.
    public enum Effect {
        /// It did not.
        NONE,
        /// It may have: read before trying again.
        UNKNOWN
    }

    private final Effect effect;
    private final boolean retryable;

    LeaseException(Effect effect, boolean retryable, String message, @Nullable Throwable cause) {
        super(message, cause);
        this.effect = effect;
        this.retryable = retryable;
    }

    /// Whether the operation may have taken effect.
    public final Effect effect() {
        return effect;
    }

    /// Whether the same call can succeed later with nothing else changed.
    public final boolean isRetryable() {
        return retryable;
    }
}
