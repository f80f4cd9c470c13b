package io.leasehold.lease;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.ArbitrarySupplier;

/// P2, the holder's half: an operation is never refused for expiry before deadline − ε by the holder's clock.
///
/// The library posts until it says that the lease has expired. It may say so early by its idea of the clocks' difference, which
/// is off by no more than twice what it states; so the true time then is later than the deadline less that. On a hostile fabric
/// the holder's clock runs fast and starts anywhere.
final class HolderClock implements LeaseProperty<Integer> {
    private static final int BYTES = 64;

    private final LeaseCluster cluster;
    private final Session session;
    private final RemoteAddress arena;
    private final MemorySegment buffer = Arena.ofAuto().allocate(Long.BYTES, Long.BYTES);

    /// Terms in microseconds.
    static final class Terms implements ArbitrarySupplier<Integer> {
        @Override
        public Arbitrary<Integer> get() {
            return Arbitraries.integers().between(100, 3_000);
        }
    }

    HolderClock(Setting setting) {
        cluster = LeaseCluster.start(setting);
        session = cluster.session();
        arena = session.openOrCreate("arena", BYTES).address();
    }

    @Override
    public void check(Integer termMicros) {
        Duration term = Duration.ofNanos(termMicros * 1_000L);
        Duration uncertaintyBefore = session.clockUncertainty();
        long asked = LeaseCluster.CLOCK.getAsLong();
        Lease lease = session.acquireWrite(arena, BYTES, term);
        LeaseException refusal = null;
        while (refusal == null) {
            try {
                lease.read(0, buffer);
            } catch (LeaseException e) {
                refusal = e;
            }
        }
        long refused = LeaseCluster.CLOCK.getAsLong();
        Duration uncertaintyAfter = session.clockUncertainty();
        // An exchange of clocks in between makes it smaller.
        Duration uncertainty = uncertaintyBefore.compareTo(uncertaintyAfter) > 0 ? uncertaintyBefore : uncertaintyAfter;
        assertThat(refusal).as("the refusal").isInstanceOf(LeaseExpiredException.class);
        assertThat(refusal.effect()).isEqualTo(LeaseException.Effect.NONE);
        // The node began to count when the request had arrived, so the true deadline is later than this.
        long deadline = asked + term.toNanos();
        assertThat(Duration.ofNanos(refused - deadline).plus(uncertainty.multipliedBy(2)))
                .as("the refusal for expiry, after deadline - ε with ε %s: %s", uncertainty, refusal)
                .isGreaterThanOrEqualTo(Duration.ZERO);
        assertThat(lease.isLive()).isFalse();
        assertThat(lease.remaining()).isLessThanOrEqualTo(Duration.ZERO);
    }

    @Override
    public void close() {
        cluster.close();
    }
}
