package io.leasehold.rdma.internal.verbs;

import java.net.InetSocketAddress;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/// What the connection manager says of an id.
///
/// @param type what has happened
/// @param id whose event it is; of a connection request, the new id
/// @param listener the id that listened, for a connection request
/// @param status 0, a negative error number of the kernel's, or for a rejection the reason: 8 nobody listens there, 28 the peer's
///        program refused
/// @param privateData what the peer sent along
/// @param responderResources reads and atomics that the peer takes at once, if it said so
/// @param initiatorDepth reads and atomics that the peer sends at once, if it said so
/// @param peer the peer's address, if one is known
/// @param phase what the id was doing
/// @param elapsed since it began to
public record CmEvent(Type type, CmId id, @Nullable CmId listener, int status, byte[] privateData, int responderResources,
        int initiatorDepth, @Nullable InetSocketAddress peer, String phase, Duration elapsed) {
    /// `enum rdma_cm_event_type`, in its order.
    public enum Type {
        /// The address was resolved, and the id belongs to a device.
        ADDR_RESOLVED,
        /// The address could not be resolved.
        ADDR_ERROR,
        /// There is a route.
        ROUTE_RESOLVED,
        /// There is none.
        ROUTE_ERROR,
        /// A peer wants to connect.
        CONNECT_REQUEST,
        /// The peer has answered; never told, since we go on to [#ESTABLISHED].
        CONNECT_RESPONSE,
        /// Connecting failed.
        CONNECT_ERROR,
        /// The peer did not answer.
        UNREACHABLE,
        /// The peer refused.
        REJECTED,
        /// The connection is up.
        ESTABLISHED,
        /// The peer has disconnected, or died.
        DISCONNECTED,
        /// The device is going.
        DEVICE_REMOVAL,
        /// Of no concern here.
        MULTICAST_JOIN,
        /// Of no concern here.
        MULTICAST_ERROR,
        /// The address moved to another device.
        ADDR_CHANGE,
        /// The queue pair of a connection that has ended may be used again.
        TIMEWAIT_EXIT;

        /// Whether what the id was doing has failed.
        public boolean isError() {
            return switch (this) {
                case ADDR_ERROR, ROUTE_ERROR, CONNECT_ERROR, UNREACHABLE, REJECTED, DEVICE_REMOVAL, MULTICAST_ERROR -> true;
                default -> false;
            };
        }
    }

    /// The event, its cause, and in which phase it came from whom, in a sentence.
    public String describe() {
        return type + " (" + cause() + ") while " + phase + (peer == null ? "" : " " + peer) + ", after " + elapsed.toMillis()
                + " ms";
    }

    private String cause() {
        if (type == Type.REJECTED) {
            return switch (status) {
                case 8 -> "reason 8: nobody listens at that port";
                case 10 -> "reason 10: the peer still knows the queue pair from an earlier connection; try again later";
                case 28 -> "reason 28: the peer's program refused";
                default -> "reason " + status;
            };
        }
        return status == 0 ? "status 0" : "status " + status + ": " + NativeFailure.name(Math.abs(status));
    }
}
