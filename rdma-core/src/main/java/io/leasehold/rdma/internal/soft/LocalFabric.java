package io.leasehold.rdma.internal.soft;

import io.leasehold.rdma.QueuePairAddress;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import org.jspecify.annotations.Nullable;

/// Where the devices of this JVM find one another.
final class LocalFabric {
    private static final ConcurrentMap<Long, SoftDevice> DEVICES = new ConcurrentHashMap<>();

    private LocalFabric() {
    }

    /// Makes a device known.
    static void add(SoftDevice device) {
        DEVICES.put(device.id(), device);
    }

    /// Makes it unknown.
    static void remove(SoftDevice device) {
        DEVICES.remove(device.id(), device);
    }

    /// The device of this JVM with that identity.
    static @Nullable SoftDevice find(long id) {
        return DEVICES.get(id);
    }

    /// Joins two queue pairs that both went to RTR, each naming the other. Whichever comes second does it; one at a time, so that
    /// they are joined once.
    static synchronized void pair(SoftQueuePair one, QueuePairAddress remote) {
        SoftDevice device = DEVICES.get(remote.endpoint().device());
        SoftQueuePair other = device == null ? null : device.queuePair(remote.number());
        if (other == null || !other.awaits(one.device().id(), one.number()) || !one.awaits(remote)) {
            return;
        }
        LocalWire wire = LocalWire.between(one.queues(), other.queues());
        if (!one.linkUp(wire) || one != other && !other.linkUp(wire.twin())) {
            wire.cut();
        }
    }
}
