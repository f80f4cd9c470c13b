package io.leasehold.lease;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicIntegerArray;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.ArbitrarySupplier;
import net.jqwik.api.Combinators;

/// P6, at the same time: holders that wait for one another never hold conflicting leases that share a byte.
///
/// Each thread of a crowd acquires with patience and then enters its range in a table that has a counter for each byte: readers
/// are counted up, a writer finds zero and leaves -1. The entries lie within the lease's life as the library sees it: after the
/// grant, before the lease is closed.
final class Crowd implements LeaseProperty<List<List<Crowd.Visit>>> {
    private static final int ARENA_BYTES = 64;
    private static final int WRITER = -1;

    private final LeaseCluster cluster;
    private final List<Session> sessions = new ArrayList<>();
    private final RemoteAddress arena;

    /// One lease, held for a moment.
    record Visit(boolean writes, int offset, int lengthBytes) {
    }

    /// What each thread of a crowd of 2 to 4 does.
    static final class Visits implements ArbitrarySupplier<List<List<Visit>>> {
        @Override
        public Arbitrary<List<List<Visit>>> get() {
            return Combinators.combine(Arbitraries.of(true, false), Arbitraries.integers().between(0, ARENA_BYTES / 2 - 1),
                    Arbitraries.integers().between(1, ARENA_BYTES / 2)).as(Visit::new).list().ofMinSize(1).ofMaxSize(6)
                    .list().ofMinSize(2).ofMaxSize(4);
        }
    }

    Crowd(Setting setting) {
        cluster = LeaseCluster.start(setting);
        // Two threads of the largest crowd share a session.
        for (int i = 0; i < 3; i++) {
            sessions.add(cluster.session());
        }
        arena = sessions.getFirst().openOrCreate("arena", ARENA_BYTES).address();
        sessions.forEach(session -> session.open("arena"));
    }

    @Override
    public void check(List<List<Visit>> crowd) throws Exception {
        AtomicIntegerArray table = new AtomicIntegerArray(ARENA_BYTES);
        List<Future<?>> threads = new ArrayList<>();
        for (int i = 0; i < crowd.size(); i++) {
            Session session = sessions.get(i % sessions.size());
            List<Visit> visits = crowd.get(i);
            threads.add(cluster.threads().submit(() -> visits.forEach(visit -> visit(session, visit, table))));
        }
        for (Future<?> thread : threads) {
            try {
                thread.get(2 * BareClient.PATIENCE.toSeconds(), TimeUnit.SECONDS);
            } catch (ExecutionException e) {
                throw new AssertionError(e.getCause().getMessage(), e.getCause());
            }
        }
    }

    private void visit(Session session, Visit visit, AtomicIntegerArray table) {
        LeaseRequest request = LeaseRequest.of(arena.plus(visit.offset), visit.lengthBytes, Set.of(AccessRight.READ),
                cluster.onTheWay(visit.writes ? LeaseMode.EXCLUSIVE : LeaseMode.SHARED), Duration.ofMinutes(1))
                .withPatience(BareClient.PATIENCE.dividedBy(2));
        try (Lease _ = session.acquire(request)) {
            for (int at = visit.offset; at < visit.offset + visit.lengthBytes; at++) {
                int before = visit.writes ? table.compareAndExchange(at, 0, WRITER) : table.getAndIncrement(at);
                assertThat(before).as("others at byte %d when %s was granted: readers, or -1 for a writer", at, visit)
                        .isBetween(0, visit.writes ? 0 : Integer.MAX_VALUE);
            }
            Thread.yield();
            for (int at = visit.offset; at < visit.offset + visit.lengthBytes; at++) {
                int before = visit.writes ? table.getAndIncrement(at) : table.getAndDecrement(at);
                assertThat(before).as("what %s left at byte %d", visit, at).isBetween(visit.writes ? WRITER : 1,
                        visit.writes ? WRITER : Integer.MAX_VALUE);
            }
        }
    }

    @Override
    public void close() {
        cluster.close();
    }
}
