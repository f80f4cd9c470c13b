package io.leasehold.structures;

import static org.assertj.core.api.Assertions.assertThat;

import io.leasehold.lease.OutcomeUnknownException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.stream.LongStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// Elements that come back until they are acknowledged.
@Timeout(120)
final class QueueAcknowledgedTest {
    private static final Duration VISIBILITY = Duration.ofMillis(5);
    private static final QueueOptions OPTIONS = QueueOptions.unbounded().withSlotsPerSegment(4).acknowledged(VISIBILITY);
    private static final int SEEDS = Integer.getInteger("leasehold.seeds", 60);
    private static final long FIRST_SEED = Long.getLong("leasehold.seed", 1);

    private final QueueWorkload load = new QueueWorkload(OPTIONS);
    private final RemoteQueue<Long> one = load.open();
    private final RemoteQueue<Long> other = load.open();

    @AfterEach
    void close() {
        load.close();
    }

    private void pass(Duration time) {
        load.schedule.step(time.toNanos());
    }

    private Delivery<Long> received(RemoteQueue<Long> queue, long expected) {
        Delivery<Long> delivery = queue.receiveNow();
        assertThat(delivery).isNotNull();
        assertThat(delivery.value()).isEqualTo(expected);
        return delivery;
    }

    @Test
    void whatIsAcknowledgedIsGone() {
        one.addAll(List.of(1L, 2L));
        Delivery<Long> first = received(one, 1);
        assertThat(one).as("in sight").containsExactly(2L);
        assertThat(first.acknowledge()).isTrue();
        assertThat(first.acknowledge()).as("again").isFalse();
        assertThat(first.renew()).isFalse();
        assertThat(first.release()).isFalse();
        received(other, 2).acknowledge();
        pass(VISIBILITY.multipliedBy(3));
        assertThat(one.receiveNow()).isNull();
        assertThat(other.receiveNow()).isNull();
    }

    @Test
    void whatIsReleasedComesBackAtOnceAndFirst() {
        one.addAll(List.of(1L, 2L, 3L));
        Delivery<Long> first = received(one, 1);
        assertThat(first.release()).isTrue();
        assertThat(first.acknowledge()).isFalse();
        assertThat(one.size()).isEqualTo(3);
        assertThat(one.peek()).isEqualTo(1L);
        received(other, 2);
        received(other, 1);
        Delivery<Long> third = received(one, 3);
        assertThat(other.receiveNow()).isNull();
        third.release();
        assertThat(other.poll()).isEqualTo(3L);
    }

    @Test
    void whatIsReleasedCanBeRemovedAndCounted() {
        one.addAll(List.of(1L, 2L, 3L, 4L, 5L, 6L));
        List<Delivery<Long>> all = LongStream.rangeClosed(1, 6).mapToObj(i -> received(one, i)).toList();
        assertThat(one).isEmpty();
        all.forEach(Delivery::release);
        assertThat(one).containsExactly(1L, 2L, 3L, 4L, 5L, 6L).hasSize(6);
        assertThat(one.remove((Object) 4L)).isTrue();
        List<Long> rest = new ArrayList<>();
        other.drainTo(rest);
        assertThat(rest).containsExactly(1L, 2L, 3L, 5L, 6L);
    }

    @Test
    void whatASilentConsumerHoldsGoesToAnother() {
        one.add(1L);
        Delivery<Long> held = received(one, 1);
        assertThat(other.receiveNow()).isNull();
        pass(VISIBILITY.dividedBy(2));
        assertThat(other.receiveNow()).as("seen for the first time").isNull();
        pass(VISIBILITY.dividedBy(2));
        assertThat(other.receiveNow()).as("not seen long enough").isNull();
        pass(VISIBILITY);
        Delivery<Long> again = received(other, 1);
        assertThat(held.acknowledge()).as("by the one who was silent").isFalse();
        assertThat(again.acknowledge()).isTrue();
    }

    @Test
    void aConsumerThatRenewsKeepsItsElement() {
        one.add(1L);
        Delivery<Long> held = received(one, 1);
        for (int i = 0; i < 20; i++) {
            pass(VISIBILITY.dividedBy(2));
            assertThat(other.receiveNow()).isNull();
            assertThat(held.renew()).isTrue();
        }
        assertThat(held.acknowledge()).isTrue();
    }

    @Test
    void anElementWhoseConsumerHasOnlyATicketIsDeliveredToAnother() {
        QueueWorkload.Client dead = load.client();
        one.addAll(List.of(1L, 2L));
        int[] atomics = new int[1];
        dead.memory().hook((memory, verb, address) -> {
            if (verb.equals("CAS") && ++atomics[0] == 2) {
                throw new Schedule.Killed();
            }
        });
        try {
            dead.queue.receiveNow();
        } catch (Schedule.Killed expected) {
            assertThat(other.receiveNow()).extracting(Delivery::value).isEqualTo(2L);
        }
        List<Long> seen = new ArrayList<>();
        for (int i = 0; i < 10 && seen.isEmpty(); i++) {
            pass(VISIBILITY.dividedBy(2));
            Delivery<Long> delivery = one.receiveNow();
            if (delivery != null && delivery.acknowledge()) {
                seen.add(delivery.value());
            }
        }
        assertThat(seen).containsExactly(1L);
    }

    @Test
    void segmentsAreRecycledOnceAllIsAcknowledged() {
        List<Delivery<Long>> held = new ArrayList<>();
        for (long i = 0; i < 40; i++) {
            one.add(i);
            held.add(received(one, i));
        }
        long full = load.node.allocatedBytes();
        held.forEach(delivery -> assertThat(delivery.acknowledge()).isTrue());
        pass(VISIBILITY);
        assertThat(one.receiveNow()).isNull();
        assertThat(load.node.allocatedBytes()).isLessThan(full / 5);
    }

    private enum Answer {
        YES, NO, UNKNOWN
    }

    /// What one consumer saw of one element.
    private record Receipt(long value, long invoked, long returned, Answer isAcknowledged, boolean isReleased) {
    }

    @Test
    void everyElementIsAcknowledgedOnceWhoeverDies() throws InterruptedException {
        for (long seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed++) {
            everyElementIsAcknowledgedOnce(seed);
        }
    }

    private static void everyElementIsAcknowledgedOnce(long seed) throws InterruptedException {
        try (QueueWorkload load = new QueueWorkload(seed, OPTIONS)) {
            Random random = new Random(~seed);
            List<Receipt> receipts = new ArrayList<>();
            QueueWorkload.Client producer = load.client(60, 0, true);
            for (int i = 0; i < 4; i++) {
                RemoteQueue<Long> queue = load.open();
                SimulatedMemory memory = load.memories.getLast();
                Random choices = new Random(random.nextLong());
                int diesAt = i == 0 ? Integer.MAX_VALUE : choices.nextInt(400);
                int[] verbs = new int[1];
                memory.faults((verb, address) -> {
                    if (++verbs[0] > diesAt) {
                        load.node.expire(memory);
                        return SimulatedMemory.Fault.KILLED;
                    }
                    return choices.nextInt(80) == 0 ? SimulatedMemory.Fault.STALE : SimulatedMemory.Fault.NONE;
                });
                memory.breaks(SimulatedMemory.Breaks.at(15, new Random(choices.nextLong())));
                load.add(() -> consume(load, queue, choices, receipts, 60));
            }
            load.run();
            RemoteQueue<Long> last = load.open();
            int quiet = 0;
            while (quiet < 12) {
                int before = receipts.size();
                consumeOne(load, last, null, receipts);
                quiet = receipts.size() == before ? quiet + 1 : 0;
                if (quiet > 0) {
                    load.schedule.step(VISIBILITY.toNanos() / 3);
                }
            }
            check(seed, new HashSet<>(producer.put), receipts);
        } catch (AssertionError e) {
            throw new AssertionError("seed " + seed + ": " + e.getMessage(), e);
        }
    }

    private static void consume(QueueWorkload load, RemoteQueue<Long> queue, Random choices, List<Receipt> receipts, int operations) {
        for (int i = 0; i < operations; i++) {
            try {
                consumeOne(load, queue, choices, receipts);
            } catch (OutcomeUnknownException e) {
                load.schedule.step(1_000);
            }
        }
    }

    /// Receives one, and acknowledges it, unless `choices` say otherwise.
    private static void consumeOne(QueueWorkload load, RemoteQueue<Long> queue, @Nullable Random choices,
            List<Receipt> receipts) {
        long invoked = load.schedule.nanos();
        Delivery<Long> delivery = queue.receiveNow();
        if (delivery == null) {
            return;
        }
        long returned = load.schedule.nanos();
        long since = invoked;
        int choice = choices == null ? 9 : choices.nextInt(10);
        for (int i = choice < 3 ? choices.nextInt(4) : 0; i > 0; i--) {
            load.schedule.step(choices.nextLong(VISIBILITY.toNanos()));
            long renewing = load.schedule.nanos();
            if (!delivery.renew()) {
                break;
            }
            since = renewing;
        }
        if (choice == 3) {
            load.schedule.step(VISIBILITY.toNanos() * 2);
        }
        boolean isReleased = choice == 4 && delivery.release();
        Answer answer = Answer.UNKNOWN;
        try {
            answer = choice == 4 ? Answer.NO : acknowledged(delivery);
        } finally {
            // Whoever dies here may have acknowledged.
            receipts.add(new Receipt(delivery.value(), since, returned, answer, isReleased));
        }
    }

    private static Answer acknowledged(Delivery<Long> delivery) {
        try {
            return delivery.acknowledge() ? Answer.YES : Answer.NO;
        } catch (OutcomeUnknownException e) {
            return Answer.UNKNOWN;
        }
    }

    private static void check(long seed, Set<Long> put, List<Receipt> receipts) {
        Map<Long, Integer> acknowledged = new HashMap<>();
        Map<Long, Receipt> last = new HashMap<>();
        Set<Long> settled = new HashSet<>();
        for (Receipt receipt : receipts) {
            if (receipt.isAcknowledged != Answer.NO) {
                settled.add(receipt.value);
                acknowledged.merge(receipt.value, receipt.isAcknowledged == Answer.YES ? 1 : 0, Integer::sum);
            }
        }
        assertThat(acknowledged.values()).as("acknowledgements of one element, seed %d", seed)
                .allMatch(count -> count <= 1);
        assertThat(settled).as("acknowledged, seed %d", seed).isEqualTo(put);
        for (Receipt receipt : receipts) {
            Receipt before = last.put(receipt.value, receipt);
            if (before != null && before.isAcknowledged == Answer.YES && before.returned < receipt.invoked) {
                throw new AssertionError("delivered after it had been acknowledged: " + before + ", then " + receipt);
            }
        }
    }
}
