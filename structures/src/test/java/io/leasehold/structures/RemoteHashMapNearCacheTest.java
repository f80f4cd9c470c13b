package io.leasehold.structures;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.leasehold.lease.HeapKind;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.stream.LongStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// What a near cache saves, and how fresh its values are. That a validated one keeps the map linearizable is shown in
/// [RemoteHashMapHistoryTest].
class RemoteHashMapNearCacheTest {
    private static final Duration STALENESS = Duration.ofMillis(50);
    private static final MapOptions PLAIN = MapWorld.OPTIONS.withJanitorPause(Duration.ZERO);
    private static final MapOptions VALIDATED = PLAIN.withNearCache(NearCache.validated(100));
    private static final MapOptions WITHIN = PLAIN.withNearCache(NearCache.within(STALENESS, 100));

    private final MapWorld world = new MapWorld(PLAIN, 16 << 20);
    private final WatchedMemory memory = new WatchedMemory(world.client());
    private final RemoteHashMap<String, String> other = world.open();

    @AfterEach
    void close() {
        world.close();
    }

    private RemoteHashMap<String, String> open(MapOptions options) {
        return RemoteHashMap.on(memory, "world", Codec.UTF_8, Codec.UTF_8, options);
    }

    private int cost(Runnable operation) {
        memory.reset();
        operation.run();
        return memory.roundTrips();
    }

    @Test
    void aValidatedHitCostsOneReadOfEightBytes() {
        RemoteHashMap<String, String> map = open(VALIDATED);
        other.put("key", "v".repeat(10_000));
        other.put("large", "v".repeat(20_000));
        assertThat(map.get("key")).hasSize(10_000);
        map.get("large");

        for (int i = 0; i < 3; i++) {
            assertThat(cost(() -> assertThat(map.get("key")).hasSize(10_000))).isEqualTo(1);
            assertThat(memory.reads()).singleElement().matches(read -> read.kind() == HeapKind.INDEX && read.lengthBytes() == 8);
            assertThat(cost(() -> assertThat(map.containsKey("key")).isTrue())).isEqualTo(1);
            assertThat(cost(() -> assertThat(map.getAll(List.of("key", "large"))).hasSize(2))).isEqualTo(1);
        }
        assertThat(cost(() -> assertThat(map.get("large")).hasSize(20_000))).isEqualTo(1);
        assertThat(memory.reads()).as("what is large is not kept").hasSize(2);
    }

    @Test
    void aValidatedCacheIsNeverStale() {
        RemoteHashMap<String, String> map = open(VALIDATED);
        List<Consumer<String>> changes = List.of(value -> other.put("key", value), value -> {
            other.remove("key");
            other.put("key", value);
        }, value -> {
            world.resizing(world.client()).split(0, world.subtables().getFirst());
            other.put("key", value);
        }, value -> {
            world.resizing(world.client()).mergeAround(0);
            other.put("key", value);
        }, value -> {
            for (int i = 0; i < 16; i++) {
                other.put("key", "again " + i);
            }
            other.put("key", value);
        });
        int number = 0;
        for (int round = 0; round < 5; round++) {
            for (Consumer<String> change : changes) {
                String value = "value " + number++;
                change.accept(value);
                assertThat(map.get("key")).isEqualTo(value);
                assertThat(map.get("key")).isEqualTo(value);
            }
            other.remove("key");
            assertThat(map.get("key")).isNull();
        }
    }

    @Test
    void aBlockThatIsReusedIsNotTakenForTheOldOne() {
        // The same block, slot and version: only the lease on the block tells that it may have been reused.
        RemoteHashMap<String, String> map = open(VALIDATED);
        RemoteHashMap<String, String> reuser = world.open(new WatchedMemory(world.client(), true));
        reuser.put("key", "value");
        assertThat(map.get("key")).isEqualTo("value");
        long word = world.slots().getFirst();
        world.node.lapseAll();
        int round = 0;
        do {
            reuser.put("key", "other");
        } while (world.slots().getFirst() != word && ++round < 1000);
        assertThat(world.slots()).as("the same word again").containsExactly(word);

        assertThat(map.get("key")).isEqualTo("other");
    }

    @Test
    void withinItsStalenessAHitCostsNothing() {
        RemoteHashMap<String, String> map = open(WITHIN);
        other.put("key", "old");
        long read = world.node.schedule.nanos();
        assertThat(map.get("key")).isEqualTo("old");
        other.put("key", "new");

        assertThat(cost(() -> assertThat(map.get("key")).isEqualTo("old"))).isZero();
        assertThat(cost(() -> assertThat(map.containsKey("key")).isTrue())).isZero();
        assertThat(cost(() -> assertThat(map.getAll(List.of("key"))).containsEntry("key", "old"))).isZero();
        world.node.schedule.step(STALENESS.toNanos() - (world.node.schedule.nanos() - read) - 1);
        assertThat(cost(() -> assertThat(map.get("key")).isEqualTo("old"))).isZero();
        world.node.schedule.step(2);

        assertThat(cost(() -> assertThat(map.get("key")).isEqualTo("new"))).isPositive();
        assertThat(cost(() -> assertThat(map.get("key")).isEqualTo("new"))).isZero();
    }

    static List<MapOptions> caches() {
        return List.of(VALIDATED, WITHIN, PLAIN.withNearCache(NearCache.within(Duration.ofHours(1), 100)));
    }

    @ParameterizedTest
    @MethodSource("caches")
    void whatTheHandleWritesItSeesAtOnce(MapOptions options) {
        RemoteHashMap<String, String> map = open(options);
        List<Consumer<String>> writes = List.of(value -> map.put("key", value), value -> map.set("key", value),
                value -> map.putAll(Map.of("key", value)), value -> map.replace("key", value),
                value -> map.compute("key", (key, old) -> value), value -> map.merge("key", value, (a, b) -> b),
                value -> map.entrySet().iterator().next().setValue(value), value -> map.replaceAll((key, old) -> value),
                value -> map.async().put("key", value).join(), value -> map.put("key", value, Duration.ofHours(1)));
        int number = 0;
        map.put("key", "first");
        for (int round = 0; round < 3; round++) {
            for (Consumer<String> write : writes) {
                String value = "value " + number++;
                assertThat(map.get("key")).isNotNull();
                write.accept(value);
                assertThat(map.get("key")).isEqualTo(value);
                assertThat(map.get("key")).isEqualTo(value);
            }
        }
        List<Runnable> removals = List.of(() -> map.remove("key"), () -> map.delete("key"), map::clear,
                () -> map.removeAll(List.of("key")), () -> map.keySet().removeIf(key -> true),
                () -> map.compute("key", (key, old) -> null));
        for (Runnable removal : removals) {
            map.put("key", "value");
            assertThat(map.get("key")).isEqualTo("value");
            removal.run();
            assertThat(map.get("key")).isNull();
            assertThat(map.containsKey("key")).isFalse();
        }
    }

    @ParameterizedTest
    @MethodSource("caches")
    void entriesExpireInTheCacheToo(MapOptions options) {
        RemoteHashMap<String, String> map = open(options);
        map.put("key", "value", Duration.ofMillis(20));
        assertThat(map.get("key")).isEqualTo("value");
        assertThat(map.get("key")).isEqualTo("value");
        world.node.schedule.step(Duration.ofMillis(20).toNanos());
        assertThat(map.get("key")).isNull();
        assertThat(map.containsKey("key")).isFalse();
    }

    @ParameterizedTest
    @MethodSource("caches")
    void callersDoNotShareValues(MapOptions options) {
        SimulatedMemory alone = SimulatedMemory.alone(MapRoot.bytes(8));
        try (RemoteHashMap<byte[], byte[]> map = RemoteHashMap.on(alone, "bytes", Codec.BYTES, Codec.BYTES, options)) {
            map.put(new byte[] {1}, new byte[] {2});
            for (int i = 0; i < 3; i++) {
                byte[] value = map.get(new byte[] {1});
                assertThat(value).containsExactly(2);
                value[0] = 3;
            }
        }
    }

    @Test
    void aCacheIsBounded() {
        RemoteHashMap<String, String> map = open(PLAIN.withNearCache(NearCache.within(Duration.ofHours(1), 10)));
        for (int i = 0; i < 100; i++) {
            map.put("key " + i, "value");
            map.get("key " + i);
        }
        int[] free = new int[1];
        for (int i = 0; i < 100; i++) {
            String key = "key " + i;
            free[0] += cost(() -> map.containsKey(key)) == 0 ? 1 : 0;
        }
        assertThat(free[0]).isBetween(1, 10);
    }

    @Test
    void refusesWhatIsImpossible() {
        assertThatThrownBy(() -> NearCache.validated(0)).isInstanceOf(IllegalArgumentException.class).hasMessageContaining("none()");
        assertThatThrownBy(() -> NearCache.within(Duration.ZERO, 1)).isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("validated");
        assertThatThrownBy(() -> VALIDATED.withProtection(Protection.BLOCK)).isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("within");
        assertThat(WITHIN.withProtection(Protection.BLOCK).nearCache()).isEqualTo(NearCache.within(STALENESS, 100));
    }

    @ParameterizedTest
    @MethodSource("caches")
    void aReadingThatAnOwnWriteOvertakesIsNotKept(MapOptions options) {
        RemoteHashMap<String, String> map = open(options);
        map.put("key", "old");
        // The place is known: one round trip.
        memory.afterRoundTrip(1, () -> map.put("key", "new"));

        assertThat(map.get("key")).as("read before it was overwritten").isEqualTo("old");

        assertThat(map.get("key")).isEqualTo("new");
    }

    @ParameterizedTest
    @MethodSource("caches")
    void aReadingThatBeginsDuringAnOwnWriteIsNotKept(MapOptions options) {
        SimulatedMemory simulated = world.client();
        WatchedMemory watched = new WatchedMemory(simulated);
        RemoteHashMap<String, String> map = RemoteHashMap.on(watched, "world", Codec.UTF_8, Codec.UTF_8, options);
        map.put("key", "old");
        CountDownLatch isAboutToWrite = new CountDownLatch(1);
        CountDownLatch mayWrite = new CountDownLatch(1);
        simulated.hook((at, verb, address) -> {
            if (verb.equals("CAS")) {
                isAboutToWrite.countDown();
                await(mayWrite);
            }
        });
        Thread writer = Thread.ofPlatform().daemon().start(() -> map.put("key", "new"));
        await(isAboutToWrite);
        watched.afterRoundTrip(1, () -> {
            mayWrite.countDown();
            try {
                assertThat(writer.join(Duration.ofSeconds(20))).isTrue();
            } catch (InterruptedException e) {
                throw new AssertionError(e);
            }
        });

        assertThat(map.get("key")).as("read before it was overwritten").isEqualTo("old");

        assertThat(map.get("key")).isEqualTo("new");
    }

    private static void await(CountDownLatch latch) {
        try {
            assertThat(latch.await(20, TimeUnit.SECONDS)).isTrue();
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    static LongStream seeds() {
        Long seed = Long.getLong("leasehold.seed");
        return seed != null ? LongStream.of(seed) : LongStream.range(0, 40);
    }

    /// One client counts a value up; what another reads was the present at some time within the staleness before it asked. Threads
    /// of the writer's own handle, which has such a cache too, are never behind what it has finished.
    @ParameterizedTest
    @MethodSource("seeds")
    void noValueIsOlderThanTheStalenessAndNoneBehindAnOwnWrite(long seed) throws InterruptedException {
        Schedule schedule = Schedule.seeded(seed);
        Duration staleness = Duration.ofNanos(50_000);
        MapOptions options = PLAIN.withNearCache(NearCache.within(staleness, 100));
        try (SimulatedNode node = new SimulatedNode(schedule, 8 << 20, MapRoot.bytes(PLAIN.maxDepth()))) {
            RemoteHashMap<Long, Long> writer = RemoteHashMap.on(new SimulatedMemory(node, seed, true), "near", Codec.LONG,
                    Codec.LONG, options);
            // When each value was written, at the latest; the writer's progress in the first.
            List<Long> written = new ArrayList<>();
            int[] hits = new int[1];
            int[] old = new int[1];
            List<Runnable> clients = new ArrayList<>();
            clients.add(() -> {
                for (long value = 0; value < 60; value++) {
                    writer.put(1L, value);
                    synchronized (written) {
                        written.add(schedule.nanos());
                    }
                }
            });
            for (int i = 0; i < 2; i++) {
                clients.add(() -> {
                    for (int n = 0; n < 60; n++) {
                        long done = size(written) - 1;
                        Long seen = writer.get(1L);
                        assertThat(seen == null ? -1 : seen).as("own handle").isGreaterThanOrEqualTo(done);
                        schedule.step(1_000);
                    }
                });
            }
            Random random = new Random(seed);
            clients.add(() -> {
                RemoteHashMap<Long, Long> reader = RemoteHashMap.on(new SimulatedMemory(node, seed + 1, true), "near", Codec.LONG,
                        Codec.LONG, options);
                for (int n = 0; n < 200; n++) {
                    long asked = schedule.nanos();
                    Long seen = reader.get(1L);
                    hits[0] += schedule.nanos() == asked ? 1 : 0;
                    int next = seen == null ? 0 : Math.toIntExact(seen) + 1;
                    synchronized (written) {
                        if (next < written.size()) {
                            old[0]++;
                            assertThat(asked - written.get(next)).as("how long ago %s had been replaced", seen)
                                    .isLessThanOrEqualTo(staleness.toNanos());
                        }
                    }
                    schedule.step(random.nextInt(5_000));
                }
            });

            schedule.run(clients);

            assertThat(old[0]).as("stale values that were seen, seed %d", seed).isPositive();
        }
    }

    private static int size(List<Long> list) {
        synchronized (list) {
            return list.size();
        }
    }
}
