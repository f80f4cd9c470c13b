package io.leasehold.lease;

import io.leasehold.lease.ControlMessage.Failed;
import io.leasehold.rdma.EndpointAddress;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/// Whether a session can still be used, and if not, why. It ends once, and the first cause stays.
final class SessionState {
    /// Why a session is of no more use.
    enum End {
        /// Its owner closed it.
        CLOSED,
        /// The node ended it, or is not the node that made it.
        ENDED,
        /// The node could not be reached in time.
        UNREACHABLE
    }

    private record Ending(End why, String detail, @Nullable Throwable cause) {
    }

    private final EndpointAddress node;
    private final AtomicReference<@Nullable Ending> ending = new AtomicReference<>();

    SessionState(EndpointAddress node) {
        this.node = node;
    }

    /// The node's address, for messages.
    EndpointAddress node() {
        return node;
    }

    boolean isOpen() {
        return ending.get() == null;
    }

    /// Ends the session.
    ///
    /// @return whether it was open
    boolean end(End why, String detail, @Nullable Throwable cause) {
        return ending.compareAndSet(null, new Ending(why, detail, cause));
    }

    /// How operations end that were not carried out when the session ended.
    WorkChain.Fault faultOfRest() {
        Ending now = ending.get();
        return now != null && now.why == End.UNREACHABLE ? WorkChain.Fault.UNREACHABLE : WorkChain.Fault.CLOSED;
    }

    /// Does nothing while the session is open.
    void requireOpen(String operation) {
        if (ending.get() != null) {
            throw exception(operation);
        }
    }

    /// Why `operation` cannot be carried out any more; the session has ended.
    RuntimeException exception(String operation) {
        Ending now = ending.get();
        if (now == null) {
            return new IllegalStateException(operation + ": the session is open");
        }
        return switch (now.why) {
            case CLOSED -> new IllegalStateException("session is closed; " + operation + " at " + node + " was not carried out");
            case ENDED -> new LeaseExpiredException(
                    node + ": " + operation + ": the session has ended (" + now.detail + "); connect a new one", now.cause);
            case UNREACHABLE -> new NodeUnavailableException(node + ": " + operation + ": the session gave the node up ("
                    + now.detail + "); connect a new one", now.cause);
        };
    }

    /// The exception for the node's answer to `operation`.
    RuntimeException exception(String operation, Failed failed, long elapsedNanos) {
        String message = node + ": " + operation + " failed after " + elapsedNanos / 1_000 + " µs: " + failed.detail();
        return switch (failed.reason()) {
            case CONFLICT -> new LeaseConflictException(message + "; try again, or with more patience");
            case OUT_OF_WINDOWS, OUT_OF_WORDS, OUT_OF_MEMORY, OUT_OF_SESSIONS ->
                new CapacityException(message + "; free something, or start the node with higher limits");
            case OUT_OF_BOUNDS -> new OutOfBoundsException(message);
            case NOT_PERMITTED -> new AccessDeniedException(message);
            case NO_SUCH_NAME -> new NoSuchNameException(message);
            case SESSION_ENDED -> new LeaseExpiredException(message + "; connect a new session");
            case UNAVAILABLE -> new NodeUnavailableException(message + "; try again later");
            case BAD_REQUEST -> new IllegalArgumentException(message);
        };
    }
}
