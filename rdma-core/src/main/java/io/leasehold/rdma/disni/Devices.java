package io.leasehold.rdma.disni;

import io.leasehold.rdma.ResourceCounts;
import io.leasehold.rdma.internal.verbs.VerbsDevice;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;

/// The contexts of the devices that programs have come upon, one each, opened at the first use. Thread-safe.
final class Devices {
    private final Map<String, Context> contexts = new HashMap<>();
    private final Function<String, VerbsDevice> opener;

    /// @param opener opens a device by its name
    Devices(Function<String, VerbsDevice> opener) {
        this.opener = opener;
    }

    /// @throws IOException if the device cannot be opened
    synchronized Context context(String name) throws IOException {
        Context known = contexts.get(name);
        if (known == null || !known.isOpen()) {
            known = new Context(Failures.get(() -> opener.apply(name)));
            contexts.put(name, known);
        }
        return known;
    }

    /// What each holds.
    synchronized Map<String, ResourceCounts> resources() {
        Map<String, ResourceCounts> counts = new HashMap<>();
        contexts.forEach((name, context) -> counts.put(name, context.device().resources()));
        return counts;
    }

    /// Closes the devices, with all that is left of them.
    synchronized void close() {
        List<Context> open = new ArrayList<>(contexts.values());
        contexts.clear();
        for (Context context : open) {
            context.close();
        }
    }
}
