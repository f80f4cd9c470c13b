package io.leasehold.lease;

import java.time.Duration;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/// A node's clock as a client knows it: bounds of the difference of the two clocks, from exchanges of four stamps as in NTP
/// (RFC 5905, section 8), which widen with the time since the last exchange by an assumed drift.
///
/// ```
///        arrived    left            node's clock
///  ---------+---------+---------
///          /           \            left − received  <=  difference  <=  arrived − sent
///  -------+-------------+-------
///       sent         received       client's clock
/// ```
///
/// Departure: NTP takes the middle as its estimate and the best of several samples; here the bounds of all samples are
/// intersected, for a lease must be refused by a bound and not by an estimate. Thread-safe; asking allocates nothing.
final class ClusterClock {
    private final LongSupplier clock;
    private final double drift;
    private volatile @Nullable Bounds bounds;

    /// Bounds of (node's clock − client's clock) when the client's clock was `atNanos`.
    private record Bounds(long atNanos, long lowNanos, long highNanos) {
    }

    ClusterClock(LongSupplier clock, double drift) {
        this.clock = clock;
        this.drift = drift;
    }

    /// The client's clock.
    long localNanos() {
        return clock.getAsLong();
    }

    /// Learns from one exchange; the first and the last stamp are the client's.
    synchronized void exchange(long sentNanos, long arrivedNanos, long leftNanos, long receivedNanos) {
        // Each bound was true at some moment of the exchange: so they may have been drifting since its beginning.
        Bounds fresh = new Bounds(sentNanos, leftNanos - receivedNanos, arrivedNanos - sentNanos);
        if (fresh.lowNanos > fresh.highNanos) {
            return; // A clock went backwards in between: the stamps say nothing.
        }
        Bounds old = bounds;
        bounds = old == null ? fresh : both(old, fresh);
    }

    /// What two pairs of bounds say together, at the later of their moments.
    private Bounds both(Bounds old, Bounds fresh) {
        long at = Math.max(old.atNanos, fresh.atNanos);
        long low = Math.max(old.lowNanos - growth(old, at), fresh.lowNanos - growth(fresh, at));
        long high = Math.min(old.highNanos + growth(old, at), fresh.highNanos + growth(fresh, at));
        // Bounds that exclude each other mean that the drift was more than assumed: then only the new ones are true.
        return low <= high ? new Bounds(at, low, high) : fresh;
    }

    /// The latest that the node's clock can be now.
    long latestNodeNanos() {
        long now = clock.getAsLong();
        Bounds known = known();
        return now + known.highNanos + growth(known, now);
    }

    /// The earliest that the node's clock can be now.
    long earliestNodeNanos() {
        long now = clock.getAsLong();
        Bounds known = known();
        return now + known.lowNanos - growth(known, now);
    }

    /// The middle of the bounds of the node's clock, now.
    long middleNodeNanos() {
        Bounds known = known();
        return clock.getAsLong() + known.lowNanos + (known.highNanos - known.lowNanos) / 2;
    }

    /// Half the distance of the bounds, now.
    Duration uncertainty() {
        Bounds known = known();
        return Duration.ofNanos((known.highNanos - known.lowNanos) / 2 + growth(known, clock.getAsLong()));
    }

    private Bounds known() {
        Bounds known = bounds;
        if (known == null) {
            throw new IllegalStateException("no clocks were exchanged yet");
        }
        return known;
    }

    private long growth(Bounds since, long nowNanos) {
        return (long) Math.ceil((nowNanos - since.atNanos) * drift);
    }
}
