package io.leasehold.rdma;

import java.time.Duration;

/// Thrown when processes could not find each other in time; the message names server, phase and time spent.
public final class RendezvousException extends RuntimeException {
    private static final long serialVersionUID = 1;

    /// An exception for a wait that ended in vain.
    ///
    /// @param server the server, as `memcached 127.0.0.1:11211`
    /// @param phase what was being done, as `connect` or `await node/0`
    /// @param elapsed the time spent
    /// @param detail what happened and what to do
    public RendezvousException(String server, String phase, Duration elapsed, String detail,
            @org.jspecify.annotations.Nullable Throwable cause) {
        super(server + ": " + phase + " failed after " + elapsed.toMillis() + " ms: " + detail, cause);
    }
}
