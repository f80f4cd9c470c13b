package io.leasehold.rdma.disni;

import com.ibm.disni.verbs.RdmaEventChannel;
import io.leasehold.rdma.internal.verbs.CmChannel;
import java.io.IOException;

/// An event channel of the connection manager.
final class EventChannel extends RdmaEventChannel {
    private final CmChannel channel;
    private final Devices devices;

    /// @param devices where its ids find the contexts of their devices
    EventChannel(CmChannel channel, Devices devices) throws IOException {
        super(channel.descriptor());
        this.channel = channel;
        this.devices = devices;
    }

    Devices devices() {
        return devices;
    }

    CmChannel channel() {
        return channel;
    }
}
