package io.leasehold.lease;

import static io.leasehold.rdma.WorkCompletionStatus.REM_ACCESS_ERR;
import static io.leasehold.rdma.WorkCompletionStatus.SUCCESS;
import static org.assertj.core.api.Assertions.assertThat;

import io.leasehold.lease.ControlMessage.Granted;
import io.leasehold.rdma.WorkCompletionStatus;
import java.time.Duration;
import java.util.Set;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.ArbitrarySupplier;
import net.jqwik.api.Combinators;

/// P2, the node's half: a lease is not refused before its deadline, and is always refused by the node's device after deadline +
/// bound.
///
/// A bare client accesses until it is refused; test and node share one clock. The bound is not a promise of the library, which
/// runs where the operating system lets it: on top of it comes what threads were kept from running meanwhile ([Stalls]). What was
/// measured is printed at the end.
final class Expiry implements LeaseProperty<Expiry.Life> {
    /// How late a refusal may be.
    static final Duration BOUND = Duration.ofMillis(50);

    private static final int BYTES = 64;
    private static final Duration GIVE_UP = Duration.ofSeconds(2);

    private final LeaseCluster cluster;
    private final BareClient client;
    private final long arena;
    private final Lags lags = new Lags();
    private final Stalls stalls = new Stalls();

    /// A lease to outlive.
    ///
    /// @param termMicros its term
    /// @param extensionMicros by how much it is extended as soon as it was granted; 0 for not at all
    /// @param verb how it is used
    record Life(int termMicros, int extensionMicros, Verb verb) {
    }

    /// Leases of up to 3 ms.
    static final class Lives implements ArbitrarySupplier<Life> {
        @Override
        public Arbitrary<Life> get() {
            return Combinators.combine(Arbitraries.integers().between(100, 2_000),
                    Arbitraries.integers().between(1, 1_000).optional(0.3).map(some -> some.orElse(0)),
                    Arbitraries.of(Verb.class)).as(Life::new);
        }
    }

    Expiry(Setting setting) {
        cluster = LeaseCluster.start(setting);
        client = cluster.bareClient();
        arena = client.openNamed("arena", BYTES);
    }

    @Override
    public void check(Life life) {
        Granted lease = client.acquire(arena, BYTES, Set.of(AccessRight.values()), LeaseMode.EXCLUSIVE,
                Duration.ofNanos(life.termMicros * 1_000L));
        long deadline = lease.beginNanos() + lease.units() * lease.unitNanos();
        if (life.extensionMicros > 0 && extend(lease, life.extensionMicros)) {
            deadline += life.extensionMicros * BareClient.UNIT_NANOS;
        }
        long address = client.address(arena);
        long lastPosted = deadline;
        while (true) {
            long posted = LeaseCluster.CLOCK.getAsLong();
            WorkCompletionStatus status = client.access(life.verb, address, client.key(lease), Long.BYTES, 0, 0);
            long completed = LeaseCluster.CLOCK.getAsLong();
            if (status != SUCCESS) {
                assertThat(status).isEqualTo(REM_ACCESS_ERR);
                assertThat(completed - deadline).as("refused before the deadline: nanoseconds after it").isNotNegative();
                break;
            }
            lastPosted = posted;
            assertThat(Duration.ofNanos(posted - deadline)).as("not refused though the deadline has long passed")
                    .isLessThan(GIVE_UP);
        }
        client.recover();
        Duration lag = Duration.ofNanos(Math.max(0, lastPosted - deadline));
        lags.add(lag);
        Duration stalled = stalls.since(deadline);
        assertThat(lag).as("an access was posted so long after the deadline and not refused; threads stood still for %s", stalled)
                .isLessThan(BOUND.plus(stalled));
    }

    private boolean extend(Granted lease, int units) {
        long word = LeaseWord.word(lease.era(), lease.units());
        WorkCompletionStatus status = client.compareAndSwap(client.wordAddress(lease), client.wordKey(), word, word + units);
        assertThat(status).as("the session's own lease words").isEqualTo(SUCCESS);
        return client.previous() == word;
    }

    @Override
    public void close() {
        System.out.println("P2 expiry: refused after the deadline by " + lags);
        stalls.close();
        cluster.close();
    }
}
