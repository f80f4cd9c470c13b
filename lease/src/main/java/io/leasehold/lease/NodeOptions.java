package io.leasehold.lease;

import io.leasehold.rdma.DeviceOptions;
import java.time.Duration;
import java.util.function.LongSupplier;

/// How a memory node is set up; every value is checked when it is made, with a message that names it.
///
/// @param device the device to open
/// @param node the node's number in its cluster, 0 to 1023
/// @param memoryBytes memory to own, a multiple of 1 MiB
/// @param maxSessions most sessions at once
/// @param maxLeases most leases at once, over all sessions; each takes one memory window, or region
/// @param maxLeasesPerSession most leases one session may hold; each takes one lease word of the session's row
/// @param maxTerm longest time a lease may be extended to, from its grant
/// @param sessionTerm how long a session lives without a sign of life
/// @param unprotected whether sessions may ask for one key to all memory, without leases: for measuring only
/// @param regionsOnly whether leases rest on memory regions also where windows would do: for comparing and for testing; see
///        [LeaseBacking]
/// @param clock the node's clock, in nanoseconds; only differences count
/// @param policy which principal may use which memory; see [AccessPolicy#ALLOW_ALL]
public record NodeOptions(DeviceOptions device, int node, long memoryBytes, int maxSessions, int maxLeases,
        int maxLeasesPerSession, Duration maxTerm, Duration sessionTerm, boolean unprotected, boolean regionsOnly,
        LongSupplier clock, AccessPolicy policy) {
    /// Checks the ranges.
    public NodeOptions {
        if (node < 0 || node > 1023) {
            throw new IllegalArgumentException("node " + node + " is outside 0 to 1023");
        }
        if (memoryBytes < 1 << 20 || memoryBytes % (1 << 20) != 0 || memoryBytes > 1L << 38) {
            throw new IllegalArgumentException(
                    "memoryBytes " + memoryBytes + " is no multiple of 1 MiB between 1 MiB and 256 GiB");
        }
        if (maxSessions < 1 || maxSessions > 1 << 16) {
            throw new IllegalArgumentException("maxSessions " + maxSessions + " is outside 1 to 65536");
        }
        if (maxLeases < 1 || maxLeases > 1 << 22) {
            throw new IllegalArgumentException("maxLeases " + maxLeases + " is outside 1 to " + (1 << 22));
        }
        if (maxLeasesPerSession < 1 || maxLeasesPerSession > maxLeases) {
            throw new IllegalArgumentException(
                    "maxLeasesPerSession " + maxLeasesPerSession + " is outside 1 to maxLeases " + maxLeases);
        }
        if (maxTerm.compareTo(Duration.ofMillis(1)) < 0 || maxTerm.compareTo(Duration.ofHours(1)) > 0) {
            throw new IllegalArgumentException("maxTerm " + maxTerm + " is outside 1 ms to 1 h");
        }
        if (sessionTerm.compareTo(Duration.ofMillis(50)) < 0 || sessionTerm.compareTo(Duration.ofHours(1)) > 0) {
            throw new IllegalArgumentException("sessionTerm " + sessionTerm + " is outside 50 ms to 1 h");
        }
    }

    /// A node with `memoryBytes` on the software fabric, any port of the loopback address: 1,024 sessions, 65,536 leases, 16,384
    /// a session, leases up to 60 s, sessions 5 s, protected, the system's monotonic clock, every principal allowed everything.
    public static NodeOptions ofMemory(long memoryBytes) {
        return new NodeOptions(DeviceOptions.soft().withMaxWindows(1 << 17), 0, memoryBytes, 1024, 1 << 16, 1 << 14,
                Duration.ofSeconds(60), Duration.ofSeconds(5), false, false, SystemClock.NANOS, AccessPolicy.ALLOW_ALL);
    }

    /// The same with another device.
    public NodeOptions withDevice(DeviceOptions options) {
        return new NodeOptions(options, node, memoryBytes, maxSessions, maxLeases, maxLeasesPerSession, maxTerm, sessionTerm,
                unprotected, regionsOnly, clock, policy);
    }

    /// The same as another node of the cluster.
    public NodeOptions withNode(int number) {
        return new NodeOptions(device, number, memoryBytes, maxSessions, maxLeases, maxLeasesPerSession, maxTerm, sessionTerm,
                unprotected, regionsOnly, clock, policy);
    }

    /// The same with other limits.
    public NodeOptions withLimits(int sessions, int leases, int leasesPerSession) {
        return new NodeOptions(device, node, memoryBytes, sessions, leases, leasesPerSession, maxTerm, sessionTerm, unprotected,
                regionsOnly, clock, policy);
    }

    /// The same with other longest terms.
    public NodeOptions withTerms(Duration longestTerm, Duration session) {
        return new NodeOptions(device, node, memoryBytes, maxSessions, maxLeases, maxLeasesPerSession, longestTerm, session,
                unprotected, regionsOnly, clock, policy);
    }

    /// The same with another clock.
    public NodeOptions withClock(LongSupplier nanos) {
        return new NodeOptions(device, node, memoryBytes, maxSessions, maxLeases, maxLeasesPerSession, maxTerm, sessionTerm,
                unprotected, regionsOnly, nanos, policy);
    }

    /// The same with another policy.
    public NodeOptions withPolicy(AccessPolicy newPolicy) {
        return new NodeOptions(device, node, memoryBytes, maxSessions, maxLeases, maxLeasesPerSession, maxTerm, sessionTerm,
                unprotected, regionsOnly, clock, newPolicy);
    }

    /// The same, but sessions may ask for unprotected access.
    public NodeOptions allowingUnprotected() {
        return new NodeOptions(device, node, memoryBytes, maxSessions, maxLeases, maxLeasesPerSession, maxTerm, sessionTerm, true,
                regionsOnly, clock, policy);
    }

    /// The same, but each lease gets a memory region of its own, whatever the device has.
    public NodeOptions withRegionsOnly() {
        return new NodeOptions(device, node, memoryBytes, maxSessions, maxLeases, maxLeasesPerSession, maxTerm, sessionTerm,
                unprotected, true, clock, policy);
    }
}
