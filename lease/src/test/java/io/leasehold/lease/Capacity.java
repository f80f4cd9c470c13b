package io.leasehold.lease;

import static io.leasehold.rdma.WorkCompletionStatus.SUCCESS;
import static org.assertj.core.api.Assertions.assertThat;

import io.leasehold.lease.ControlMessage.Allocate;
import io.leasehold.lease.ControlMessage.Allocated;
import io.leasehold.lease.ControlMessage.Done;
import io.leasehold.lease.ControlMessage.Free;
import io.leasehold.lease.ControlMessage.Granted;
import io.leasehold.lease.ControlMessage.Reason;
import io.leasehold.lease.ControlMessage.Reply;
import io.leasehold.rdma.AccessFlag;
import io.leasehold.rdma.MemoryRegion;
import io.leasehold.rdma.RdmaDevice;
import io.leasehold.rdma.RdmaError;
import io.leasehold.rdma.RdmaException;
import io.leasehold.rdma.RemoteKey;
import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicInteger;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.ArbitrarySupplier;
import net.jqwik.api.Combinators;
import net.jqwik.api.Tuple;

/// P12: running out of windows or regions, words, memory or sessions is a typed error, never a wrong grant; it clears when leases end.
///
/// A node with little of everything is asked for more than it has, against a model that counts. Whatever is granted is used, and
/// must share nothing with what else is granted; whatever is refused must be refused for what has run out, and be granted when
/// that is back.
final class Capacity implements LeaseProperty<List<Capacity.Step>> {
    private static final int SESSIONS_MAX = 4;
    private static final int LEASES_MAX = 9;
    private static final int WORDS_MAX = 5;
    /// Fewer than all leases and the words of all sessions would need.
    private static final int WINDOWS_MAX = 11;
    private static final int MEMORY_BYTES = 1 << 20;
    private static final int ARENA_BYTES = 64;

    private final LeaseCluster cluster;
    private final BareClient keeper;
    private final long arena;

    /// Something to ask for, or to give back.
    sealed interface Step {
        /// Another session.
        record Open() implements Step {
        }

        /// The end of a session, with all it holds.
        record Close(int session) implements Step {
        }

        /// A lease.
        record Acquire(int session) implements Step {
        }

        /// The end of a lease.
        record Relinquish(int session, int which) implements Step {
        }

        /// Memory.
        record Take(int session, int lengthBytes) implements Step {
        }

        /// The end of memory.
        record GiveBack(int session, int which) implements Step {
        }
    }

    /// Sequences of steps, more of which take than give.
    static final class Steps implements ArbitrarySupplier<List<Step>> {
        @Override
        public Arbitrary<List<Step>> get() {
            Arbitrary<Integer> any = Arbitraries.integers().between(0, 100);
            Arbitrary<Integer> lengths = Arbitraries.oneOf(Arbitraries.integers().between(1, MEMORY_BYTES),
                    Arbitraries.integers().between(1, MEMORY_BYTES / 4));
            Arbitrary<Step> open = Arbitraries.create(Step.Open::new);
            Arbitrary<Step> close = any.map(Step.Close::new);
            Arbitrary<Step> acquire = any.map(Step.Acquire::new);
            Arbitrary<Step> relinquish = Combinators.combine(any, any).as(Step.Relinquish::new);
            Arbitrary<Step> take = Combinators.combine(any, lengths).as(Step.Take::new);
            Arbitrary<Step> giveBack = Combinators.combine(any, any).as(Step.GiveBack::new);
            return Arbitraries.frequencyOf(Tuple.of(2, open), Tuple.of(1, close), Tuple.of(8, acquire), Tuple.of(3, relinquish),
                    Tuple.of(3, take), Tuple.of(1, giveBack)).list().ofMinSize(2).ofMaxSize(30);
        }
    }

    /// A session as the model knows it.
    private static final class Holder {
        private final BareClient client;
        private final List<Granted> leases = new ArrayList<>();
        private final TreeMap<Long, Long> memory = new TreeMap<>();

        private Holder(BareClient client) {
            this.client = client;
        }
    }

    Capacity(Setting setting) {
        cluster = LeaseCluster.start(setting.withNodeDevice(device -> withFewRegions(setting.nodeDevice().apply(device)))
                .withNode(Capacity::withLittle));
        keeper = cluster.bareClient();
        arena = keeper.openNamed("arena", ARENA_BYTES);
    }

    private static NodeOptions withLittle(NodeOptions usual) {
        return new NodeOptions(usual.device().withMaxWindows(Math.min(usual.device().maxWindows(), WINDOWS_MAX)), usual.node(),
                MEMORY_BYTES, SESSIONS_MAX, LEASES_MAX, WORDS_MAX, usual.maxTerm(), usual.sessionTerm(), false,
                usual.regionsOnly(), usual.clock(), usual.policy());
    }

    /// `device`, which has no more regions for the leases and the words of this property than windows. The node's own regions for
    /// words have both rights, those in question one.
    private static RdmaDevice withFewRegions(RdmaDevice device) {
        AtomicInteger used = new AtomicInteger();
        return AlteredDevice.withRegistering(device, (domain, memory, access) -> {
            if (access.contains(AccessFlag.REMOTE_READ) == access.contains(AccessFlag.REMOTE_ATOMIC)) {
                return domain.register(memory, access);
            }
            if (used.get() == WINDOWS_MAX) {
                throw new RdmaException(RdmaError.OUT_OF_RESOURCES, "all " + WINDOWS_MAX + " regions are in use");
            }
            MemoryRegion region = domain.register(memory, access);
            used.incrementAndGet();
            return AlteredDevice.region(region, region.remoteKey(), () -> {
                region.close();
                used.decrementAndGet();
            });
        });
    }

    @Override
    public void check(List<Step> steps) {
        List<Holder> holders = new ArrayList<>(List.of(new Holder(keeper)));
        try {
            for (Step step : steps) {
                switch (step) {
                    case Step.Open() -> open(holders);
                    case Step.Close(int session) -> close(holders, session);
                    case Step.Acquire(int session) -> acquire(holders, holders.get(session % holders.size()));
                    case Step.Relinquish(int session, int which) -> relinquish(holders.get(session % holders.size()), which);
                    case Step.Take(int session, int lengthBytes) ->
                        take(holders, holders.get(session % holders.size()), lengthBytes);
                    case Step.GiveBack(int session, int which) -> giveBack(holders.get(session % holders.size()), which);
                }
            }
        } finally {
            while (holders.size() > 1) {
                close(holders, 1);
            }
            while (!holders.getFirst().leases.isEmpty()) {
                relinquish(holders.getFirst(), 0);
            }
            while (!holders.getFirst().memory.isEmpty()) {
                giveBack(holders.getFirst(), 0);
            }
        }
        everythingIsBack(holders);
    }

    private static int leases(List<Holder> holders) {
        return holders.stream().mapToInt(holder -> holder.leases.size()).sum();
    }

    private void open(List<Holder> holders) {
        Set<Reason> runOut = EnumSet.noneOf(Reason.class);
        if (holders.size() == SESSIONS_MAX) {
            runOut.add(Reason.OUT_OF_SESSIONS);
        } else if (leases(holders) + holders.size() == WINDOWS_MAX) {
            runOut.add(Reason.OUT_OF_WINDOWS);
        }
        try {
            BareClient client = cluster.openBareClient(cluster.clientDevice()).ready(1);
            client.openNamed("arena", ARENA_BYTES);
            holders.add(new Holder(client));
            assertThat(runOut).as("what had run out when a session was let in").isEmpty();
        } catch (BareClient.NotWelcome e) {
            assertThat(runOut).as("what had run out when a session was turned away: %s", e.getMessage()).contains(e.reason());
        }
    }

    /// Ends a session, but not the keeper's.
    private void close(List<Holder> holders, int session) {
        if (holders.size() > 1) {
            holders.remove(1 + session % (holders.size() - 1)).client.close();
            // Also waits until the node has done it.
            assertThat(cluster.node().counts().sessions()).isEqualTo(holders.size());
        }
    }

    private void acquire(List<Holder> holders, Holder holder) {
        Set<Reason> runOut = EnumSet.noneOf(Reason.class);
        if (leases(holders) == LEASES_MAX || leases(holders) + holders.size() == WINDOWS_MAX) {
            runOut.add(Reason.OUT_OF_WINDOWS);
        }
        if (holder.leases.size() == WORDS_MAX) {
            runOut.add(Reason.OUT_OF_WORDS);
        }
        Reply reply = holder.client.tryAcquire(arena, ARENA_BYTES, Set.of(AccessRight.READ), LeaseMode.SHARED,
                LeaseCluster.FOR_EVER, Duration.ZERO);
        if (reply instanceof Granted lease) {
            assertThat(runOut).as("what had run out when a lease was granted").isEmpty();
            for (Holder other : holders) {
                for (Granted held : other.leases) {
                    assertThat(new RemoteKey(held.key()).index()).as("a window of two leases")
                            .isNotEqualTo(new RemoteKey(lease.key()).index());
                    assertThat(other == holder && held.word() == lease.word()).as("a word of two leases").isFalse();
                }
            }
            holder.leases.add(lease);
            for (Holder other : holders) {
                other.leases.forEach(held -> use(other.client, held));
            }
        } else {
            assertThat(reply).isInstanceOf(ControlMessage.Failed.class);
            assertThat(runOut).as("what had run out when a lease was refused: %s", reply)
                    .contains(((ControlMessage.Failed) reply).reason());
        }
    }

    private void use(BareClient client, Granted lease) {
        assertThat(client.read(client.address(arena), client.key(lease), ARENA_BYTES)).as("an access under %s", lease)
                .isEqualTo(SUCCESS);
        assertThat(client.fetchAndAdd(client.wordAddress(lease), client.wordKey(), 0)).isEqualTo(SUCCESS);
        assertThat(client.previous()).as("the word of %s", lease).isEqualTo(LeaseWord.word(lease.era(), lease.units()));
    }

    private static void relinquish(Holder holder, int which) {
        if (!holder.leases.isEmpty()) {
            holder.client.relinquish(holder.leases.remove(which % holder.leases.size()));
        }
    }

    private void take(List<Holder> holders, Holder holder, long lengthBytes) {
        TreeMap<Long, Long> taken = new TreeMap<>(Map.of(arena, arena + ARENA_BYTES));
        holders.forEach(other -> taken.putAll(other.memory));
        long reserved = NodeMemory.roundUp(lengthBytes);
        long longest = longestGap(taken);
        Reply reply = holder.client.call(new Allocate(lengthBytes));
        if (reply instanceof Allocated(long offset, long allocatedBytes)) {
            assertThat(allocatedBytes).isEqualTo(lengthBytes);
            assertThat(offset).isBetween(0L, MEMORY_BYTES - reserved);
            taken.forEach((from, to) -> assertThat(offset < to && from < offset + reserved)
                    .as("[%d, +%d) was allocated and overlaps [%d, %d)", offset, reserved, from, to).isFalse());
            holder.memory.put(offset, offset + reserved);
        } else {
            assertThat(BareClient.failedFor(Reason.OUT_OF_MEMORY, reply)).as("%s", reply).isTrue();
            assertThat(longest).as("the longest free range when %d bytes were refused", lengthBytes).isLessThan(reserved);
        }
    }

    private static long longestGap(TreeMap<Long, Long> taken) {
        long longest = 0;
        long end = 0;
        for (Map.Entry<Long, Long> range : taken.entrySet()) {
            longest = Math.max(longest, range.getKey() - end);
            end = range.getValue();
        }
        return Math.max(longest, MEMORY_BYTES - end);
    }

    private static void giveBack(Holder holder, int which) {
        if (!holder.memory.isEmpty()) {
            Long offset = new ArrayList<>(holder.memory.keySet()).get(which % holder.memory.size());
            holder.memory.remove(offset);
            holder.client.call(new Free(offset), Done.class);
        }
    }

    /// The keeper can have all that there is.
    private void everythingIsBack(List<Holder> holders) {
        Holder holder = holders.getFirst();
        take(holders, holder, longestGap(new TreeMap<>(Map.of(arena, arena + ARENA_BYTES))));
        assertThat(holder.memory).as("all memory but the arena, in one piece").hasSize(1);
        while (holder.leases.size() < WORDS_MAX) {
            acquire(holders, holder);
        }
        while (!holder.leases.isEmpty()) {
            relinquish(holder, 0);
        }
        while (!holder.memory.isEmpty()) {
            giveBack(holder, 0);
        }
    }

    @Override
    public void close() {
        cluster.close();
    }
}
