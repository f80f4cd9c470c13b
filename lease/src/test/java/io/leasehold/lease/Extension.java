package io.leasehold.lease;

import static io.leasehold.rdma.WorkCompletionStatus.REM_ACCESS_ERR;
import static io.leasehold.rdma.WorkCompletionStatus.SUCCESS;
import static org.assertj.core.api.Assertions.assertThat;

import io.leasehold.lease.ControlMessage.Granted;
import io.leasehold.lease.ControlMessage.Reason;
import io.leasehold.lease.ControlMessage.Reply;
import io.leasehold.rdma.WorkCompletionStatus;
import java.time.Duration;
import java.util.Set;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.ArbitrarySupplier;
import net.jqwik.api.Combinators;

/// P3: of a concurrent extension and an expiry exactly one wins, and both sides agree which.
///
/// A bare client swaps its lease word at about the time when the node does. If its swap was made, the key must work until the new
/// deadline and nobody else is let in before; if not, the word must hold the next era, somebody else is let in, and then the key
/// is dead.
final class Extension implements LeaseProperty<Extension.Race> {
    private static final int BYTES = 64;
    private static final int EXTENSION_UNITS = 3_000;

    private final LeaseCluster cluster;
    private final BareClient holder;
    private final BareClient other;
    private final long arena;
    private int extended;
    private int expired;
    // Where the race is close: moves towards whoever lost it.
    private long aimNanos = 20_000;

    /// @param termMicros the lease's term
    /// @param jitterMicros how long before or after the middle of the race the client swaps
    record Race(int termMicros, int jitterMicros) {
    }

    /// Races within 30 µs of the middle.
    static final class Races implements ArbitrarySupplier<Race> {
        @Override
        public Arbitrary<Race> get() {
            return Combinators.combine(Arbitraries.integers().between(200, 1_000), Arbitraries.integers().between(-30, 30))
                    .as(Race::new);
        }
    }

    Extension(Setting setting) {
        cluster = LeaseCluster.start(setting);
        holder = cluster.bareClient();
        other = cluster.bareClient();
        arena = holder.openNamed("arena", BYTES);
        other.openNamed("arena", BYTES);
    }

    @Override
    public void check(Race race) {
        Granted lease = holder.acquire(arena, BYTES, Set.of(AccessRight.values()), LeaseMode.EXCLUSIVE,
                Duration.ofNanos(race.termMicros * 1_000L));
        long deadline = lease.beginNanos() + lease.units() * lease.unitNanos();
        long word = LeaseWord.word(lease.era(), lease.units());
        long swapAt = deadline + aimNanos + race.jitterMicros * 1_000L;
        while (LeaseCluster.CLOCK.getAsLong() < swapAt) {
            Thread.onSpinWait();
        }
        WorkCompletionStatus status = holder.compareAndSwap(holder.wordAddress(lease), holder.wordKey(), word,
                word + EXTENSION_UNITS);
        assertThat(status).as("the session's own lease words").isEqualTo(SUCCESS);
        long found = holder.previous();
        if (found == word) {
            extended++;
            aimNanos += 2_000;
            holderIsRight(lease, deadline + EXTENSION_UNITS * lease.unitNanos());
        } else {
            expired++;
            aimNanos = Math.max(-40_000, aimNanos - 2_000);
            assertThat(found).as("what the node left in the word").isEqualTo(LeaseWord.word(lease.era() + 1, 0));
            nodeIsRight(lease);
        }
    }

    private void holderIsRight(Granted lease, long deadline) {
        Reply reply = other.tryAcquire(arena, BYTES, Set.of(AccessRight.READ), LeaseMode.EXCLUSIVE, LeaseCluster.FOR_EVER,
                Duration.ZERO);
        long answered = LeaseCluster.CLOCK.getAsLong();
        if (answered < deadline) {
            assertThat(BareClient.failedFor(Reason.CONFLICT, reply)).as("the holder extended, and another was answered %s", reply)
                    .isTrue();
        }
        WorkCompletionStatus status = SUCCESS;
        while (status == SUCCESS) {
            status = holder.fetchAndAdd(holder.address(arena), holder.key(lease), 1);
        }
        long refused = LeaseCluster.CLOCK.getAsLong();
        assertThat(status).isEqualTo(REM_ACCESS_ERR);
        assertThat(refused - deadline).as("the holder extended, and was refused before the new deadline: nanoseconds after it")
                .isNotNegative();
        holder.recover();
        if (reply instanceof Granted late) {
            other.relinquish(late);
        }
    }

    private void nodeIsRight(Granted lease) {
        Granted heir = other.acquire(arena, BYTES, Set.of(AccessRight.READ), LeaseMode.EXCLUSIVE, LeaseCluster.FOR_EVER);
        WorkCompletionStatus status = holder.fetchAndAdd(holder.address(arena), holder.key(lease), 1);
        assertThat(status).as("the node ended the lease, and another has the range").isEqualTo(REM_ACCESS_ERR);
        holder.recover();
        other.relinquish(heir);
    }

    /// How often the holder won.
    int extended() {
        return extended;
    }

    /// How often the node won.
    int expired() {
        return expired;
    }

    @Override
    public void close() {
        System.out.println("P3 extension: " + extended + " extended, " + expired + " expired");
        cluster.close();
    }
}
