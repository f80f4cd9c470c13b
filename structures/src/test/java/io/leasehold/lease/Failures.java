package io.leasehold.lease;

/// Failures that tests have to bring about, and whose constructors are not public.
public final class Failures {
    private Failures() {
    }

    /// What a session throws when the connection breaks around an atomic.
    public static OutcomeUnknownException outcomeUnknown() {
        return new OutcomeUnknownException("simulated: the connection broke");
    }

    /// What a session throws when the node cannot be asked.
    public static NodeUnavailableException nodeUnavailable() {
        return new NodeUnavailableException("simulated: the node is not there");
    }
}
