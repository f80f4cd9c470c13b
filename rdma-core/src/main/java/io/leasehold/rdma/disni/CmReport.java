package io.leasehold.rdma.disni;

import com.ibm.disni.verbs.RdmaCmEvent;
import java.net.InetSocketAddress;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/// All that is known of an event of the connection manager.
///
/// @param type what has happened
/// @param status 0, a negative error number of the kernel's, or for a rejection its reason: 8 nobody listens there, 28 the peer's
///        program refused
/// @param privateData what the peer sent along; padded with zeros by the transport
/// @param peer the peer's address, if one is known
/// @param phase what the id was doing
/// @param elapsed since it began to
@SuppressWarnings("exports") // Who sees DiSNI's types has DiSNI.
public record CmReport(RdmaCmEvent.EventType type, int status, byte[] privateData, @Nullable InetSocketAddress peer, String phase,
        Duration elapsed) {
}
