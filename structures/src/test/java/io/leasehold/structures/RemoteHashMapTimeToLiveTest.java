package io.leasehold.structures;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Entries that expire, on a clock that the tests move; and the role of the janitor, who stops wherever they like.
class RemoteHashMapTimeToLiveTest {
    private static final Duration LIFE = Duration.ofSeconds(10);
    private static final Duration PAUSE = Duration.ofSeconds(1);
    /// No handle works by itself here.
    private static final MapOptions OPTIONS = MapWorld.OPTIONS.withJanitorPause(Duration.ZERO);
    private static final MapOptions CLEANING = MapWorld.OPTIONS.withJanitorPause(PAUSE);

    private final MapWorld world = new MapWorld(OPTIONS, 16 << 20);
    private final RemoteHashMap<String, String> map = world.open();
    private final RemoteHashMap<String, String> other = world.open();

    @AfterEach
    void close() {
        world.close();
    }

    private void pass(Duration time) {
        world.node.schedule.step(time.toNanos());
    }

    private static Map<String, String> entries(int count) {
        return IntStream.range(0, count).boxed().collect(Collectors.toMap(i -> "key " + i, i -> "value " + i));
    }

    @Test
    void anEntryIsThereUntilItsInstantAndThenAbsentForEveryOperation() {
        List<RemoteHashMap<String, String>> handles = List.of(map, other, RemoteHashMap.on(world.client(), "world", Codec.UTF_8,
                Codec.UTF_8, OPTIONS.withLocationCacheEntries(0)));
        for (RemoteHashMap<String, String> handle : handles) {
            assertThat(map.put("key", "value", LIFE)).isNull();
            pass(LIFE.minusMillis(1));
            assertThat(handle.get("key")).isEqualTo("value");
            assertThat(handle.containsKey("key")).isTrue();
            assertThat(handle.getAll(List.of("key"))).hasSize(1);
            assertThat(handle.keySet()).hasSize(1).containsExactly("key");

            pass(Duration.ofMillis(1));

            assertThat(handle.get("key")).isNull();
            assertThat(handle.containsKey("key")).isFalse();
            assertThat(handle.getAll(List.of("key"))).isEmpty();
            assertThat(handle.keySet().iterator().hasNext()).isFalse();
            assertThat(handle.containsValue("value")).isFalse();
            assertThat(handle.replace("key", "new")).isNull();
            assertThat(handle.replace("key", "value", "new")).isFalse();
            assertThat(handle.remove("key")).isNull();
            assertThat(handle.remove("key", "value")).isFalse();
            assertThat(handle.delete("key")).isFalse();
            assertThat(handle.computeIfPresent("key", (key, value) -> "new")).isNull();
            assertThat(handle.removeAll(List.of("key"))).isZero();
            assertThat(handle.mappingCount()).as("until somebody removes it").isEqualTo(1);
        }
    }

    @Test
    void aNewEntryTakesThePlaceOfOneThatHasExpired() {
        List<Runnable> writes = List.of(() -> assertThat(other.put("key", "new")).isNull(),
                () -> assertThat(other.putIfAbsent("key", "new")).isNull(),
                () -> assertThat(other.computeIfAbsent("key", key -> "new")).isEqualTo("new"),
                () -> assertThat(other.compute("key", (key, value) -> value == null ? "new" : "old")).isEqualTo("new"),
                () -> assertThat(other.merge("key", "new", String::concat)).isEqualTo("new"), () -> other.set("key", "new"),
                () -> other.putAll(Map.of("key", "new")));
        for (Runnable write : writes) {
            map.put("key", "value", LIFE);
            pass(LIFE);
            write.run();
            assertThat(map.get("key")).isEqualTo("new");
            pass(LIFE.multipliedBy(100));
            assertThat(map.get("key")).as("written without a time to live").isEqualTo("new");
            assertThat(world.slots()).hasSize(1);
            assertThat(map.mappingCount()).isEqualTo(1);
            assertThat(world.node.allocatedBytes()).isEqualTo(world.bytesOf(1));
        }
    }

    @Test
    void theOptionsTimeToLiveHoldsForAllThatIsWrittenWithoutOne() {
        RemoteHashMap<String, String> living = RemoteHashMap.on(world.client(), "world", Codec.UTF_8, Codec.UTF_8,
                OPTIONS.withTimeToLive(LIFE));
        living.put("put", "1");
        living.set("set", "1");
        living.putIfAbsent("putIfAbsent", "1");
        living.putAll(Map.of("putAll", "1"));
        living.compute("compute", (key, value) -> "1");
        living.merge("merge", "1", String::concat);
        living.put("for ever", "1", Duration.ZERO);
        living.put("long", "1", LIFE.multipliedBy(2));
        living.putAll(Map.of("all long", "1"), LIFE.multipliedBy(2));
        living.async().set("async long", "1", LIFE.multipliedBy(2)).join();
        map.put("other handle", "1");
        assertThat(map).hasSize(11);
        pass(LIFE.dividedBy(2));
        living.merge("merge", "2", String::concat);

        pass(LIFE.dividedBy(2));

        assertThat(map.keySet()).containsExactlyInAnyOrder("merge", "for ever", "long", "all long", "async long", "other handle");
        pass(LIFE.dividedBy(2));
        assertThat(map.keySet()).containsExactlyInAnyOrder("for ever", "long", "all long", "async long", "other handle");
        pass(LIFE);
        assertThat(map.keySet()).containsExactlyInAnyOrder("for ever", "other handle");
    }

    @Test
    void timesToLiveThatAreImpossibleAreRefused() {
        for (Duration life : List.of(Duration.ofNanos(1), Duration.ofSeconds(-1), MapOptions.TIME_TO_LIVE_MAX.plusNanos(1))) {
            assertThatThrownBy(() -> map.put("key", "value", life)).isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining(life.toString()).hasMessageContaining("for ever");
            assertThatThrownBy(() -> OPTIONS.withTimeToLive(life)).isInstanceOf(IllegalArgumentException.class);
        }
        map.put("key", "value", MapOptions.TIME_TO_LIVE_MAX);
        assertThat(map.get("key")).isEqualTo("value");
    }

    @Test
    void aHandleDoesNotSeeAnEntryComeBackWhenItsIdeaOfTheClockGoesBack() {
        SimulatedMemory memory = world.client();
        RemoteHashMap<String, String> ahead = world.open(memory);
        memory.skew(Duration.ofMillis(5).toNanos());
        map.put("key", "value", LIFE);
        pass(LIFE.minusMillis(4));
        assertThat(ahead.get("key")).as("its clock is ahead").isNull();
        assertThat(other.get("key")).as("within the uncertainty clients may disagree").isEqualTo("value");
        memory.skew(0);
        assertThat(ahead.get("key")).isNull();
        pass(Duration.ofMillis(4));
        assertThat(other.get("key")).isNull();
    }

    @Test
    void entriesKeepTheirInstantsThroughSplitsAndMerges() {
        long begin = world.node.schedule.nanos();
        map.putAll(entries(40), LIFE);
        long end = world.node.schedule.nanos();
        map.putAll(IntStream.range(0, 400).boxed().collect(Collectors.toMap(i -> "more " + i, i -> "")));
        IntStream.range(0, 400).forEach(i -> map.remove("more " + i));
        assertThat(world.node.headers(HeaderWord.JOINED)).as("merges").isGreaterThan(100);
        pass(LIFE.minusNanos(world.node.schedule.nanos() - begin).minusMillis(2));
        assertThat(other).isEqualTo(entries(40));
        pass(LIFE.minusNanos(world.node.schedule.nanos() - end));
        assertThat(other.keySet().iterator().hasNext()).isFalse();
    }

    /// A handle that takes part, and its janitor, whose rounds the test makes.
    private Janitor janitor(SimulatedMemory memory) {
        MapContext<String, String> context = MapContext.open("world", memory, CLEANING, Codec.UTF_8, Codec.UTF_8);
        return new Janitor(context, new Resizer(context));
    }

    @Test
    void theJanitorRemovesWhatHasExpiredAndNothingElse() {
        map.putAll(entries(600));
        IntStream.range(0, 600).filter(i -> i % 3 == 0).forEach(i -> map.put("key " + i, "short", LIFE));
        IntStream.range(0, 600).filter(i -> i % 3 == 1).forEach(i -> map.put("key " + i, "long", LIFE.multipliedBy(2)));
        Janitor janitor = janitor(world.client());
        assertThat(janitor.round()).isZero();
        pass(LIFE);

        assertThat(janitor.round()).isEqualTo(200);

        assertThat(map.mappingCount()).isEqualTo(400);
        assertThat(other.keySet()).hasSize(400);
        assertThat(world.node.allocatedBytes()).isEqualTo(world.bytesOf(400));
        pass(LIFE);
        assertThat(janitor.round()).isEqualTo(200);
        assertThat(janitor.round()).as("not due").isEqualTo(Janitor.NOT_NOW);
        assertThat(map.mappingCount()).isEqualTo(200);
        assertThat(other.keySet()).hasSize(200).allMatch(key -> Integer.parseInt(key.substring(4)) % 3 == 2);
    }

    @Test
    void theWorkOfARoundIsBoundedAndTheNextGoesOnWhereItEnded() {
        MapOptions options = MapOptions.defaults().withJanitorPause(Duration.ZERO);
        try (MapWorld large = new MapWorld(options, 64 << 20)) {
            int count = 20_000;
            large.open().putAll(entries(count), LIFE);
            assertThat(large.subtables()).hasSizeGreaterThan(10);
            large.node.schedule.step(LIFE.toNanos());
            SimulatedMemory memory = large.client();
            int[] reads = new int[1];
            memory.hook((at, verb, address) -> reads[0] += verb.equals("READ") ? 1 : 0);
            MapContext<String, String> context = MapContext.open("world", memory, options.withJanitorPause(PAUSE), Codec.UTF_8,
                    Codec.UTF_8);
            Janitor janitor = new Janitor(context, new Resizer(context));
            long removed = 0;
            int rounds = 0;
            for (; removed < count; rounds++) {
                reads[0] = 0;
                long now = janitor.round();
                assertThat(now).as("round %d", rounds).isBetween(0L, (long) Janitor.SLOTS_PER_ROUND);
                assertThat(reads[0]).as("READs of round %d", rounds).isLessThan(Janitor.SLOTS_PER_ROUND * 2);
                assertThat(rounds).as("rounds for %d of %d", removed, count).isLessThan(50);
                removed += now;
                large.node.schedule.step(PAUSE.toNanos());
            }
            assertThat(rounds).isGreaterThan(2);
            assertThat(large.open().mappingCount()).isZero();
        }
    }

    @Test
    void oneClientAtATimeHasTheRole() {
        map.putAll(entries(100), LIFE);
        pass(LIFE);
        SimulatedMemory memory = world.client();
        Janitor holder = janitor(memory);
        Janitor rival = janitor(world.client());
        List<Long> rounds = new ArrayList<>();
        boolean[] hasRole = new boolean[1];
        memory.hook((at, verb, address) -> {
            if (hasRole[0]) {
                pass(PAUSE.multipliedBy(2));
                rounds.add(rival.round());
            }
            hasRole[0] |= verb.equals("exclusive");
        });

        assertThat(holder.round()).isEqualTo(100);

        assertThat(rounds).hasSizeGreaterThan(100).containsOnly(Janitor.NOT_NOW);
        pass(PAUSE.multipliedBy(2));
        assertThat(rival.round()).as("when the role is free again").isZero();
        assertThat(map.mappingCount()).isZero();
    }

    @Test
    void anotherTakesOverFromAJanitorThatDiesAtAnyStep() {
        int step = 1;
        for (boolean died = true; died; step++) {
            try (MapWorld fresh = new MapWorld(OPTIONS, 1 << 20)) {
                RemoteHashMap<String, String> filled = fresh.open();
                filled.putAll(entries(20), LIFE);
                filled.put("stays", "value");
                fresh.node.schedule.step(LIFE.toNanos());
                SimulatedMemory dying = fresh.client();
                died = dies(fresh, dying, step);
                Janitor heir = new Janitor(context(fresh), new Resizer(context(fresh)));
                if (died) {
                    fresh.node.expire(dying);
                }
                for (int round = 0; round < 3; round++) {
                    fresh.node.schedule.step(PAUSE.toNanos());
                    assertThat(heir.round()).as("death at step %d", step).isNotEqualTo(Janitor.NOT_NOW);
                }
                assertThat(fresh.slots()).as("death at step %d", step).hasSize(1);
                assertThat(fresh.open().get("stays")).isEqualTo("value");
            }
        }
        assertThat(step).isGreaterThan(40);
    }

    private static MapContext<String, String> context(MapWorld world) {
        return MapContext.open("world", world.client(), CLEANING, Codec.UTF_8, Codec.UTF_8);
    }

    private static boolean dies(MapWorld world, SimulatedMemory dying, int step) {
        MapContext<String, String> context = MapContext.open("world", dying, CLEANING, Codec.UTF_8, Codec.UTF_8);
        Janitor janitor = new Janitor(context, new Resizer(context));
        int[] left = {step};
        dying.hook((at, verb, address) -> {
            if (--left[0] == 0) {
                throw new Schedule.Killed();
            }
        });
        try {
            janitor.round();
            return false;
        } catch (Schedule.Killed e) {
            return true;
        }
    }

    /// A janitor that is slow, and finds that somebody has written in the meantime, or that its leases are gone.
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void aJanitorNeverRemovesWhatSomebodyHasWrittenMeanwhile(boolean losesItsLeases) {
        for (int step = 1; step < 60; step++) {
            try (MapWorld fresh = new MapWorld(OPTIONS, 1 << 20)) {
                RemoteHashMap<String, String> writer = fresh.open();
                writer.putAll(entries(10), LIFE);
                fresh.node.schedule.step(LIFE.toNanos());
                SimulatedMemory slow = fresh.client();
                MapContext<String, String> context = MapContext.open("world", slow, CLEANING, Codec.UTF_8, Codec.UTF_8);
                int[] left = {step};
                slow.hook((at, verb, address) -> {
                    if (--left[0] == 0) {
                        IntStream.range(0, 10).forEach(i -> assertThat(writer.putIfAbsent("key " + i, "new")).isNull());
                        if (losesItsLeases) {
                            fresh.node.expire(slow);
                        }
                    }
                });

                new Janitor(context, new Resizer(context)).round();

                if (left[0] <= 0) {
                    assertThat(fresh.open()).as("written at step %d", step).hasSize(10).allSatisfy(
                            (key, value) -> assertThat(value).isEqualTo("new"));
                    assertThat(writer.mappingCount()).as("written at step %d", step).isEqualTo(10);
                }
            }
        }
    }
}
