package io.leasehold.rdma;

import java.nio.file.Path;
import java.util.EnumSet;
import java.util.Set;

/// How to open a device.
///
/// @param provider the provider's name
/// @param device which device of the provider: `name`, `name/port` or `name/port/gidIndex`, as `mlx5_0/1/3`; empty for the first
///        that can be used (the software fabric makes a new one each time)
/// @param host the address to listen at and to be reached at
/// @param port the port to listen at; 0 for any free one
/// @param links the links that may be used, the nearest that reaches the peer is chosen (software fabric only)
/// @param sharedMemoryDirectory where the ends of the shared-memory link find each other: on one host, both name the same; it holds
///        names for a moment only, of memory that belongs to this user alone
/// @param maxWindows most memory windows; 0 for a device without windows
/// @param maxQueuePairs most queue pairs
/// @param hostility how badly the software fabric behaves within what hardware may do; [Hostility#NONE] in production
public record DeviceOptions(String provider, String device, String host, int port, Set<Link> links, Path sharedMemoryDirectory,
        int maxWindows, int maxQueuePairs, Hostility hostility) {
    /// Memory that has files, on Linux.
    private static final Path SHARED_MEMORY = Path.of("/dev/shm");

    /// Checks the ranges.
    public DeviceOptions {
        links = Set.copyOf(links);
        if (links.isEmpty()) {
            throw new IllegalArgumentException("links is empty; name at least one of " + Set.of(Link.values()));
        }
        if (port < 0 || port > 65_535) {
            throw new IllegalArgumentException("port " + port + " is outside 0 to 65535");
        }
        if (maxWindows < 0 || maxWindows > 1 << 23) {
            throw new IllegalArgumentException("maxWindows " + maxWindows + " is outside 0 to " + (1 << 23));
        }
        if (maxQueuePairs < 1 || maxQueuePairs > 1 << 20) {
            throw new IllegalArgumentException("maxQueuePairs " + maxQueuePairs + " is outside 1 to " + (1 << 20));
        }
    }

    /// The software fabric on the loopback address, all links, files in `/dev/shm`, any port, 65,536 windows and 16,384 queue
    /// pairs.
    public static DeviceOptions soft() {
        return new DeviceOptions("soft", "", "127.0.0.1", 0, EnumSet.allOf(Link.class), SHARED_MEMORY, 1 << 16, 1 << 14,
                Hostility.NONE);
    }

    /// RDMA through libibverbs: the first device that can be used, which exchanges connection data at the loopback address, any
    /// port. To be reached from other hosts it needs an address of this one, see [#withAddress], and then uses the GID of that
    /// address if it has one.
    public static DeviceOptions verbs() {
        return new DeviceOptions("verbs", "", "127.0.0.1", 0, EnumSet.allOf(Link.class), SHARED_MEMORY, 1 << 16, 1 << 14,
                Hostility.NONE);
    }

    /// What a person writes to choose a device: `soft`, `verbs`, or `verbs:` and a name as in [#device()], as `verbs:mlx5_0/1/3`;
    /// everything else is as in [#soft()] or [#verbs()].
    ///
    /// @throws IllegalArgumentException naming the text and the forms expected
    public static DeviceOptions parse(String text) {
        if (text.equals("soft")) {
            return soft();
        }
        if (text.equals("verbs") || text.startsWith("verbs:")) {
            return verbs().withDevice(text.substring(Math.min(text.length(), "verbs:".length())));
        }
        throw new IllegalArgumentException("'" + text + "' names no device; write soft for the software fabric, verbs for the first"
                + " RDMA device, or verbs:NAME for the one that ibv_devices calls NAME");
    }

    /// The same on another device of the provider.
    public DeviceOptions withDevice(String name) {
        return new DeviceOptions(provider, name, host, port, links, sharedMemoryDirectory, maxWindows, maxQueuePairs, hostility);
    }

    /// The same at another address.
    public DeviceOptions withAddress(String newHost, int newPort) {
        return new DeviceOptions(provider, device, newHost, newPort, links, sharedMemoryDirectory, maxWindows, maxQueuePairs,
                hostility);
    }

    /// The same with only these links.
    public DeviceOptions withLinks(Link first, Link... rest) {
        return new DeviceOptions(provider, device, host, port, EnumSet.of(first, rest), sharedMemoryDirectory, maxWindows,
                maxQueuePairs, hostility);
    }

    /// The same with names in another directory, which must exist.
    public DeviceOptions withSharedMemoryDirectory(Path directory) {
        return new DeviceOptions(provider, device, host, port, links, directory, maxWindows, maxQueuePairs, hostility);
    }

    /// The same with another number of windows, 0 for none.
    public DeviceOptions withMaxWindows(int windows) {
        return new DeviceOptions(provider, device, host, port, links, sharedMemoryDirectory, windows, maxQueuePairs, hostility);
    }

    /// The same with another number of queue pairs.
    public DeviceOptions withMaxQueuePairs(int queuePairs) {
        return new DeviceOptions(provider, device, host, port, links, sharedMemoryDirectory, maxWindows, queuePairs, hostility);
    }

    /// The same, but hostile.
    public DeviceOptions withHostility(Hostility newHostility) {
        return new DeviceOptions(provider, device, host, port, links, sharedMemoryDirectory, maxWindows, maxQueuePairs,
                newHostility);
    }
}
