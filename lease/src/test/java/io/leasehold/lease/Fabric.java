package io.leasehold.lease;

import io.leasehold.rdma.DeviceOptions;
import io.leasehold.rdma.Hostility;
import io.leasehold.rdma.Link;
import java.util.function.LongSupplier;

/// What the properties of leases are run on.
enum Fabric {
    /// One JVM: the posting thread carries the request out.
    LOCAL(Link.LOCAL, false),
    /// Rings in a mapped file, as between processes of one host.
    SHARED_MEMORY(Link.SHARED_MEMORY, false),
    /// One TCP connection a queue pair.
    TCP(Link.TCP, false),
    /// The local link at its worst, and clients whose clocks are off by as much as they may be.
    HOSTILE_LOCAL(Link.LOCAL, true),
    /// The TCP link at its worst, and clients whose clocks are off by as much as they may be.
    HOSTILE_TCP(Link.TCP, true),
    /// The link over shared memory at its worst, and clients whose clocks are off by as much as they may be.
    HOSTILE_SHARED_MEMORY(Link.SHARED_MEMORY, true),
    /// The RDMA device of this machine.
    VERBS(Link.TCP, false);

    /// How much faster the clock of a client of a hostile fabric runs; a little less than what sessions allow for.
    private static final double SKEW = 1.9e-4;
    private static final long SEED = 20_261_121;

    private final Link link;
    private final boolean hostile;

    Fabric(Link link, boolean hostile) {
        this.link = link;
        this.hostile = hostile;
    }

    /// `options` on this fabric.
    DeviceOptions on(DeviceOptions options) {
        if (this == VERBS) {
            return DeviceOptions.verbs().withMaxWindows(options.maxWindows()).withMaxQueuePairs(options.maxQueuePairs());
        }
        return options.withLinks(link).withHostility(hostile ? Hostility.unpleasant(SEED) : Hostility.NONE);
    }

    /// The clock of a client, beside a node whose clock is `nodeClock`.
    LongSupplier clientClock(LongSupplier nodeClock) {
        if (!hostile) {
            return nodeClock;
        }
        long start = nodeClock.getAsLong();
        return () -> {
            long elapsed = nodeClock.getAsLong() - start;
            return elapsed + (long) (elapsed * SKEW);
        };
    }
}
