package io.leasehold.lease;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.leasehold.testkit.Await;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BooleanSupplier;
import java.util.stream.LongStream;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.ArbitrarySupplier;
import net.jqwik.api.Combinators;

/// P8: after any access error, every other caller's operation on that session happens exactly once, and the session works again.
///
/// Callers of one session add, swap and write, alone and in batches, while others post what the node's device refuses: each
/// refusal breaks the queue pair that all share. The operations count themselves: a lost one and a repeated one both show in the
/// sums.
final class ExactlyOnce implements LeaseProperty<ExactlyOnce.Storm> {
    private static final int CALLERS_MAX = 4;
    private static final int ARENA_BYTES = 4096;
    private static final long ADDED = 0;
    private static final long SWAPPED = 64;
    private static final long OWN = 128;
    private static final long OWN_BYTES = 64;

    private final LeaseCluster cluster;
    private final Session session;
    private final Lease lease;

    /// What one caller does, again and again.
    enum Work {
        ADD, SWAP, WRITE, BATCH
    }

    /// @param callers what each caller does
    /// @param rounds how often
    /// @param faults after how many operations of the callers the faults come, and which forged lease each uses
    record Storm(List<Work> callers, int rounds, List<Integer> faults) {
    }

    /// Storms of up to four callers and three faults.
    static final class Storms implements ArbitrarySupplier<Storm> {
        @Override
        public Arbitrary<Storm> get() {
            return Combinators.combine(Arbitraries.of(Work.class).list().ofMinSize(1).ofMaxSize(CALLERS_MAX),
                    Arbitraries.integers().between(1, 30),
                    Arbitraries.integers().between(0, 60).list().ofMinSize(1).ofMaxSize(3)).as(Storm::new);
        }
    }

    ExactlyOnce(Setting setting) {
        cluster = LeaseCluster.start(setting);
        session = cluster.session();
        RemoteAddress arena = session.openOrCreate("arena", ARENA_BYTES).address();
        lease = session.acquire(LeaseRequest.of(arena, ARENA_BYTES, Set.of(AccessRight.values()), LeaseMode.UNCHECKED,
                LeaseCluster.FOR_EVER));
    }

    /// A lease that the library takes for one, on what the node's device refuses.
    private Lease forge(int way) {
        long remote = lease.check(AccessRight.READ, 0, ARENA_BYTES);
        int key = lease.key();
        Set<AccessRight> all = Set.of(AccessRight.values());
        return switch (way % 3) {
            // Half a turn of the variants away: nobody comes there while the lease's window is bound anew a few times.
            case 0 -> new Lease(lease.session(), remote, ARENA_BYTES, all, key ^ 0x80);
            case 1 -> new Lease(lease.session(), remote, ARENA_BYTES, all, ~key);
            default -> new Lease(lease.session(), remote + ARENA_BYTES - OWN, ARENA_BYTES, all, key);
        };
    }

    @Override
    public void check(Storm storm) throws Exception {
        lease.write(0, new byte[ARENA_BYTES]);
        AtomicInteger done = new AtomicInteger();
        Collection<Long> additions = new ConcurrentLinkedQueue<>();
        AtomicInteger swaps = new AtomicInteger();
        List<Future<?>> callers = new ArrayList<>();
        for (int i = 0; i < storm.callers.size(); i++) {
            Caller caller = new Caller(storm.callers.get(i), i, storm.rounds, done, additions, swaps);
            callers.add(cluster.threads().submit(caller));
        }
        List<Future<?>> faults = new ArrayList<>();
        for (int fault : storm.faults) {
            BooleanSupplier comes = () -> done.get() >= fault || callers.stream().allMatch(Future::isDone);
            faults.add(cluster.threads().submit(() -> fault(fault, comes)));
        }
        finish(callers);
        finish(faults);
        assertThat(LongStream.concat(additions.stream().mapToLong(Long::longValue), LongStream.of(lease.fetchAndAdd(ADDED, 0)))
                .sorted().toArray()).as("what the additions found, and the sum").isEqualTo(
                        LongStream.rangeClosed(0, additions.size()).toArray());
        assertThat(lease.fetchAndAdd(SWAPPED, 0)).as("the sum of the swaps").isEqualTo(swaps.get());
    }

    private void fault(int way, BooleanSupplier comes) {
        Await.until(BareClient.PATIENCE, "the callers have done so much or all", comes);
        Lease bad = forge(way);
        // What a write or an addition would do if it were let through, the sums show.
        assertThatThrownBy(() -> {
            if (way % 2 == 0) {
                bad.fetchAndAdd(OWN, 1);
            } else {
                bad.write(OWN, new byte[(int) OWN_BYTES * CALLERS_MAX]);
            }
        }).as("the caller at fault").isInstanceOf(AccessDeniedException.class);
    }

    private static void finish(List<Future<?>> threads) throws Exception {
        for (Future<?> thread : threads) {
            try {
                thread.get(2 * BareClient.PATIENCE.toSeconds(), TimeUnit.SECONDS);
            } catch (ExecutionException e) {
                throw new AssertionError("a caller: " + e.getCause().getMessage(), e.getCause());
            }
        }
    }

    @Override
    public void close() {
        cluster.close();
    }

    /// One caller at work.
    private final class Caller implements Runnable {
        private final Work work;
        private final long own;
        private final int rounds;
        private final AtomicInteger done;
        private final Collection<Long> additions;
        private final AtomicInteger swaps;
        private final MemorySegment buffer = Arena.ofAuto().allocate(OWN_BYTES, Long.BYTES);

        Caller(Work work, int number, int rounds, AtomicInteger done, Collection<Long> additions, AtomicInteger swaps) {
            this.work = work;
            this.rounds = rounds;
            this.done = done;
            this.additions = additions;
            this.swaps = swaps;
            own = OWN + number * OWN_BYTES;
        }

        @Override
        public void run() {
            for (long round = 1; round <= rounds; round++) {
                switch (work) {
                    case ADD -> additions.add(lease.fetchAndAdd(ADDED, 1));
                    case SWAP -> swap();
                    case WRITE -> write(round);
                    case BATCH -> batch(round);
                }
                done.incrementAndGet();
            }
        }

        /// A swap that was made twice would find its own work and fail; it is counted once.
        private void swap() {
            long seen = lease.fetchAndAdd(SWAPPED, 0);
            for (long found = lease.compareAndSwap(SWAPPED, seen, seen + 1); found != seen;) {
                seen = found;
                found = lease.compareAndSwap(SWAPPED, seen, seen + 1);
            }
            swaps.incrementAndGet();
        }

        private void write(long round) {
            buffer.fill((byte) round);
            lease.write(own, buffer);
            buffer.fill((byte) 0);
            lease.read(own, buffer);
            for (long at = 0; at < OWN_BYTES; at++) {
                assertThat(buffer.get(JAVA_BYTE, at)).as("byte %d of what round %d wrote", at, round)
                        .isEqualTo((byte) round);
            }
        }

        private void batch(long round) {
            try (Batch batch = session.batch()) {
                buffer.set(JAVA_LONG, 0, round);
                int first = batch.fetchAndAdd(lease, ADDED, 1);
                batch.write(lease, own, buffer.asSlice(0, Long.BYTES));
                int second = batch.fetchAndAdd(lease, ADDED, 1);
                int read = batch.read(lease, own, Long.BYTES);
                batch.execute();
                additions.add(batch.previous(first));
                additions.add(batch.previous(second));
                assertThat(batch.data(read).get(JAVA_LONG, 0)).as("what the batch wrote").isEqualTo(round);
            }
        }
    }
}
