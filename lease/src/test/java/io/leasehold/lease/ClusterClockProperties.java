package io.leasehold.lease;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.Random;
import java.util.concurrent.atomic.AtomicLong;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.DoubleRange;
import net.jqwik.api.constraints.LongRange;

/// The bounds always hold the node's clock, as long as the clocks drift no more than assumed.
class ClusterClockProperties {
    private static final double DRIFT = 2e-4;
    private static final int EXCHANGES = 200;

    @Property(tries = 300)
    void boundsHoldTheNodesClock(@ForAll long seed, @ForAll @LongRange(min = -1L << 50, max = 1L << 50) long offset,
            @ForAll @DoubleRange(min = -1, max = 1) double rate) {
        Random random = new Random(seed);
        AtomicLong client = new AtomicLong(random.nextLong() >> 16);
        long start = client.get();
        ClusterClock clock = new ClusterClock(client::get, DRIFT);
        for (int i = 0; i < EXCHANGES; i++) {
            long sent = client.get();
            client.addAndGet(random.nextInt(1, 200_000));
            long arrived = node(client.get(), start, offset, rate);
            client.addAndGet(random.nextInt(1, 50_000));
            long left = node(client.get(), start, offset, rate);
            client.addAndGet(random.nextInt(1, 200_000));
            clock.exchange(sent, arrived, left, client.get());
            assertHolds(clock, node(client.get(), start, offset, rate));
            client.addAndGet(random.nextLong(1, 5_000_000_000L));
            assertHolds(clock, node(client.get(), start, offset, rate));
        }
        // Whatever was learnt before: an exchange in which nothing takes time leaves nothing uncertain.
        long now = node(client.get(), start, offset, rate);
        clock.exchange(client.get(), now, now, client.get());
        assertThat(clock.uncertainty()).isLessThanOrEqualTo(Duration.ofNanos(1));
    }

    /// A node's clock that runs faster or slower by up to nine tenths of the assumed drift.
    private static long node(long client, long start, long offset, double rate) {
        return client + offset + (long) ((client - start) * rate * DRIFT * 0.9);
    }

    private static void assertHolds(ClusterClock clock, long node) {
        assertThat(node).isBetween(clock.earliestNodeNanos(), clock.latestNodeNanos());
        assertThat(Math.abs(clock.middleNodeNanos() - node)).isLessThanOrEqualTo(clock.uncertainty().toNanos() + 1);
    }

    @Property(tries = 200)
    void clockThatJumpedIsLearntAnew(@ForAll @LongRange(min = 1_000_000_000L, max = 1L << 50) long jump) {
        AtomicLong client = new AtomicLong();
        ClusterClock clock = new ClusterClock(client::get, DRIFT);
        clock.exchange(0, 500, 500, 1_000);
        client.set(2_000);
        clock.exchange(1_500, jump + 1_600, jump + 1_600, 2_000);
        assertThat(jump + 1_900).isBetween(clock.earliestNodeNanos(), clock.latestNodeNanos());
    }

    @Property(tries = 200)
    void uncertaintyGrowsByTheDrift(@ForAll @LongRange(min = 0, max = 1L << 45) long pause) {
        AtomicLong client = new AtomicLong(1_000);
        ClusterClock clock = new ClusterClock(client::get, DRIFT);
        clock.exchange(0, 500, 500, 1_000);
        client.addAndGet(pause);
        // Since the exchange began.
        assertThat(clock.uncertainty()).isEqualTo(Duration.ofNanos(500 + (long) Math.ceil((1_000 + pause) * DRIFT)));
    }
}
