package io.leasehold.structures;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BiConsumer;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// The faults of published queues, each with a test that fails on the published behaviour, and faults that ours had to avoid.
@Timeout(60)
final class QueueFaultsTest {
    private static final QueueOptions OPTIONS = QueueOptions.unbounded().withSlotsPerSegment(4);
    /// Doorbells under which a connection breaks, one at a time, and the most steps that are told apart.
    private static final int BREAKS = 20;
    private static final int STEPS_MAX = 7;

    private final QueueWorkload load = new QueueWorkload(OPTIONS);

    @AfterEach
    void close() {
        load.close();
    }

    /// Patronus, 1: no flag says that an entry is written, so a consumer takes one whose producer has only its ticket.
    @Test
    void aSlotThatIsNotYetFilledIsNotTaken() {
        QueueWorkload.Client producer = load.client();
        QueueWorkload.Client consumer = load.client();
        // The producer's second atomic fills its slot; before it, a consumer comes.
        atAtomic(producer, 2, () -> {
            consumer.poll();
            assertThat(consumer.got).as("taken from a slot that is not filled").isEmpty();
        });
        producer.offer();
        consumer.poll();
        assertThat(consumer.got).isEqualTo(producer.put);
        load.checkOrder();
    }

    /// Patronus, 2: taking a block that is partly filled takes it away from producers that still put into it.
    @Test
    void whatIsPutIntoAPartlyTakenSegmentIsFound() {
        QueueWorkload.Client producer = load.client();
        QueueWorkload.Client consumer = load.client();
        for (int i = 0; i < 11; i++) {
            producer.offer();
            consumer.drain(10);
        }
        // A producer that remembers the segment, while consumers go over its end and recycle it.
        QueueWorkload.Client late = load.client();
        late.offer();
        for (int i = 0; i < 9; i++) {
            producer.offer();
            consumer.drain(10);
        }
        late.offer();
        consumer.drain(10);
        load.checkNothingLost();
        load.checkOrder();
    }

    /// Patronus, 3: taking writes the whole line of pointers and may undo a CAS of another. Here nobody writes to words that
    /// others CAS.
    @Test
    void nobodyWritesToWordsThatOthersChange() {
        QueueWorkload.Client producer = load.client();
        QueueWorkload.Client consumer = load.client();
        List<String> writes = Collections.synchronizedList(new ArrayList<>());
        long root = load.node.root();
        for (QueueWorkload.Client client : List.of(producer, consumer)) {
            client.memory().hook((memory, verb, address) -> {
                boolean isShared = address >= root && address < root + QueueShape.ROOT_BYTES;
                if (verb.contains("WRITE") && isShared) {
                    writes.add(verb + " at " + (address - root));
                }
            });
        }
        for (int i = 0; i < 30; i++) {
            producer.offer();
            producer.addAll(3);
            consumer.drain(3);
            consumer.poll();
        }
        assertThat(writes).isEmpty();
    }

    /// Patronus, 3: and while one consumer moves the head, at every step of it, a producer appends segments.
    @Test
    void headAndTailMoveWithoutUndoingEachOther() {
        QueueWorkload.Client producer = load.client();
        QueueWorkload.Client consumer = load.client();
        producer.addAll(9);
        AtomicInteger nesting = new AtomicInteger();
        consumer.memory().hook((memory, verb, address) -> {
            if (nesting.getAndIncrement() == 0) {
                producer.addAll(5);
            }
            nesting.decrementAndGet();
        });
        consumer.drain(9);
        consumer.drain(9);
        consumer.memory().hook((memory, verb, address) -> { });
        load.drainRest();
        load.checkNothingLost();
        load.checkOrder();
    }

    /// Patronus, 4: a producer that dies between linking a segment and moving the tail hangs the others, as does a consumer that
    /// dies with the lock. Here there is no lock, and everybody moves on what lags.
    @Test
    void aProducerThatDiesBetweenLinkingAndMovingTheTailHangsNobody() {
        QueueWorkload.Client producer = load.client();
        QueueWorkload.Client other = load.client();
        producer.addAll(4);
        // FAA finds the segment full; the CAS of `next` appends; the CAS of `tail` never happens.
        atAtomic(producer, 3, () -> {
            throw new Schedule.Killed();
        });
        assertThatThrownBy(producer::offer).isInstanceOf(Schedule.Killed.class);
        AtomicInteger steps = steps(other);
        for (int i = 0; i < 12; i++) {
            other.offer();
        }
        assertThat(steps).as("steps for 12 elements").hasValueLessThan(12 * 10);
        assertThat(load.drainRest().got).hasSize(4 + 1 + 12);
        load.checkOrder();
    }

    /// Patronus, 5: all threads take into one static buffer.
    @Test
    void threadsTakeIntoMemoryOfTheirOwn() throws InterruptedException {
        try (SimulatedNode node = new SimulatedNode(Schedule.free(), 16 << 20, QueueShape.ROOT_BYTES);
                RemoteQueue<byte[]> queue =
                        RemoteQueue.on(new SimulatedMemory(node, 1, false), "static", Codec.BYTES, OPTIONS, true)) {
            int count = 400;
            queue.addAll(IntStream.range(0, count).mapToObj(i -> filled((byte) i)).toList());
            List<byte[]> taken = Collections.synchronizedList(new ArrayList<>());
            List<Thread> threads = IntStream.range(0, 8).mapToObj(t -> Thread.ofVirtual().start(() -> {
                for (byte[] element = queue.poll(); element != null; element = queue.poll()) {
                    taken.add(element);
                }
            })).toList();
            for (Thread thread : threads) {
                thread.join();
            }
            assertThat(taken).hasSize(count).allSatisfy(element -> assertThat(element).isEqualTo(filled(element[0])));
            int[] seen = new int[256];
            taken.forEach(element -> seen[element[0] & 0xFF]++);
            assertThat(seen).containsOnly(1, 2);
        }
    }

    private static byte[] filled(byte value) {
        byte[] element = new byte[300];
        Arrays.fill(element, value);
        return element;
    }

    /// BCL's CircularQueue: a producer that dies between its ticket and its slot keeps all later elements from being taken.
    @Test
    void aProducerThatDiesWithATicketCostsItsConsumerOneCas() {
        QueueWorkload.Client producer = load.client();
        QueueWorkload.Client other = load.client();
        atAtomic(producer, 2, () -> {
            throw new Schedule.Killed();
        });
        assertThatThrownBy(producer::offer).isInstanceOf(Schedule.Killed.class);
        other.offer();
        AtomicInteger steps = steps(other);
        other.poll();
        assertThat(other.got).isEqualTo(other.put);
        assertThat(steps).as("steps to get past the dead producer").hasValueLessThan(40);
    }

    /// Ours: a producer whose round trip takes many of its consumer's gets its slot poisoned again and again. Here the consumer
    /// waits for a time, and longer each time that it did so in vain.
    @ParameterizedTest
    @ValueSource(ints = {200, 1_000, 3_000})
    void aSlowProducerIsNotStarvedByAQuickConsumer(int roundTripMicros) throws InterruptedException {
        try (QueueWorkload fresh = new QueueWorkload(roundTripMicros, QueueOptions.unbounded())) {
            QueueWorkload.Client producer = fresh.client();
            QueueWorkload.Client consumer = fresh.client();
            AtomicInteger tickets = new AtomicInteger();
            producer.memory().hook((memory, verb, address) -> {
                if (verb.equals("FAA")) {
                    tickets.incrementAndGet();
                }
                for (long arrived = fresh.schedule.nanos() + roundTripMicros * 500L; fresh.schedule.nanos() < arrived;) {
                    fresh.schedule.step(2_000);
                }
            });
            int elements = 20;
            boolean[] done = new boolean[1];
            fresh.add(() -> {
                for (int i = 0; i < elements; i++) {
                    producer.offer();
                }
                done[0] = true;
            });
            fresh.add(() -> {
                while (!done[0] || consumer.got.size() < elements) {
                    consumer.poll();
                }
            });
            fresh.run();
            fresh.checkNothingLost();
            assertThat(tickets).as("tickets for %d elements", elements).hasValueLessThan(elements + 10);
        }
    }

    /// Ours: of elements put with one doorbell the first finds its slot poisoned, the others do not. They must not overtake it.
    @Test
    void elementsPutTogetherDoNotOvertakeEachOther() {
        QueueWorkload.Client producer = load.client();
        QueueWorkload.Client impatient = load.client();
        QueueWorkload.Client consumer = load.client();
        // Tickets are taken; a consumer poisons the first slot, and dies before it comes to the second.
        atAtomic(producer, 2, () -> {
            atAtomic(impatient, 3, () -> {
                throw new Schedule.Killed();
            });
            assertThatThrownBy(impatient::poll).isInstanceOf(Schedule.Killed.class);
        });
        producer.addAll(3);
        assertThat(load.node.word(slot(0))).as("poisoned").isEqualTo(QueueSlot.POISON);
        assertThat(QueueSlot.isAfter(load.node.word(slot(1)))).as("put behind it").isTrue();
        consumer.drain(10);
        assertThat(consumer.got).isEqualTo(producer.put);
        load.checkNothingLost();
    }

    /// Ours: an element that was removed from the middle is not taken by the consumer that has its ticket.
    @Test
    void whatIsRemovedFromTheMiddleIsNotTakenAsWell() {
        QueueWorkload.Client producer = load.client();
        QueueWorkload.Client consumer = load.client();
        QueueWorkload.Client remover = load.client();
        producer.addAll(3);
        Iterator<Long> iterator = remover.queue.iterator();
        assertThat(iterator.next()).isEqualTo(producer.put.getFirst());
        // The consumer's second atomic takes the element whose ticket it has.
        atAtomic(consumer, 2, iterator::remove);
        consumer.poll();
        assertThat(consumer.got).containsExactly(producer.put.get(1));
        assertThat(remover.queue).hasSize(1);
    }

    /// Ours: as many tickets as there is room for, but one of them with a dead producer: the queue is not full.
    @Test
    void aDeadProducerTakesUpNoRoom() {
        try (QueueWorkload bounded = new QueueWorkload(OPTIONS.withCapacity(3))) {
            QueueWorkload.Client producer = bounded.client();
            QueueWorkload.Client other = bounded.client();
            atAtomic(producer, 2, () -> {
                throw new Schedule.Killed();
            });
            assertThatThrownBy(producer::offer).isInstanceOf(Schedule.Killed.class);
            for (int i = 0; i < 3; i++) {
                other.offer();
            }
            assertThat(other.put).as("elements for which there was room").hasSize(3);
            other.offer();
            assertThat(other.put).as("the queue is full").hasSize(3);
            bounded.checkOrder();
        }
    }

    /// Ours: the connection breaks under any doorbell, before any of its steps, after any of those was carried out. Whether an
    /// element was put or taken by then: none is lost, none is there twice, and nothing of it is left to the caller.
    @Test
    void aBrokenConnectionLosesNoElement() {
        breakEverywhere(OPTIONS, (producer, consumer) -> {
            consumer.poll();
            producer.offer();
        });
    }

    @Test
    void aBrokenConnectionLosesNothingOfARun() {
        breakEverywhere(OPTIONS.withSlotsPerSegment(8), (producer, consumer) -> {
            consumer.drain(3);
            producer.addAll(3);
        });
    }

    @Test
    void aBrokenConnectionLosesNothingOfABoundedQueue() {
        breakEverywhere(OPTIONS.withCapacity(12), (producer, consumer) -> {
            consumer.drain(3);
            producer.addAll(3);
        });
    }

    private static void breakEverywhere(QueueOptions options, BiConsumer<QueueWorkload.Client, QueueWorkload.Client> round) {
        for (int doorbell = 1; doorbell <= BREAKS; doorbell++) {
            for (int from = 0; from < STEPS_MAX; from++) {
                for (int carriedOut = 0; from + carriedOut <= STEPS_MAX; carriedOut++) {
                    breakOnce(options, round, doorbell, from, carriedOut);
                }
            }
        }
    }

    private static void breakOnce(QueueOptions options, BiConsumer<QueueWorkload.Client, QueueWorkload.Client> round, int doorbell,
            int from, int carriedOut) {
        try (QueueWorkload fresh = new QueueWorkload(options)) {
            QueueWorkload.Client producer = fresh.client();
            QueueWorkload.Client consumer = fresh.client();
            producer.addAll(6);
            breakAt(consumer, doorbell, from, carriedOut);
            breakAt(producer, doorbell, from, carriedOut);
            for (int i = 0; i < 6; i++) {
                round.accept(producer, consumer);
            }
            fresh.drainRest();
            fresh.checkNothingLost();
            fresh.checkOrder();
            fresh.checkNothingLeaks(3);
        } catch (RuntimeException | AssertionError e) {
            throw new AssertionError("the connection broke under doorbell " + doorbell + " from step " + from + " on, of which "
                    + carriedOut + " were carried out: " + e, e);
        }
    }

    /// Ours: bulk operations after a partial failure keep the order across segments.
    @Test
    void bulkOperationsKeepTheOrder() {
        QueueWorkload.Client client = load.client();
        for (int i = 1; i < 30; i++) {
            client.addAll(i);
            client.drain(i / 2);
        }
        client.drain(1_000);
        long first = client.put.getFirst();
        assertThat(client.got).isEqualTo(LongStream.range(first, first + client.put.size()).boxed().toList());
    }

    /// The address of a slot of the first segment.
    private long slot(int ticket) {
        SegmentLayout layout = SegmentLayout.at(load.node.root(), OPTIONS.slotsPerSegment());
        return layout.slot(load.node.word(load.node.root() + QueueShape.FIRST_AT), ticket);
    }

    /// Counts the steps that `client` does from now on.
    private static AtomicInteger steps(QueueWorkload.Client client) {
        AtomicInteger steps = new AtomicInteger();
        client.memory().hook((memory, verb, address) -> steps.incrementAndGet());
        return steps;
    }

    /// Runs `action` once, before the atomic of `client` with this number, counted from now.
    private static void atAtomic(QueueWorkload.Client client, int number, Runnable action) {
        int[] atomics = new int[1];
        client.memory().hook((memory, verb, address) -> {
            boolean isAtomic = verb.equals("CAS") || verb.equals("FAA");
            if (isAtomic && ++atomics[0] == number) {
                action.run();
            }
        });
    }

    /// Breaks the connection of `client` under its doorbell with this number, if that has so many steps.
    private static void breakAt(QueueWorkload.Client client, int number, int from, int carriedOut) {
        int[] doorbells = new int[1];
        client.memory().breaks(steps -> ++doorbells[0] == number && from < steps && from + carriedOut <= steps
                ? new SimulatedMemory.Break(from, carriedOut) : null);
    }
}
