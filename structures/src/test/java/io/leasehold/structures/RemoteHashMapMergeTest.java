package io.leasehold.structures;

import static org.assertj.core.api.Assertions.assertThat;

import io.leasehold.lease.LeaseConflictException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.LongSupplier;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Merges of sparse siblings: when they come, and that nobody notices, whoever stops or loses a right at whichever step.
class RemoteHashMapMergeTest {
    private static final int ENTRIES = 10;

    private final MapWorld world = new MapWorld();
    private final SimulatedMemory mergerMemory = world.client();
    private final RemoteHashMap<String, String> third = world.open();

    @AfterEach
    void close() {
        world.close();
    }

    /// Leaves `ENTRIES` entries in two siblings of depth 1.
    private static void makeSiblings(MapWorld world) {
        RemoteHashMap<String, String> map = world.open();
        IntStream.range(0, ENTRIES).forEach(i -> map.put("key " + i, "value " + i));
        world.resizing(world.client()).split(0, world.subtables().getFirst());
        assertThat(world.subtables()).hasSize(2);
    }

    @Test
    void aMapThatIsEmptiedGivesItsSubtablesBack() {
        RemoteHashMap<String, String> map = world.open();
        Map<String, String> entries = IntStream.range(0, 4000).boxed().collect(Collectors.toMap(i -> "key " + i, i -> "value"));
        map.putAll(entries);
        int before = world.subtables().size();

        entries.keySet().forEach(map::remove);

        assertThat(before).isGreaterThan(90);
        assertThat(world.subtables()).as("of %d", before).hasSizeLessThan(before / 4);
        assertThat(world.node.allocatedBytes()).as("what the subtables take, and nothing else").isEqualTo(world.bytesOf(0));
        map.putAll(entries);
        assertThat(world.open()).isEqualTo(entries);
    }

    @Test
    void splitsAndMergesDoNotFlutter() {
        try (MapWorld standard = new MapWorld(MapOptions.defaults().withMaxDepth(4), 64 << 20)) {
            RemoteHashMap<String, String> map = standard.open();
            int entries = 0;
            while (standard.subtables().size() == 1) {
                map.put("key " + entries++, "value");
            }
            int quarter = entries / 4;
            for (int round = 0; round < 8; round++) {
                IntStream.range(0, quarter).forEach(i -> map.remove("key " + i));
                IntStream.range(0, quarter).forEach(i -> map.put("key " + i, "value"));
            }
            assertThat(standard.node.headers(HeaderWord.JOINED)).as("merges after a split").isZero();
            IntStream.range(0, entries).forEach(i -> map.remove("key " + i));
            assertThat(standard.subtables()).as("subtables of an empty map").hasSize(1);
            int moved = standard.node.headers(HeaderWord.MOVED);
            for (int round = 0; round < 8; round++) {
                IntStream.range(0, quarter).forEach(i -> map.put("key " + i, "value"));
                IntStream.range(0, quarter).forEach(i -> map.remove("key " + i));
            }
            assertThat(standard.node.headers(HeaderWord.MOVED)).as("splits after a merge").isLessThanOrEqualTo(moved);
            assertThat(standard.subtables()).hasSize(1);
        }
    }

    @Test
    void anInsertionIntoASubtableThatIsBeingMergedIsNotLost() {
        makeSiblings(world);
        for (String key : List.of("late", "later", "last", "key 3", "key 4")) {
            SimulatedMemory slowMemory = world.client();
            RemoteHashMap<String, String> slow = world.open(slowMemory);
            slow.get("other");
            MapWorld.before(slowMemory, "CAS"::equals, () -> world.resizing(world.client()).mergeAround(0));

            slow.put(key, "value");

            assertThat(world.subtables()).hasSize(1);
            assertThat(world.open().get(key)).isEqualTo("value");
            assertThat(world.open().putIfAbsent(key, "again")).isEqualTo("value");
            world.resizing(world.client()).split(0, world.subtables().getFirst());
        }
    }

    @Test
    void noReaderIsBehindAWriterAtAnyStepOfAMerge() {
        makeSiblings(world);
        List<RemoteHashMap<String, String>> readers = java.util.stream.Stream.generate(world::open).limit(400).toList();
        readers.forEach(reader -> IntStream.range(0, ENTRIES).forEach(i -> reader.get("key " + i)));
        Map<String, String> present = new HashMap<>();
        IntStream.range(0, ENTRIES).forEach(i -> present.put("key " + i, "value " + i));
        int[] steps = new int[2];
        MapWorld.Resizing merger = world.resizing(mergerMemory);
        MapWorld.always(mergerMemory, () -> {
            String key = "key " + steps[0] % ENTRIES;
            if (tryPut(world, key, "written " + steps[0])) {
                present.put(key, "written " + steps[0]);
                steps[1]++;
            }
            assertThat(readers.get(steps[0]).get(key)).as("step " + steps[0]).isEqualTo(present.get(key));
            steps[0]++;
        });

        merger.mergeAround(0);

        assertThat(world.subtables()).hasSize(1);
        assertThat(steps[0]).as("steps").isGreaterThan(90);
        assertThat(steps[1]).as("of them those at which a writer got through").isBetween(5, steps[0] - 20);
        assertThat(world.open()).isEqualTo(present);
    }

    /// Puts an entry, but not patiently.
    private static boolean tryPut(MapWorld world, String key, String value) {
        RemoteHashMap<String, String> hasty = RemoteHashMap.on(world.client(), "hasty", Codec.UTF_8, Codec.UTF_8,
                MapWorld.OPTIONS.withTimeout(Duration.ofMillis(1)));
        try {
            hasty.put(key, value);
            return true;
        } catch (LeaseConflictException | StaleAccess e) {
            return false;
        }
    }

    @Test
    void noEntryFlickersWhileItsSubtableIsMerged() {
        RemoteHashMap<String, String> map = world.open(mergerMemory);
        IntStream.range(0, ENTRIES).forEach(i -> map.put("key " + i, "value " + i));
        IntStream.range(0, 400).forEach(i -> map.put("more " + i, ""));
        int before = world.subtables().size();
        int[] looks = new int[1];
        MapWorld.always(mergerMemory, () -> {
            int number = looks[0]++ % ENTRIES;
            assertThat(third.get("key " + number)).isEqualTo("value " + number);
            assertThat(third.get("absent " + number)).isNull();
        });

        IntStream.range(0, 400).forEach(i -> map.remove("more " + i));

        assertThat(world.subtables()).hasSizeLessThan(before / 2);
        assertThat(looks[0]).isGreaterThan(1000);
    }

    @Test
    void aMergerThatDiesAtAnyStepHoldsUpNobody() {
        int step = 1;
        for (boolean died = true; died; step++) {
            try (MapWorld fresh = new MapWorld(MapWorld.OPTIONS, 1 << 18)) {
                makeSiblings(fresh);
                SimulatedMemory dying = fresh.client();
                died = dies(fresh, dying, step);
                fresh.node.expire(dying);
                RemoteHashMap<String, String> heir = fresh.open();
                String when = "death at step " + step;
                for (int i = 0; i < ENTRIES; i++) {
                    assertThat(heir.get("key " + i)).as(when).isEqualTo("value " + i);
                    assertThat(heir.put("key " + i, "new " + i)).as(when).isEqualTo("value " + i);
                }
                IntStream.range(0, 60).forEach(i -> heir.put("key " + i, "value " + i));
                RemoteHashMap<String, String> reader = fresh.open();
                IntStream.range(0, 60).forEach(i -> assertThat(reader.get("key " + i)).as(when).isEqualTo("value " + i));
                assertThat(reader.keySet()).as(when).hasSize(60);
                IntStream.range(0, 60).forEach(i -> assertThat(heir.remove("key " + i)).as(when).isEqualTo("value " + i));
                fresh.resizing(fresh.client()).mergeAround(0);
                fresh.resizing(fresh.client()).mergeAround(0);
                assertThat(fresh.subtables()).as("%s: the directory leads to one subtable again", when).hasSize(1);
            }
        }
        assertThat(step).as("steps of a merge").isGreaterThan(80);
    }

    private static boolean dies(MapWorld world, SimulatedMemory dying, int step) {
        MapWorld.Resizing merger = world.resizing(dying);
        int[] left = {step};
        dying.hook((at, verb, address) -> {
            if (--left[0] == 0) {
                throw new Schedule.Killed();
            }
        });
        try {
            merger.mergeAround(0);
            return false;
        } catch (Schedule.Killed e) {
            return true;
        }
    }

    /// The rights to the two subtables are leases of their own, and end one by one: whoever takes over what is free meanwhile,
    /// nothing is lost, and the map can go on as before.
    @ParameterizedTest
    @ValueSource(ints = {0, 1})
    void aMergerThatLosesOneOfItsRightsAtAnyStepDoesNoHarm(int lost) {
        for (int step = 1, reached = 1; reached > 0; step++) {
            reached = 0;
            try (MapWorld fresh = new MapWorld(MapWorld.OPTIONS, 1 << 19)) {
                makeSiblings(fresh);
                long right = fresh.subtables().get(lost);
                Map<String, String> present = new HashMap<>();
                IntStream.range(0, ENTRIES).forEach(i -> present.put("key " + i, "value " + i));
                SimulatedMemory zombie = fresh.client();
                MapWorld.Resizing merger = fresh.resizing(zombie);
                int[] left = {step};
                zombie.hook((at, verb, address) -> {
                    if (--left[0] == 0 && fresh.node.endExclusive(right)) {
                        for (int i = 0; i < 40; i++) {
                            String key = "key " + i;
                            if (tryPut(fresh, key, "new " + i)) {
                                present.put(key, "new " + i);
                            }
                        }
                    }
                });

                merger.mergeAround(0);
                reached = left[0] <= 0 ? 1 : 0;

                String when = "right " + lost + " lost at step " + step;
                RemoteHashMap<String, String> reader = fresh.open();
                for (int i = 0; i < 40; i++) {
                    String value = present.get("key " + i);
                    // An insertion that gave up may have been carried out, as it says.
                    assertThat(reader.get("key " + i)).as(when).isIn(value, "new " + i);
                }
                Map<String, String> walked = new HashMap<>();
                reader.forEach((key, value) -> assertThat(walked.put(key, value)).as("%s: met twice: %s", when, key).isNull());
                assertThat(walked.keySet()).as(when).containsAll(present.keySet());
                walked.keySet().forEach(key -> assertThat(reader.remove(key)).as(when).isNotNull());
                fresh.resizing(fresh.client()).mergeAround(0);
                fresh.resizing(fresh.client()).mergeAround(0);
                assertThat(fresh.subtables()).as("%s: the directory leads to one subtable again", when).hasSize(1);
            }
        }
    }

    @Test
    void aSplitterThatComesToTheDirectoryTooLateChangesNothing() {
        RemoteHashMap<String, String> map = world.open();
        IntStream.range(0, ENTRIES).forEach(i -> map.put("key " + i, "value " + i));
        long old = world.subtables().getFirst();
        MapWorld.Resizing splitter = world.resizing(mergerMemory);
        boolean[] late = new boolean[1];
        mergerMemory.hook((at, verb, address) -> {
            if (!late[0] && verb.equals("exclusive") && address == world.root().depthAddress()) {
                late[0] = true;
                world.node.expire(mergerMemory);
                world.resizing(world.client()).finish(0, old);
                map.put("key 1", "new");
                world.node.lapseAll();
                world.resizing(world.client()).mergeAround(0);
                assertThat(world.subtables()).as("another subtable where the one that was split had been").containsExactly(old)
                        .allMatch(each -> HeaderWord.isLive(world.node.word(each)));
                map.put("key 2", "new");
            }
        });

        splitter.split(0, old);

        assertThat(late[0]).isTrue();
        assertThat(world.subtables()).as("what the directory leads to").allMatch(at -> HeaderWord.isLive(world.node.word(at)));
        RemoteHashMap<String, String> reader = world.open();
        assertThat(reader.get("key 1")).isEqualTo("new");
        assertThat(reader.get("key 2")).isEqualTo("new");
        assertThat(reader).hasSize(ENTRIES).isEqualTo(map);
    }

    @Test
    void aMergeThatFindsNoRoomForAnEntryLeavesBothAsTheyWere() {
        MapOptions options = MapWorld.OPTIONS.withGroupsPerSubtable(4);
        try (MapWorld fresh = new MapWorld(options, 1 << 20)) {
            MapWorld.Resizing resizing = fresh.resizing(fresh.client());
            SubtableShape shape = new SubtableShape(4);
            resizing.split(0, fresh.subtables().getFirst());
            // All in one pair of buckets, which has room for 28; 31 are sparse in 84 slots.
            Map<Long, List<String>> byBit = LongStream.range(0, 100_000).mapToObj(i -> "key " + i)
                    .filter(key -> shape.first(resizing.hash(key)) == 2 && shape.second(resizing.hash(key)) == 5)
                    .collect(Collectors.groupingBy(key -> resizing.hash(key) & 1));
            List<String> keys = new ArrayList<>(Objects.requireNonNull(byBit.get(0L)).subList(0, 15));
            keys.addAll(Objects.requireNonNull(byBit.get(1L)).subList(0, 16));
            RemoteHashMap<String, String> map = fresh.open();
            keys.forEach(key -> map.put(key, key));
            RemoteHashMap<String, String> other = fresh.open();
            keys.forEach(other::get);
            List<Long> before = fresh.subtables();

            resizing.mergeAround(0);

            assertThat(fresh.subtables()).hasSize(2).doesNotContainAnyElementsOf(before);
            keys.forEach(key -> assertThat(other.put(key, "new")).isEqualTo(key));
            assertThat(map).hasSize(31);
            keys.subList(10, 31).forEach(map::remove);
            resizing.mergeAround(0);
            assertThat(fresh.subtables()).hasSize(1);
            assertThat(other.keySet()).containsExactlyInAnyOrderElementsOf(keys.subList(0, 10));
            assertThat(fresh.node.allocatedBytes()).isEqualTo(fresh.bytesOf(10));
        }
    }

    @Test
    void returnsEachEntryThatIsPresentThroughoutOnceWhileSubtablesAreMergedAndSplit() {
        for (int from = 0; from < 30; from++) {
            try (MapWorld fresh = new MapWorld(MapWorld.OPTIONS, 1 << 20)) {
                RemoteHashMap<String, String> walked = fresh.open();
                Map<String, String> entries = IntStream.range(0, 30).boxed().collect(Collectors.toMap(i -> "key " + i, i -> ""));
                Map<String, String> more = IntStream.range(0, 300).boxed().collect(Collectors.toMap(i -> "more " + i, i -> ""));
                walked.putAll(entries);
                RemoteHashMap<String, String> other = fresh.open();
                other.putAll(more);
                LongSupplier joined = () -> fresh.node.headers(HeaderWord.JOINED);
                Map<String, String> met = new HashMap<>();
                int position = 0;
                for (Map.Entry<String, String> entry : walked.entrySet()) {
                    if (position++ == from) {
                        more.keySet().forEach(other::remove);
                        assertThat(joined.getAsLong()).as("merges").isGreaterThan(10);
                        if (from % 3 == 0) {
                            other.putAll(more);
                        }
                    } else if (from % 2 == 0 && position == from + 5) {
                        other.putAll(more);
                    }
                    assertThat(met.put(entry.getKey(), entry.getValue())).as("met twice: " + entry).isNull();
                }
                assertThat(met).as("merged after " + from + " entries").containsAllEntriesOf(entries);
            }
        }
    }
}
