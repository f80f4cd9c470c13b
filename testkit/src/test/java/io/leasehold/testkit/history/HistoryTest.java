package io.leasehold.testkit.history;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.leasehold.testkit.history.Operation.Kind;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Deque;
import java.util.List;
import java.util.Queue;
import java.util.Random;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.BiConsumer;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// The checkers accept what is right, refuse what is wrong, and agree with one another on small random histories.
final class HistoryTest {
    private static final long NONE = Operation.NONE;

    private static Operation map(Kind kind, long argument, long result, long invoked, long returned) {
        return new Operation(0, kind, "k", argument, NONE, result, invoked, returned);
    }

    private static Operation enqueue(long value, long invoked, long returned) {
        return new Operation(0, Kind.ENQUEUE, "q", value, NONE, 1, invoked, returned);
    }

    private static Operation dequeue(long value, long invoked, long returned) {
        return new Operation(0, Kind.DEQUEUE, "q", NONE, NONE, value, invoked, returned);
    }

    /// A queue as a specification for the general search; slow, but independent of [FifoQueue].
    private record QueueSpecification(int capacity) implements Specification<List<Long>> {
        @Override
        public List<Long> initial() {
            return List.of();
        }

        @Override
        public @Nullable List<Long> step(List<Long> state, Operation operation) {
            List<Long> next = new ArrayList<>(state);
            if (operation.kind() == Kind.ENQUEUE) {
                boolean full = state.size() == capacity;
                if (!operation.isPending() && full != (operation.result() == 0)) {
                    return null;
                }
                next.add(operation.argument());
                return full ? state : next;
            }
            if (operation.isPending()) {
                return state.isEmpty() ? state : next.subList(1, next.size());
            }
            if (operation.result() == NONE) {
                return state.isEmpty() ? state : null;
            }
            return !state.isEmpty() && next.removeFirst() == operation.result() ? next : null;
        }
    }

    @Test
    void overlappingPutsMayTakeEffectInAnyOrder() {
        List<Operation> history = List.of(map(Kind.PUT, 1, NONE, 0, 10), map(Kind.PUT, 2, 1, 5, 15),
                map(Kind.GET, NONE, 2, 20, 21));
        assertThat(Linearizability.holds(history, Specification.MAP_ENTRY)).isTrue();
    }

    @Test
    void aStaleReadIsFound() {
        List<Operation> history = List.of(map(Kind.PUT, 1, NONE, 0, 10), map(Kind.PUT, 2, 1, 11, 15),
                map(Kind.GET, NONE, 1, 20, 21));
        assertThatThrownBy(() -> Linearizability.check(history, Specification.MAP_ENTRY)).isInstanceOf(AssertionError.class)
                .hasMessageContaining("GET");
    }

    @Test
    void aValueThatComesBackAfterItsRemovalIsFound() {
        List<Operation> history = List.of(map(Kind.PUT, 1, NONE, 0, 1), map(Kind.REMOVE, NONE, 1, 2, 3),
                map(Kind.GET, NONE, 1, 4, 5));
        assertThat(Linearizability.holds(history, Specification.MAP_ENTRY)).isFalse();
    }

    @Test
    void twoWinnersOfPutIfAbsentAreFound() {
        List<Operation> history = List.of(map(Kind.PUT_IF_ABSENT, 1, NONE, 0, 9), map(Kind.PUT_IF_ABSENT, 2, NONE, 1, 8));
        assertThat(Linearizability.holds(history, Specification.MAP_ENTRY)).isFalse();
    }

    @Test
    void aPendingPutMayHaveTakenEffectOrNot() {
        Operation pending = map(Kind.PUT, 7, NONE, 0, Long.MAX_VALUE);
        assertThat(Linearizability.holds(List.of(pending, map(Kind.GET, NONE, 7, 5, 6)), Specification.MAP_ENTRY)).isTrue();
        assertThat(Linearizability.holds(List.of(pending, map(Kind.GET, NONE, NONE, 5, 6)), Specification.MAP_ENTRY)).isTrue();
        assertThat(Linearizability.holds(List.of(pending, map(Kind.GET, NONE, 7, 5, 6), map(Kind.GET, NONE, NONE, 7, 8)),
                Specification.MAP_ENTRY)).isFalse();
    }

    @Test
    void lostAdditionsToAWordAreFound() {
        Operation first = new Operation(0, Kind.FETCH_AND_ADD, "w", 1, NONE, 0, 0, 9);
        Operation second = new Operation(1, Kind.FETCH_AND_ADD, "w", 1, NONE, 0, 1, 8);
        assertThat(Linearizability.holds(List.of(first, second), Specification.WORD)).isFalse();
    }

    @Test
    void aQueueThatReordersIsFound() {
        assertThatThrownBy(() -> FifoQueue.check(List.of(enqueue(1, 0, 1), enqueue(2, 2, 3), dequeue(2, 4, 5), dequeue(1, 6, 7))))
                .hasMessageContaining("wrong order");
    }

    @Test
    void aQueueThatLosesIsFound() {
        assertThatThrownBy(() -> FifoQueue.check(List.of(enqueue(1, 0, 1), enqueue(2, 2, 3), dequeue(2, 4, 5))))
                .hasMessageContaining("never dequeued");
    }

    @Test
    void aQueueThatInventsOrRepeatsIsFound() {
        assertThatThrownBy(() -> FifoQueue.check(List.of(dequeue(1, 0, 1)))).hasMessageContaining("had not been enqueued");
        assertThatThrownBy(() -> FifoQueue.check(List.of(enqueue(1, 0, 1), dequeue(1, 2, 3), dequeue(1, 4, 5))))
                .hasMessageContaining("twice");
    }

    @Test
    void aWrongEmptyIsFoundThoughNoSingleElementStayed() {
        List<Operation> history = List.of(enqueue(1, 0, 1), enqueue(2, 2, 3), dequeue(1, 10, 30), dequeue(2, 40, 50),
                dequeue(NONE, 5, 35));
        assertThatThrownBy(() -> FifoQueue.check(history)).hasMessageContaining("found empty");
    }

    @Test
    void aPendingDequeueMayHaveTakenAnElement() {
        FifoQueue.check(List.of(enqueue(1, 0, 1), enqueue(2, 2, 3), dequeue(NONE, 4, Long.MAX_VALUE), dequeue(2, 6, 7)));
    }

    @Test
    void aBoundedQueueMustBeFullToSaySo() {
        Operation refused = new Operation(0, Kind.ENQUEUE, "q", 9, NONE, 0, 4, 5);
        FifoQueue.check(List.of(enqueue(1, 0, 1), enqueue(2, 2, 3), refused), 2);
        assertThatThrownBy(() -> FifoQueue.check(List.of(enqueue(1, 0, 1), enqueue(2, 2, 3), refused), 3))
                .hasMessageContaining("found full");
        assertThatThrownBy(() -> FifoQueue.check(List.of(enqueue(1, 0, 1), enqueue(2, 2, 3)), 1))
                .hasMessageContaining("certainly inside");
    }

    /// Random histories, most of them wrong: the fast check of queues says what the exhaustive search says.
    @Property
    void fastAndExhaustiveChecksOfQueuesAgree(@ForAll long seed) {
        Random random = new Random(seed);
        List<Operation> history = new ArrayList<>();
        List<Long> values = new ArrayList<>();
        int size = 1 + random.nextInt(4);
        for (long value = 1; value <= size; value++) {
            long invoked = random.nextInt(30);
            history.add(enqueue(value, 2 * invoked, 2 * (invoked + random.nextInt(8)) + 1));
            values.add(value);
        }
        Collections.shuffle(values, random);
        int taken = random.nextInt(size + 1);
        for (int i = 0; i < taken + random.nextInt(2); i++) {
            long invoked = random.nextInt(40);
            history.add(dequeue(i < taken ? values.get(i) : NONE, 2 * invoked, 2 * (invoked + random.nextInt(8)) + 1));
        }
        assertThat(fifoHolds(history)).as("%s", history)
                .isEqualTo(Linearizability.holds(history, new QueueSpecification(Integer.MAX_VALUE)));
    }

    /// With operations that never returned, and a capacity: what the exhaustive search accepts, the fast check accepts.
    @Property
    void theFastCheckOfQueuesRaisesNoFalseAlarm(@ForAll long seed) {
        Random random = new Random(seed);
        int capacity = 1 + random.nextInt(4);
        List<Operation> history = stretchedQueue(random, capacity);
        assertThat(Linearizability.holds(history, new QueueSpecification(capacity))).as("%s", history).isTrue();
        FifoQueue.check(history, capacity);
    }

    /// Runs a queue one operation at a time, then stretches the intervals and forgets some answers.
    private static List<Operation> stretchedQueue(Random random, int capacity) {
        List<Operation> history = new ArrayList<>();
        Deque<Long> queue = new ArrayDeque<>();
        for (int i = 0; i < 1 + random.nextInt(12); i++) {
            long invoked = 100L * i - random.nextInt(300);
            boolean pending = random.nextInt(5) == 0;
            long returned = pending ? Long.MAX_VALUE : 100L * i + random.nextInt(300);
            if (random.nextBoolean()) {
                boolean room = queue.size() < capacity;
                if (room) {
                    queue.add((long) i);
                }
                history.add(new Operation(0, Kind.ENQUEUE, "q", i, NONE, room ? 1 : 0, invoked, returned));
            } else {
                Long taken = queue.poll();
                history.add(dequeue(taken == null ? NONE : taken, invoked, returned));
            }
        }
        return history;
    }

    private static boolean fifoHolds(List<Operation> history) {
        try {
            FifoQueue.check(history);
            return true;
        } catch (AssertionError e) {
            return false;
        }
    }

    /// Histories made by running operations one at a time, then stretching their intervals: always linearizable.
    @Property
    void stretchedSequentialHistoriesHold(@ForAll long seed) {
        assertThat(Linearizability.holds(stretched(seed, false), Specification.MAP_ENTRY)).isTrue();
    }

    /// The same with one answer changed to a value that nobody wrote: never linearizable.
    @Property
    void aForgedAnswerIsAlwaysFound(@ForAll long seed) {
        assertThat(Linearizability.holds(stretched(seed, true), Specification.MAP_ENTRY)).isFalse();
    }

    private static List<Operation> stretched(long seed, boolean forge) {
        Random random = new Random(seed);
        List<Operation> history = new ArrayList<>();
        long value = NONE;
        int size = 1 + random.nextInt(40);
        int forged = forge ? random.nextInt(size) : -1;
        for (int i = 0; i < size; i++) {
            Kind kind = new Kind[] {Kind.GET, Kind.PUT, Kind.REMOVE, Kind.PUT_IF_ABSENT}[random.nextInt(4)];
            long argument = random.nextInt(3);
            long result = i == forged ? 99 : value;
            value = switch (kind) {
                case PUT -> argument;
                case REMOVE -> NONE;
                case PUT_IF_ABSENT -> value == NONE ? argument : value;
                default -> value;
            };
            history.add(map(kind, argument, result, 100L * i - random.nextInt(400), 100L * i + random.nextInt(400)));
        }
        return history;
    }

    /// Small random histories, right and wrong, some never returned: the search says what trying every order says.
    @Property
    void searchAndBruteForceAgree(@ForAll long seed) {
        Random random = new Random(seed);
        List<Operation> history = new ArrayList<>();
        Kind[] kinds = {Kind.GET, Kind.PUT, Kind.REMOVE, Kind.PUT_IF_ABSENT, Kind.REPLACE_IF, Kind.COMPUTE};
        for (int i = 0; i < 1 + random.nextInt(6); i++) {
            Kind kind = kinds[random.nextInt(kinds.length)];
            long invoked = random.nextInt(20);
            long returned = random.nextInt(6) == 0 ? Long.MAX_VALUE : invoked + random.nextInt(10);
            long argument = random.nextInt(2);
            long result = kind == Kind.REPLACE_IF || kind == Kind.COMPUTE || random.nextBoolean() ? random.nextInt(2) : NONE;
            history.add(new Operation(i, kind, "k", argument, random.nextInt(2), result, invoked, returned));
        }
        assertThat(Linearizability.holds(history, Specification.MAP_ENTRY)).as("%s", history)
                .isEqualTo(someOrderWorks(history, Specification.MAP_ENTRY.initial()));
    }

    /// Whether any of `left` that may come first leads to an order of all that returned.
    private static boolean someOrderWorks(List<Operation> left, Long state) {
        if (left.stream().allMatch(Operation::isPending)) {
            return true;
        }
        for (Operation first : left) {
            boolean mayBeFirst = left.stream().noneMatch(other -> other.returnedNanos() < first.invokedNanos());
            Long next = mayBeFirst ? Specification.MAP_ENTRY.step(state, first) : null;
            List<Operation> rest = new ArrayList<>(left);
            rest.remove(first);
            if (next != null && someOrderWorks(rest, next)) {
                return true;
            }
        }
        return false;
    }

    @Test
    void whatTheJdkDoesIsAccepted() throws InterruptedException {
        ConcurrentHashMap<String, Long> map = new ConcurrentHashMap<>();
        AtomicLong word = new AtomicLong();
        Queue<Long> queue = new ConcurrentLinkedQueue<>();
        Linearizability.checkEach(recorded((log, random) -> {
            String key = "k" + random.nextInt(3);
            long value = random.nextInt(4);
            long invoked = log.now();
            switch (random.nextInt(4)) {
                case 0 -> log.returned(Kind.PUT, key, value, NONE, orNone(map.put(key, value)), invoked);
                case 1 -> log.returned(Kind.REMOVE, key, NONE, NONE, orNone(map.remove(key)), invoked);
                case 2 -> log.returned(Kind.REPLACE_IF, key, value, value + 1, map.replace(key, value, value + 1) ? 1 : 0,
                        invoked);
                default -> log.returned(Kind.GET, key, NONE, NONE, orNone(map.get(key)), invoked);
            }
        }), Specification.MAP_ENTRY);
        Linearizability.check(recorded((log, random) -> {
            long invoked = log.now();
            if (random.nextBoolean()) {
                log.returned(Kind.FETCH_AND_ADD, "w", 1, NONE, word.getAndAdd(1), invoked);
            } else {
                long expected = word.get();
                log.returned(Kind.COMPARE_AND_SWAP, "w", expected, expected + 5, word.compareAndExchange(expected, expected + 5),
                        invoked);
            }
        }), Specification.WORD);
        AtomicLong values = new AtomicLong();
        FifoQueue.check(recorded((log, random) -> {
            long invoked = log.now();
            if (random.nextBoolean()) {
                long value = values.incrementAndGet();
                log.returned(Kind.ENQUEUE, "q", value, NONE, queue.add(value) ? 1 : 0, invoked);
            } else {
                log.returned(Kind.DEQUEUE, "q", NONE, NONE, orNone(queue.poll()), invoked);
            }
        }));
    }

    private static long orNone(@Nullable Long value) {
        return value == null ? NONE : value;
    }

    /// What four threads did, 3,000 times each.
    private static List<Operation> recorded(BiConsumer<History.Log, Random> step) throws InterruptedException {
        History history = new History();
        List<Thread> threads = new ArrayList<>();
        for (int client = 0; client < 4; client++) {
            History.Log log = history.log(client);
            Random random = new Random(client);
            threads.add(Thread.ofPlatform().start(() -> {
                for (int i = 0; i < 3_000; i++) {
                    step.accept(log, random);
                }
            }));
        }
        for (Thread thread : threads) {
            thread.join();
        }
        return history.operations();
    }

    @Test
    void aHundredThousandQueueOperationsAreCheckedQuickly() {
        List<Operation> history = new ArrayList<>();
        for (long i = 0; i < 50_000; i++) {
            history.add(enqueue(i, 10 * i, 10 * i + 15));
            history.add(dequeue(i, 10 * i + 5, 10 * i + 60));
        }
        FifoQueue.check(history);
    }

    @Test
    void recordedHistoriesSurviveAFile(@TempDir Path folder) throws IOException {
        History history = new History();
        History.Log log = history.log(3);
        log.returned(Kind.PUT, "key", 1, NONE, NONE, log.now());
        log.pending(Kind.REMOVE, "key", NONE, NONE, log.now());
        Path file = folder.resolve("history");
        history.writeTo(file);
        assertThat(History.readFrom(file)).isEqualTo(history.operations()).hasSize(2);
    }
}
