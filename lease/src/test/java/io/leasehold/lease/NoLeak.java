package io.leasehold.lease;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.leasehold.rdma.RdmaDevice;
import io.leasehold.rdma.ResourceCounts;
import io.leasehold.testkit.Await;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.ArbitrarySupplier;
import net.jqwik.api.Combinators;
import net.jqwik.api.Tuple;

/// P9: after any sequence of operations and the end of all sessions, windows, words, locks, chunks and queue pairs are all back.
///
/// Sessions live one after another through whatever the library offers, some with faults, and end by being closed or by being
/// killed, with leases and memory still held. What is named is freed by a last session. Then the node's counts, and those of both
/// devices, are what they were before.
final class NoLeak implements LeaseProperty<List<NoLeak.Life>> {
    private static final Duration SESSION_TERM = Duration.ofSeconds(2);
    private static final Duration PATIENCE = Duration.ofSeconds(30);
    private static final int NAMES = 3;
    private static final int NAMED_BYTES = 1024;
    private static final int BLOCK_BYTES = 4096;

    private final Duration patience;
    private final LeaseCluster cluster;
    private final NodeCounts before;
    private final ResourceCounts clientBefore;
    private final List<Future<?>> burials = new ArrayList<>();

    /// What a session does.
    enum Deed {
        ACQUIRE, ACQUIRE_BRIEFLY, ACQUIRE_ALL, EXTEND, USE, RELINQUISH, RELINQUISH_LATER, ALLOCATE, FREE, NAME, FREE_NAME,
        OPEN_HEAP, GROW_HEAP, RETIRE, LEASE_CHUNK, DESTROY_HEAP, FAULT
    }

    /// A deed and what it is done to.
    record Act(Deed deed, int salt) {
    }

    /// @param killed whether its device goes without a goodbye; if not, it is closed
    record Life(List<Act> acts, boolean killed) {
    }

    /// One or two lives.
    static final class Lives implements ArbitrarySupplier<List<Life>> {
        @Override
        public Arbitrary<List<Life>> get() {
            Arbitrary<Act> acts = Combinators.combine(Arbitraries.of(Deed.class), Arbitraries.integers().between(0, 100))
                    .as(Act::new);
            // To notice a death takes the node the session's term: rare, so that a thousand tries are done in time.
            Arbitrary<Boolean> killed = Arbitraries.frequency(Tuple.of(199, false), Tuple.of(1, true)).withoutEdgeCases();
            return Combinators.combine(acts.list().ofMaxSize(15), killed).as(Life::new).list().ofMinSize(1).ofMaxSize(2);
        }
    }

    NoLeak(Setting setting) {
        this(setting, PATIENCE);
    }

    /// @param patience how long what sessions had may take to come back
    NoLeak(Setting setting, Duration patience) {
        this.patience = patience;
        cluster = LeaseCluster.start(setting.withNode(options -> options.withTerms(options.maxTerm(), SESSION_TERM)));
        before = cluster.node().counts();
        clientBefore = cluster.clientDevice().resources();
    }

    @Override
    public void check(List<Life> lives) {
        try {
            lives.forEach(this::live);
            freeNames();
        } catch (NodeUnavailableException e) {
            throw new AssertionError("the node does not serve any more: " + e.getMessage(), e);
        }
        if (!Await.holdsWithin(patience, this::everythingIsBack)) {
            assertThat(comparable(cluster.node().counts())).as("the node's counts after all sessions have ended")
                    .isEqualTo(comparable(before));
            assertThat(cluster.clientDevice().resources()).as("what the clients' device holds after all sessions have ended")
                    .isEqualTo(clientBefore);
        }
    }

    private void live(Life life) {
        if (life.killed) {
            die(life);
        } else {
            try (Session session = cluster.openSession(cluster.clientDevice())) {
                new Actor(session).act(life.acts);
            }
        }
    }

    private void freeNames() {
        try (Session last = cluster.openSession(cluster.clientDevice())) {
            for (int name = 0; name < NAMES; name++) {
                int number = name;
                unlessItFails(() -> last.freeNamed("name-" + number));
                unlessItFails(() -> last.destroyHeap("heap-" + number));
            }
        }
    }

    private boolean everythingIsBack() {
        return comparable(cluster.node().counts()).equals(comparable(before))
                && cluster.clientDevice().resources().equals(clientBefore);
    }

    /// The counts without the windows that rest in the pool: those are kept for the next lease, and are bound to nothing.
    private static NodeCounts comparable(NodeCounts counts) {
        ResourceCounts held = counts.device();
        return new NodeCounts(counts.sessions(), counts.leases(), counts.keysInUse(), counts.wordsInUse(),
                counts.lockedRanges(), counts.sessionBytes(), counts.namedBytes(), counts.heapBytes(), counts.quarantinedBytes(),
                counts.freeBytes(),
                new ResourceCounts(held.protectionDomains(), held.regions(), 0, held.boundWindows(), held.queuePairs(),
                        held.completionQueues(), held.threads()));
    }

    private void die(Life life) {
        RdmaDevice device = cluster.openClientDevice();
        Session session = cluster.openSession(device);
        new Actor(session).act(life.acts);
        device.close();
        // Nothing of this reaches the node. It ends the threads of the dead, after some attempts to say goodbye.
        burials.add(cluster.threads().submit(() -> {
            session.close();
            assertThat(device.resources()).as("what a dead device holds").isEqualTo(ResourceCounts.NONE);
        }));
    }

    /// Runs what may be impossible, or make no sense.
    private static void unlessItFails(Runnable deed) {
        try {
            deed.run();
        } catch (LeaseException | IllegalArgumentException _) {
            // As well; what matters is what it leaves behind.
        }
    }

    @Override
    public void close() {
        try {
            for (Future<?> burial : burials) {
                burial.get(BareClient.PATIENCE.toSeconds(), TimeUnit.SECONDS);
            }
        } catch (InterruptedException | ExecutionException | TimeoutException e) {
            throw new AssertionError("a session whose device was closed could not be closed", e);
        } finally {
            cluster.close();
        }
    }

    /// A session at work.
    private static final class Actor {
        private final Session session;
        private final List<Lease> leases = new ArrayList<>();
        private final List<RemoteAddress> blocks = new ArrayList<>();
        private final List<RemoteHeap> heaps = new ArrayList<>();
        private final List<Extent> extents = new ArrayList<>();

        Actor(Session session) {
            this.session = session;
            blocks.add(session.allocate(BLOCK_BYTES));
        }

        void act(List<Act> acts) {
            acts.forEach(act -> unlessItFails(() -> act(act)));
        }

        private void act(Act act) {
            switch (act.deed) {
                case ACQUIRE -> leases.add(session.acquire(request(act.salt, Duration.ofMinutes(1))));
                case ACQUIRE_BRIEFLY ->
                    leases.add(session.acquire(request(act.salt, Duration.ofNanos(1_000L + act.salt * 5_000L))));
                case ACQUIRE_ALL -> leases.addAll(session.acquireAll(List.of(request(act.salt, Duration.ofMinutes(1)),
                        request(act.salt / 2, Duration.ofMillis(5)), request(act.salt / 3, Duration.ofMillis(1)))));
                case EXTEND -> any(leases, act.salt).extend(Duration.ofMillis(act.salt));
                case USE -> any(leases, act.salt).read(0, MemorySegment.ofArray(new byte[1]));
                case RELINQUISH -> any(leases, act.salt).close();
                case RELINQUISH_LATER -> any(leases, act.salt).relinquishLater();
                case ALLOCATE -> blocks.add(session.allocate(BLOCK_BYTES + act.salt));
                case FREE -> session.free(blocks.size() > 1 ? blocks.removeLast() : blocks.getFirst().plus(NAMED_BYTES));
                case NAME -> session.openOrCreate("name-" + act.salt % NAMES, NAMED_BYTES);
                case FREE_NAME -> session.freeNamed("name-" + act.salt % NAMES);
                case OPEN_HEAP -> heaps.add(session.openHeap("heap-" + act.salt % NAMES, NAMED_BYTES));
                case GROW_HEAP -> extents.add(any(heaps, act.salt).allocate(HeapKind.values()[act.salt % 2], 64, 64L * act.salt));
                case RETIRE -> any(heaps, act.salt).retire(List.of(any(extents, act.salt)));
                case LEASE_CHUNK -> leases.add(any(heaps, act.salt).leaseChunk(any(extents, act.salt / 2).address(),
                        Set.of(AccessRight.READ), Duration.ofMillis(5), Duration.ofMinutes(1)));
                case DESTROY_HEAP -> session.destroyHeap("heap-" + act.salt % NAMES);
                case FAULT -> fault(act.salt);
            }
        }

        private LeaseRequest request(int salt, Duration term) {
            RemoteAddress block = blocks.get(salt % blocks.size());
            LeaseRequest request = LeaseRequest.of(block.plus(salt), 1 + salt * 31L, Set.of(AccessRight.values()),
                    LeaseMode.values()[salt % 3], term).withPatience(Duration.ofNanos(salt * 10_000L));
            return salt % 5 == 0 ? request.autoExtended() : request;
        }

        private void fault(int salt) {
            Lease lease = any(leases, salt);
            Lease forged = new Lease(lease.session(), 0, Long.MAX_VALUE, Set.of(AccessRight.values()), salt);
            assertThatThrownBy(() -> forged.fetchAndAdd(8L * salt, 1)).as("a forged lease")
                    .isInstanceOf(AccessDeniedException.class);
        }

        private static <T> T any(List<T> all, int salt) {
            if (all.isEmpty()) {
                throw new OutOfBoundsException("there is none yet");
            }
            return all.get(salt % all.size());
        }
    }
}
