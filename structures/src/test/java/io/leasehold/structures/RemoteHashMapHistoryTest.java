package io.leasehold.structures;

import static org.assertj.core.api.Assertions.assertThat;

import io.leasehold.lease.OutcomeUnknownException;
import io.leasehold.testkit.history.History;
import io.leasehold.testkit.history.Linearizability;
import io.leasehold.testkit.history.Specification;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Collectors;
import java.util.stream.LongStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// Random operations of several clients on few keys, one step at a time in a random order, while the map grows from one subtable
/// to many, or grows and shrinks again and again: what they answer is linearizable for each key.
///
/// `-Dleasehold.histories=n` runs n seeds of each kind, `-Dleasehold.seed=s` that seed alone.
class RemoteHashMapHistoryTest {
    private static final int HISTORIES = Integer.getInteger("leasehold.histories", 60);
    private static final MapOptions OPTIONS = MapOptions.defaults().withGroupsPerSubtable(2).withMaxDepth(10);
    private static final MapOptions VALIDATED = OPTIONS.withNearCache(NearCache.validated(100));
    private static final int CLIENTS = 4;
    private static final int OPERATIONS = 60;
    private static final int KEYS = 5;
    private static final int SWING = 20;

    /// How many merges each history that shrinks went through.
    private static final List<Integer> MERGED = new ArrayList<>();

    static LongStream seeds() {
        Long seed = Long.getLong("leasehold.seed");
        return seed != null ? LongStream.of(seed) : LongStream.range(0, HISTORIES);
    }

    /// These histories are longer.
    static LongStream fewSeeds() {
        return seeds().limit(Math.max(1, HISTORIES / 4));
    }

    @ParameterizedTest
    @MethodSource("seeds")
    void operationsAreLinearizable(long seed) throws InterruptedException {
        try (Simulation simulation = new Simulation(seed, 0, 0, false, OPTIONS)) {
            simulation.run();
        }
    }

    @ParameterizedTest
    @MethodSource("seeds")
    void operationsAreLinearizableWhenLeasesEndUnderThem(long seed) throws InterruptedException {
        try (Simulation simulation = new Simulation(seed, 150, 0, false, OPTIONS)) {
            simulation.run();
        }
    }

    @ParameterizedTest
    @MethodSource("seeds")
    void operationsAreLinearizableWhenClientsDieInTheMiddle(long seed) throws InterruptedException {
        try (Simulation simulation = new Simulation(seed, 400, 700, false, OPTIONS)) {
            simulation.run();
        }
    }

    @ParameterizedTest
    @MethodSource("fewSeeds")
    void operationsAreLinearizableThroughSplitsAndMerges(long seed) throws InterruptedException {
        try (Simulation simulation = new Simulation(seed, 0, 0, true, OPTIONS)) {
            simulation.run();
            MERGED.add(simulation.merges());
        }
    }

    @ParameterizedTest
    @MethodSource("fewSeeds")
    void operationsAreLinearizableThroughSplitsAndMergesWhenLeasesEndUnderThem(long seed) throws InterruptedException {
        try (Simulation simulation = new Simulation(seed, 250, 0, true, OPTIONS)) {
            simulation.run();
            MERGED.add(simulation.merges());
        }
    }

    @ParameterizedTest
    @MethodSource("fewSeeds")
    void operationsAreLinearizableThroughSplitsAndMergesWhenClientsDieInTheMiddle(long seed) throws InterruptedException {
        try (Simulation simulation = new Simulation(seed, 2000, 12_000, true, OPTIONS)) {
            simulation.run();
            MERGED.add(simulation.merges());
        }
    }

    @ParameterizedTest
    @MethodSource("seeds")
    void operationsAreLinearizableWhenConnectionsBreak(long seed) throws InterruptedException {
        try (Simulation simulation = new Simulation(seed, 400, 0, false, OPTIONS)) {
            simulation.breakConnections(25);
            simulation.run();
        }
    }

    @ParameterizedTest
    @MethodSource("fewSeeds")
    void operationsAreLinearizableThroughSplitsAndMergesWhenConnectionsBreak(long seed) throws InterruptedException {
        try (Simulation simulation = new Simulation(seed, 2000, 0, true, OPTIONS)) {
            simulation.breakConnections(50);
            simulation.run();
            MERGED.add(simulation.merges());
        }
    }

    @ParameterizedTest
    @MethodSource("seeds")
    void operationsAreLinearizableWithAValidatedNearCache(long seed) throws InterruptedException {
        try (Simulation simulation = new Simulation(seed, seed % 2 == 0 ? 0 : 300, 0, false, VALIDATED)) {
            simulation.run();
        }
    }

    @ParameterizedTest
    @MethodSource("fewSeeds")
    void operationsAreLinearizableThroughSplitsAndMergesWithAValidatedNearCache(long seed) throws InterruptedException {
        try (Simulation simulation = new Simulation(seed, 1000, 0, true, VALIDATED)) {
            simulation.run();
        }
    }

    @AfterAll
    static void historiesWentThroughMerges() {
        assertThat(MERGED.stream().mapToInt(Integer::intValue).average().orElse(100)).as("merges in a history").isGreaterThan(6);
    }

    /// One run. Keys are odd and even: the even ones are inserted to have the map split and, if it shrinks, removed to have it
    /// merged.
    private static final class Simulation implements AutoCloseable {
        private final long seed;
        private final int expiryOdds;
        private final int deathOdds;
        private final boolean shrinks;
        private final MapOptions options;
        private final Schedule schedule;
        private final SimulatedNode node;
        private final History history;
        private final List<Long> inserted = new ArrayList<>();
        private int dead;
        private int breakOdds;

        Simulation(long seed, int expiryOdds, int deathOdds, boolean shrinks, MapOptions options) {
            this.seed = seed;
            this.expiryOdds = expiryOdds;
            this.deathOdds = deathOdds;
            this.shrinks = shrinks;
            this.options = options;
            schedule = Schedule.seeded(seed);
            node = new SimulatedNode(schedule, 32 << 20, MapRoot.bytes(OPTIONS.maxDepth()));
            history = new History(schedule::nanos);
        }

        @Override
        public void close() {
            node.close();
        }

        void breakConnections(int odds) {
            breakOdds = odds;
        }

        void run() throws InterruptedException {
            List<Runnable> clients = new ArrayList<>();
            for (int i = 0; i < CLIENTS; i++) {
                int client = i;
                SimulatedMemory memory = new SimulatedMemory(node, seed * 31 + i, true);
                memory.hook((at, verb, address) -> misfortune(at));
                if (breakOdds > 0) {
                    memory.breaks(SimulatedMemory.Breaks.at(breakOdds, new Random(~(seed * 31 + i))));
                }
                clients.add(() -> client(client, memory));
            }
            schedule.run(clients);
            try {
                Linearizability.checkEach(history.operations(), Specification.MAP_ENTRY);
                checkAtEnd();
            } catch (AssertionError e) {
                throw new AssertionError("seed " + seed + ": " + e.getMessage(), e);
            }
        }

        private void misfortune(SimulatedMemory client) {
            if (expiryOdds > 0 && schedule.nextInt(expiryOdds) == 0) {
                node.expire(client);
            }
            if (deathOdds > 0 && dead < CLIENTS - 1 && schedule.nextInt(deathOdds) == 0) {
                dead++;
                throw new Schedule.Killed();
            }
        }

        private void client(int number, SimulatedMemory memory) {
            Random random = new Random(seed * 1_000_003 + number);
            RandomMapOperations operations = new RandomMapOperations(history.log(number), random, CLIENTS * 1000L);
            try {
                RemoteHashMap<Long, Long> map = RemoteHashMap.on(memory, "history", Codec.LONG, Codec.LONG, options);
                for (int i = 0; i < OPERATIONS; i++) {
                    long value = number * 1000L + i;
                    if (shrinks && i % SWING == SWING - 1) {
                        removeFillers(map, number);
                    } else if (shrinks && i % 2 == 0) {
                        Map<Long, Long> fillers =
                                LongStream.range(0, 6).boxed().collect(Collectors.toMap(j -> filler(6 * value + j), j -> j));
                        unlessUnknown(() -> map.putAll(fillers));
                    } else if (!shrinks && random.nextInt(3) == 0) {
                        insertFiller(map, 10_000 + 2 * value);
                    } else {
                        operations.next(map, 1 + 2L * random.nextInt(KEYS), value);
                    }
                }
            } catch (Schedule.Killed e) {
                node.expire(memory);
                throw e;
            }
        }

        private static long filler(long number) {
            return 1_000_000 + 2 * number;
        }

        /// Removes what this client has put in, one by one: other clients are on the way meanwhile.
        private void removeFillers(RemoteHashMap<Long, Long> map, int client) {
            for (long number = 6000L * client; number < 6000L * client + 6 * OPERATIONS; number++) {
                if (map.containsKey(filler(number))) {
                    long filler = filler(number);
                    unlessUnknown(() -> map.remove(filler));
                }
            }
        }

        /// At least so many: of those whose memory was reused nothing tells.
        int merges() {
            int headersOfBoth = 2 * OPTIONS.groupsPerSubtable() * SubtableShape.GROUP_BUCKETS;
            return node.headers(HeaderWord.JOINED) / headersOfBoth;
        }

        private void insertFiller(RemoteHashMap<Long, Long> map, long key) {
            if (unlessUnknown(() -> map.put(key, key))) {
                synchronized (inserted) {
                    inserted.add(key);
                }
            }
        }

        /// Whether `operation` took effect for certain.
        private boolean unlessUnknown(Runnable operation) {
            try {
                operation.run();
                return true;
            } catch (OutcomeUnknownException e) {
                assertThat(breakOdds).as("odds of a broken connection").isPositive();
                return false;
            }
        }

        /// What a new client finds is what the survivors left: nothing is lost, nothing is there twice, the count is right.
        private void checkAtEnd() {
            SimulatedMemory memory = new SimulatedMemory(node, seed, false);
            RemoteHashMap<Long, Long> map = RemoteHashMap.on(memory, "history", Codec.LONG, Codec.LONG, OPTIONS);
            assertThat(map.getAll(inserted).keySet()).containsExactlyInAnyOrderElementsOf(inserted);
            Map<Long, Long> walked = new HashMap<>();
            map.forEach((key, value) -> assertThat(walked.put(key, value)).as("entry met before: " + key).isNull());
            assertThat(walked.keySet()).containsAll(inserted);
            walked.forEach((key, value) -> assertThat(map.get(key)).as("entry of " + key).isEqualTo(value));
            if (dead == 0 && breakOdds == 0) {
                assertThat(map.mappingCount()).isEqualTo(walked.size());
            }
        }
    }
}
