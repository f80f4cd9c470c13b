package io.leasehold.lease;

import static io.leasehold.rdma.WorkCompletionStatus.SUCCESS;
import static org.assertj.core.api.Assertions.assertThat;

import io.leasehold.lease.ControlMessage.Acquire;
import io.leasehold.lease.ControlMessage.Allocate;
import io.leasehold.lease.ControlMessage.Allocated;
import io.leasehold.lease.ControlMessage.FreeNamed;
import io.leasehold.lease.ControlMessage.Granted;
import io.leasehold.lease.ControlMessage.Named;
import io.leasehold.lease.ControlMessage.OpenNamed;
import io.leasehold.lease.ControlMessage.Reply;
import io.leasehold.rdma.RdmaDevice;
import io.leasehold.testkit.Await;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Set;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.ArbitrarySupplier;
import net.jqwik.api.Combinators;
import net.jqwik.api.Tuple;

/// P10: a client killed at any point delays others by at most its leases; its session-bound memory comes back, its named memory
/// stays.
///
/// Each try kills a client with a device of its own after some deeds, and perhaps with one more on the way. At once a survivor
/// takes the range that the dead held. That the dead session goes takes its term, so a try leaves that behind as a debt which
/// later tries, and the end, collect: from then on the node may hold no more than what the younger dead still have.
final class Death implements LeaseProperty<Death.Life> {
    /// How much later than a lease's end a range may be granted, and than a session's end its memory may come back, [Stalls] apart.
    static final Duration BOUND = Duration.ofMillis(100);

    private static final Duration SESSION_TERM = Duration.ofSeconds(3);
    private static final Duration LONGEST_TERM = Duration.ofMillis(3);
    private static final int ARENA_BYTES = 256;
    private static final int TAKEN_BYTES = 4096;
    private static final int NAMED_BYTES = 64;
    private static final byte LEGACY = 7;

    private final LeaseCluster cluster;
    private final Session survivor;
    private final RemoteAddress arena;
    private final Deque<Debt> debts = new ArrayDeque<>();
    private final Lags delays = new Lags();
    private final Stalls stalls = new Stalls();
    private long lastName;

    /// What a client does before it dies.
    enum Deed {
        /// Acquires an exclusive lease on all of the arena, or waits for its own.
        ACQUIRE,
        /// Acquires a shared lease on all of the arena, unless it has an exclusive one.
        SHARE,
        /// Allocates memory.
        ALLOCATE,
        /// Creates named memory and writes it.
        NAME,
        /// Breaks its data queue pair.
        FAULT
    }

    /// @param ready whether it connects a data queue pair at all
    /// @param deeds what it does
    /// @param last what is on the way when it dies, if `diesBusy`
    record Life(boolean ready, List<Deed> deeds, boolean diesBusy, Deed last) {
    }

    /// Lives of up to five deeds.
    static final class Lives implements ArbitrarySupplier<Life> {
        @Override
        public Arbitrary<Life> get() {
            return Combinators.combine(Arbitraries.frequency(Tuple.of(9, true), Tuple.of(1, false)),
                    Arbitraries.of(Deed.class).list().ofMaxSize(5), Arbitraries.of(true, false), Arbitraries.of(Deed.class))
                    .as(Life::new);
        }
    }

    /// What a dead session may still have until its time has come.
    private record Debt(long dueNanos, long bytes) {
    }

    Death(Setting setting) {
        cluster = LeaseCluster.start(setting.withNode(options -> options.withTerms(options.maxTerm(), SESSION_TERM)));
        survivor = cluster.session();
        arena = survivor.openOrCreate("arena", ARENA_BYTES).address();
    }

    @Override
    public void check(Life life) {
        RdmaDevice device = cluster.openClientDevice();
        Victim victim = new Victim(cluster.openBareClient(device));
        if (life.ready) {
            victim.client.ready(2);
            life.deeds.forEach(victim::act);
            if (life.diesBusy) {
                victim.begin(life.last);
            }
        }
        victim.client.kill();
        long killed = LeaseCluster.CLOCK.getAsLong();
        debts.add(new Debt(killed + SESSION_TERM.plus(BOUND).toNanos(), victim.bytesMax));
        takeArena(killed);
        victim.names.forEach(this::inherit);
        victim.unwritten.forEach(this::forget);
        collect();
    }

    /// The dead one's leases end at their deadlines, and delay nobody longer: that which it has, and that which it was asking
    /// for.
    private void takeArena(long killed) {
        try (Lease lease = survivor.acquire(LeaseRequest.write(arena, ARENA_BYTES, Duration.ofSeconds(10))
                .withPatience(BareClient.PATIENCE.dividedBy(4)))) {
            Duration delay = Duration.ofNanos(LeaseCluster.CLOCK.getAsLong() - killed);
            delays.add(delay);
            Duration stalled = stalls.since(killed);
            assertThat(delay).as("time from the death of a client to the grant of its range; threads stood still for %s", stalled)
                    .isLessThan(LONGEST_TERM.multipliedBy(2).plus(BOUND).plus(stalled));
            lease.fetchAndAdd(0, 1);
        } catch (LeaseException e) {
            throw new AssertionError("the range of a dead client was not granted: " + e.getMessage(), e);
        }
    }

    private void inherit(String name) {
        NamedMemory legacy = survivor.open(name);
        try (Lease lease = survivor.acquireRead(legacy.address(), NAMED_BYTES, Duration.ofSeconds(10))) {
            byte[] seen = new byte[NAMED_BYTES];
            lease.read(0, MemorySegment.ofArray(seen));
            assertThat(seen).as("named memory of a dead client").containsOnly(LEGACY);
        }
        survivor.freeNamed(name);
    }

    /// Frees what the dead one was about to create.
    private void forget(String name) {
        try {
            survivor.freeNamed(name);
        } catch (NoSuchNameException _) {
            // The node did not hear of it any more.
        }
    }

    private void collect() {
        long now = LeaseCluster.CLOCK.getAsLong();
        while (!debts.isEmpty() && isDue(debts.getFirst(), now)) {
            debts.removeFirst();
        }
        NodeCounts counts = cluster.node().counts();
        assertThat(counts.sessions()).as("the survivor, and sessions that died less than their term ago")
                .isLessThanOrEqualTo(1 + debts.size());
        assertThat(counts.sessionBytes()).as("what those sessions allocated")
                .isLessThanOrEqualTo(debts.stream().mapToLong(Debt::bytes).sum());
    }

    private boolean isDue(Debt debt, long now) {
        return debt.dueNanos + stalls.since(debt.dueNanos - BOUND.toNanos()).toNanos() < now;
    }

    @Override
    public void close() {
        System.out.println("P10 death: range granted after " + delays);
        try {
            Await.until(SESSION_TERM.plus(BOUND).plusSeconds(5), "the last dead session is gone",
                    () -> cluster.node().counts().sessions() == 1 && cluster.node().counts().sessionBytes() == 0);
        } finally {
            stalls.close();
            cluster.close();
        }
    }

    /// A client that is going to die.
    private final class Victim {
        private final BareClient client;
        private final List<String> names = new ArrayList<>();
        private long bytesMax;
        private final List<String> unwritten = new ArrayList<>();

        Victim(BareClient client) {
            this.client = client;
        }

        void act(Deed deed) {
            Reply reply = deed == Deed.FAULT ? null : client.call(request(deed));
            switch (deed) {
                case ACQUIRE, SHARE -> {
                    assertThat(reply).isInstanceOf(Granted.class);
                    use((Granted) reply);
                }
                case ALLOCATE -> assertThat(reply).isInstanceOf(Allocated.class);
                case NAME -> write(((Named) reply).offset());
                case FAULT -> {
                    client.read(client.address(arena.offset()), 0, 8);
                    client.recover();
                }
            }
        }

        /// Leaves a deed on the way.
        void begin(Deed deed) {
            if (deed != Deed.FAULT) {
                client.send(request(deed));
            }
        }

        private ControlMessage.Request request(Deed deed) {
            return switch (deed) {
                case ACQUIRE, SHARE -> new Acquire(arena.offset(), ARENA_BYTES, AccessRight.mask(Set.of(AccessRight.READ)),
                        deed == Deed.ACQUIRE ? LeaseMode.EXCLUSIVE : LeaseMode.SHARED, BareClient.UNIT_NANOS,
                        (int) (LONGEST_TERM.toNanos() / BareClient.UNIT_NANOS), LONGEST_TERM.toNanos(),
                        BareClient.PATIENCE.toNanos(), false);
                case ALLOCATE -> {
                    bytesMax += TAKEN_BYTES;
                    yield new Allocate(TAKEN_BYTES);
                }
                case NAME -> {
                    unwritten.add("legacy-" + ++lastName);
                    yield new OpenNamed(unwritten.getLast(), NAMED_BYTES, true);
                }
                case FAULT -> throw new IllegalArgumentException("a fault is no request");
            };
        }

        /// Reads through a lease so short that this may be refused, which breaks the queue pair: nothing would be granted any more.
        private void use(Granted lease) {
            if (client.read(client.address(lease.offset()), client.key(lease), 8) != SUCCESS) {
                client.recover();
            }
        }

        private void write(long offset) {
            Granted lease = client.acquire(offset, NAMED_BYTES, Set.of(AccessRight.WRITE), LeaseMode.EXCLUSIVE,
                    LeaseCluster.FOR_EVER);
            assertThat(client.write(client.address(offset), client.key(lease), NAMED_BYTES, LEGACY)).isEqualTo(SUCCESS);
            client.relinquish(lease);
            names.add(unwritten.removeLast());
        }
    }
}
