package io.leasehold.rdma.internal.soft;

import io.leasehold.rdma.ConnectionHandler;
import io.leasehold.rdma.ConnectionRequest;
import io.leasehold.rdma.EndpointAddress;
import io.leasehold.rdma.Listener;
import io.leasehold.rdma.RdmaException;

/// Hands connection requests, from whichever link, to the user's handler, each on a virtual thread of its own.
final class SoftListener implements Listener {
    private final SoftDevice device;
    private final ConnectionHandler handler;
    private final EndpointAddress address;

    SoftListener(SoftDevice device, ConnectionHandler handler, EndpointAddress address) {
        this.device = device;
        this.handler = handler;
        this.address = address;
    }

    /// Has the handler answer `request`; a handler that throws has rejected it.
    void dispatch(ConnectionRequest request) {
        device.threads().startVirtual("leasehold-nic-connection", () -> {
            try {
                handler.onRequest(request);
            } catch (RuntimeException | Error e) {
                device.handlerThrew("a connection handler", e);
                try {
                    request.reject("the listener's handler failed: " + e);
                } catch (RdmaException answered) {
                    // It had answered before it threw, or the peer has gone: there is nobody left to tell.
                    return;
                }
            }
        });
    }

    @Override
    public EndpointAddress address() {
        return address;
    }

    @Override
    public void close() {
        device.remove(this);
    }
}
