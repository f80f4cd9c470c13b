package io.leasehold.lease;

import static io.leasehold.rdma.WorkCompletionStatus.SUCCESS;
import static org.assertj.core.api.Assertions.assertThat;

import io.leasehold.lease.ControlMessage.Granted;
import io.leasehold.lease.ControlMessage.Reason;
import io.leasehold.lease.ControlMessage.Reply;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.ArbitrarySupplier;
import net.jqwik.api.Combinators;
import net.jqwik.api.Tuple;

/// P6: no two live leases in conflicting modes overlap, in any byte; and what conflicts with no live lease is granted.
///
/// Three sessions acquire and give up, against a list of the leases that live. A session conflicts with itself as with others:
/// what counts is the lease, not who holds it.
final class Modes implements LeaseProperty<List<Modes.Step>> {
    private static final int SESSIONS = 3;
    private static final int ARENA_BYTES = 256;
    private static final Set<AccessRight> READ = Set.of(AccessRight.READ);

    private final LeaseCluster cluster;
    private final List<BareClient> clients = new ArrayList<>();
    private final long arena;

    /// Something to try.
    sealed interface Step {
        /// Acquires without patience.
        record Acquire(int session, LeaseMode mode, int offset, int lengthBytes) implements Step {
            boolean conflictsWith(Acquire other) {
                return mode.conflictsWith(other.mode) && offset < other.offset + other.lengthBytes
                        && other.offset < offset + lengthBytes;
            }
        }

        /// Ends one of the leases that live.
        record End(int which) implements Step {
        }
    }

    private record Live(Step.Acquire asked, Granted lease) {
    }

    /// Sequences of steps; short ranges, so that many only just touch.
    static final class Steps implements ArbitrarySupplier<List<Step>> {
        @Override
        public Arbitrary<List<Step>> get() {
            Arbitrary<Integer> lengths = Arbitraries.oneOf(Arbitraries.integers().between(1, 8),
                    Arbitraries.integers().between(1, ARENA_BYTES / 2));
            Arbitrary<Step> acquire = Combinators.combine(Arbitraries.integers().between(0, SESSIONS - 1),
                    Arbitraries.of(LeaseMode.class), Arbitraries.integers().between(0, ARENA_BYTES / 2), lengths)
                    .as(Step.Acquire::new);
            Arbitrary<Step> end = Arbitraries.integers().between(0, 100).map(Step.End::new);
            return Arbitraries.frequencyOf(Tuple.of(3, acquire), Tuple.of(1, end)).list().ofMinSize(2).ofMaxSize(20);
        }
    }

    Modes(Setting setting) {
        cluster = LeaseCluster.start(setting);
        long opened = 0;
        for (int i = 0; i < SESSIONS; i++) {
            BareClient client = cluster.bareClient();
            opened = client.openNamed("arena", ARENA_BYTES);
            clients.add(client);
        }
        arena = opened;
    }

    @Override
    public void check(List<Step> steps) {
        List<Live> live = new ArrayList<>();
        try {
            for (Step step : steps) {
                switch (step) {
                    case Step.Acquire acquire -> acquire(acquire, live);
                    case Step.End(int which) -> {
                        if (!live.isEmpty()) {
                            end(live.remove(which % live.size()));
                        }
                    }
                }
            }
            // Whoever was granted a range can use all of it, at the same time as everybody else.
            for (Live one : live) {
                BareClient client = clients.get(one.asked.session);
                assertThat(client.read(client.address(one.lease.offset()), client.key(one.lease), one.asked.lengthBytes))
                        .as("%s", one.asked).isEqualTo(SUCCESS);
            }
        } finally {
            live.forEach(this::end);
        }
    }

    private void acquire(Step.Acquire wanted, List<Live> live) {
        Reply reply = clients.get(wanted.session).tryAcquire(arena + wanted.offset, wanted.lengthBytes, READ, wanted.mode,
                LeaseCluster.FOR_EVER, Duration.ZERO);
        List<Step.Acquire> against = live.stream().map(Live::asked).filter(wanted::conflictsWith).toList();
        if (reply instanceof Granted lease) {
            live.add(new Live(wanted, lease));
            assertThat(lease.offset()).isEqualTo(arena + wanted.offset);
            assertThat(lease.lengthBytes()).isEqualTo(wanted.lengthBytes);
            assertThat(against).as("live leases in conflict with %s, which was granted", wanted).isEmpty();
        } else {
            assertThat(BareClient.failedFor(Reason.CONFLICT, reply)).as("%s was answered by %s", wanted, reply).isTrue();
            assertThat(against).as("live leases in conflict with %s, which was refused", wanted).isNotEmpty();
        }
    }

    private void end(Live one) {
        clients.get(one.asked.session).relinquish(one.lease);
    }

    @Override
    public void close() {
        cluster.close();
    }
}
