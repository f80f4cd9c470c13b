package io.leasehold.lease;

import static io.leasehold.rdma.WorkCompletionStatus.SUCCESS;
import static org.assertj.core.api.Assertions.assertThat;

import io.leasehold.lease.ControlMessage.Granted;
import io.leasehold.rdma.WorkCompletionStatus;
import io.leasehold.testkit.Await;
import java.time.Duration;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.ArbitrarySupplier;
import net.jqwik.api.Combinators;
import net.jqwik.api.Tuple;

/// P1: an access succeeds iff a live lease of that session covers its whole range with that right; otherwise no byte is read or
/// changed.
///
/// A model of the leases and of the memory stands beside a node that must agree with it. The client is a bare one, so the answer
/// is the node's device's. Ranges begin and end at any byte, accesses miss them by one byte, and keys of leases that have ended
/// stay in use.
final class Confinement implements LeaseProperty<List<Confinement.Step>> {
    private static final int ARENA_BYTES = 512;
    private static final int MARGIN = 64;
    private static final int LEASE_BYTES_MAX = 128;
    private static final int SLOTS = 4;
    private static final byte SPOILT = 0x5a;
    private static final Duration BRIEF = Duration.ofNanos(200_000);

    private final LeaseCluster cluster;
    private final BareClient client;
    private final long arena;
    private final LeaseCluster.Witness witness;
    private long lastOperand;

    /// Something to try.
    sealed interface Step {
        /// Acquires a lease and keeps it in `slot`; one that was there is relinquished. A brief one is left to expire.
        record Acquire(int slot, int offset, int lengthBytes, Set<AccessRight> rights, boolean brief) implements Step {
        }

        /// Relinquishes the lease in `slot`; its key stays in use.
        record Relinquish(int slot) implements Step {
        }

        /// An access with the key of the lease that is, or was, in `slot`.
        record Touch(int slot, Verb verb, Place place, int salt, int lengthBytes) implements Step {
        }
    }

    /// Where to touch, seen from the range of a lease.
    enum Place {
        INSIDE, FIRST_BYTES, LAST_BYTES, ONE_BYTE_BEFORE, ONE_BYTE_AFTER, ALL_BEFORE, ALL_AFTER, ONE_MORE_ON_BOTH_SIDES, ANYWHERE
    }

    /// A lease as the model knows it.
    private record Held(Granted lease, int key, Set<AccessRight> rights, boolean live) {
        boolean allows(Verb verb, long from, int lengthBytes) {
            return live && rights.contains(verb.needs()) && from >= lease.offset()
                    && from + lengthBytes <= lease.offset() + lease.lengthBytes();
        }
    }

    /// Sequences of steps.
    static final class Steps implements ArbitrarySupplier<List<Step>> {
        @Override
        public Arbitrary<List<Step>> get() {
            Arbitrary<Integer> slots = Arbitraries.integers().between(0, SLOTS - 1);
            Arbitrary<Integer> lengths = Arbitraries.integers().between(1, LEASE_BYTES_MAX);
            Arbitrary<Set<AccessRight>> rights = Arbitraries.of(AccessRight.class).set().ofMinSize(1);
            Arbitrary<Integer> offsets = Arbitraries.integers().between(0, LEASE_BYTES_MAX);
            Arbitrary<Boolean> brief = Arbitraries.frequency(Tuple.of(5, false), Tuple.of(1, true));
            Arbitrary<Step> acquire = Combinators.combine(slots, offsets, lengths, rights, brief).as(Step.Acquire::new);
            Arbitrary<Step> touch = Combinators.combine(slots, Arbitraries.of(Verb.class), Arbitraries.of(Place.class),
                    Arbitraries.integers().between(0, ARENA_BYTES), Arbitraries.integers().between(1, 40)).as(Step.Touch::new);
            Arbitrary<Step> relinquish = slots.map(Step.Relinquish::new);
            return Arbitraries.frequencyOf(Tuple.of(3, acquire), Tuple.of(1, relinquish),
                    Tuple.of(6, touch)).list().ofMinSize(1).ofMaxSize(12);
        }
    }

    Confinement(Setting setting) {
        cluster = LeaseCluster.start(setting);
        client = cluster.bareClient();
        arena = client.openNamed("arena", ARENA_BYTES);
        witness = cluster.witness(arena, ARENA_BYTES);
    }

    @Override
    public void check(List<Step> steps) {
        Map<Integer, Held> slots = new HashMap<>();
        MemoryModel memory = new MemoryModel(witness.see());
        try {
            for (Step step : steps) {
                switch (step) {
                    case Step.Acquire acquire -> acquire(acquire, slots);
                    case Step.Relinquish(int slot) -> relinquish(slot, slots);
                    case Step.Touch touch -> touch(touch, slots, memory);
                }
            }
        } finally {
            for (int slot = 0; slot < SLOTS; slot++) {
                relinquish(slot, slots);
            }
        }
    }

    private void acquire(Step.Acquire wanted, Map<Integer, Held> slots) {
        relinquish(wanted.slot, slots);
        int liveBefore = cluster.node().counts().leases();
        Granted lease = client.acquire(arena + MARGIN + wanted.offset, wanted.lengthBytes, wanted.rights, LeaseMode.UNCHECKED,
                wanted.brief ? BRIEF : LeaseCluster.FOR_EVER);
        if (wanted.brief) {
            Await.until(BareClient.PATIENCE, "a lease of " + BRIEF + " has expired",
                    () -> cluster.node().counts().leases() == liveBefore);
        }
        slots.put(wanted.slot, new Held(lease, lease.key(), wanted.rights, !wanted.brief));
    }

    private void relinquish(int slot, Map<Integer, Held> slots) {
        Held held = slots.get(slot);
        if (held != null && held.live) {
            client.relinquish(held.lease);
            slots.put(slot, new Held(held.lease, held.key, held.rights, false));
        }
    }

    private void touch(Step.Touch touch, Map<Integer, Held> slots, MemoryModel memory) {
        Held held = slots.get(touch.slot);
        if (held == null) {
            return;
        }
        int lengthBytes = touch.verb.isAtomic() ? Long.BYTES : touch.lengthBytes + (touch.place == Place.ONE_MORE_ON_BOTH_SIDES
                ? (int) held.lease.lengthBytes() + 2 - touch.lengthBytes : 0);
        int from = Math.clamp(place(touch, held.lease.offset() - arena, held.lease.lengthBytes(), lengthBytes), 0,
                ARENA_BYTES - lengthBytes);
        long expected = memory.word(Math.min(from, ARENA_BYTES - Long.BYTES)) + touch.salt % 2;
        long operand = ++lastOperand * 0x0101_0101_0101_0101L;
        boolean allowed = held.allows(touch.verb, arena + from, lengthBytes)
                && touch.verb.isWellFormedAt(client.address(arena + from));
        client.spoil(SPOILT);
        WorkCompletionStatus status = client.access(touch.verb, client.address(arena + from), held.key, lengthBytes, expected,
                operand);
        byte[] fetched = client.fetched(lengthBytes);
        String what = "%s of [%d, +%d) with the key of %s".formatted(touch, from, lengthBytes, held);
        if (allowed) {
            assertThat(status).as("an access that a live lease allows: %s", what).isEqualTo(SUCCESS);
            assertThat(fetched).as("what it read: %s", what).isEqualTo(touch.verb == Verb.WRITE ? spoilt(lengthBytes)
                    : memory.bytes(from, lengthBytes));
            memory.apply(touch.verb, from, lengthBytes, expected, operand);
        } else {
            assertThat(status).as("an access that no live lease allows: %s", what)
                    .isIn(touch.verb.refusalsAt(client.address(arena + from)));
            assertThat(fetched).as("no byte was read: %s", what).isEqualTo(spoilt(lengthBytes));
            recover(slots);
        }
        assertThat(witness.see()).as("memory after %s", what).isEqualTo(memory.bytes());
    }

    /// Where the access begins, seen from the arena.
    private static long place(Step.Touch touch, long offset, long lengthBytes, int accessBytes) {
        long end = offset + lengthBytes;
        long down = touch.verb.isAtomic() && touch.salt % 4 != 0 ? -Long.BYTES : -1;
        return switch (touch.place) {
            case INSIDE -> offset - down - 1 + touch.salt % Math.max(1, lengthBytes - accessBytes + 1) & down;
            case FIRST_BYTES -> offset - down - 1 & down;
            case LAST_BYTES -> end - accessBytes & down;
            case ONE_BYTE_BEFORE -> offset - 1 & down;
            case ONE_BYTE_AFTER -> end - accessBytes - down & down;
            case ALL_BEFORE -> offset - accessBytes & down;
            case ALL_AFTER -> end - down - 1 & down;
            case ONE_MORE_ON_BOTH_SIDES -> offset - 1;
            case ANYWHERE -> touch.salt & down;
        };
    }

    private static byte[] spoilt(int lengthBytes) {
        byte[] bytes = new byte[lengthBytes];
        Arrays.fill(bytes, SPOILT);
        return bytes;
    }

    /// The live leases have new keys; those that have ended keep the last that they had.
    private void recover(Map<Integer, Held> slots) {
        client.recover();
        slots.replaceAll((_, held) -> held.live ? new Held(held.lease, client.key(held.lease), held.rights, true) : held);
    }

    @Override
    public void close() {
        cluster.close();
    }
}
