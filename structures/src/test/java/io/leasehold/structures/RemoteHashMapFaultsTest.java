package io.leasehold.structures;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.leasehold.lease.HeapKind;
import io.leasehold.lease.LeaseConflictException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Predicate;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/// The faults P1 to P13 of RACE hashing as published and as implemented elsewhere (docs/DESIGN.md has the list), one test or more
/// each. Each fails on the behaviour that it is named after.
class RemoteHashMapFaultsTest {
    private static final Predicate<String> CAS = "CAS"::equals;
    /// What the splitter does first when the children are complete.
    private static final Predicate<String> FORWARD = "exclusive WRITE"::equals;
    private static final int ENTRIES = 20;

    private final MapWorld world = new MapWorld();
    private final SimulatedMemory slowMemory = world.client();
    private final RemoteHashMap<String, String> slow = world.open(slowMemory);
    private final RemoteHashMap<String, String> other = world.open();
    private final RemoteHashMap<String, String> third = world.open();

    @AfterEach
    void close() {
        world.close();
    }

    static Stream<Arguments> stops() {
        // Different keys put the two claims into different orders.
        return Stream.of(MapWorld.Stop.values())
                .flatMap(stop -> IntStream.range(0, 8).mapToObj(i -> Arguments.of(stop, "key " + i)));
    }

    @ParameterizedTest
    @MethodSource("stops")
    void p1TwoInsertionsOfOneKeyLeaveOneSlot(MapWorld.Stop stop, String key) {
        MapWorld.at(stop, slowMemory, () -> other.put(key, "other"));

        assertThat(slow.put(key, "slow")).isIn(null, "other");

        assertThat(world.slots()).hasSize(1).allMatch(SlotWord::isCommitted);
        assertThat(third.mappingCount()).isEqualTo(1);
        assertThat(third.get(key)).isEqualTo("slow");
    }

    @ParameterizedTest
    @MethodSource("stops")
    void p2AnUndecidedInsertionIsNeverSeen(MapWorld.Stop stop, String key) {
        List<String> seen = new ArrayList<>();
        MapWorld.at(stop, slowMemory, () -> {
            seen.add(third.get(key));
            other.put(key, "other");
            seen.add(third.get(key));
            third.remove(key);
            seen.add(third.get(key));
            seen.add(other.get(key));
        });

        slow.put(key, "slow");

        assertThat(seen).containsExactly(null, "other", null, null);
        assertThat(third.get(key)).isEqualTo("slow");
        assertThat(world.slots()).hasSize(1);
    }

    @ParameterizedTest
    @MethodSource("stops")
    void p3NoUpdateIsLostToADuplicate(MapWorld.Stop stop, String key) {
        List<String> answers = new ArrayList<>();
        MapWorld.at(stop, slowMemory, () -> {
            answers.add(other.put(key, "1"));
            answers.add(third.put(key, "2"));
        });

        answers.add(slow.put(key, "3"));

        assertThat(answers).containsExactly(null, "1", "2");
        assertThat(third.get(key)).isEqualTo("3");
    }

    @Test
    void p4AnInsertionIntoASubtableThatIsBeingSplitIsNotLost() {
        fill(other, ENTRIES);
        MapWorld.before(slowMemory, CAS, this::splitTheOnlySubtable);

        slow.put("late", "value");

        assertThat(world.open().get("late")).isEqualTo("value");
        assertThat(world.open().putIfAbsent("late", "again")).isEqualTo("value");
    }

    @Test
    void p5AnUpdateOfASubtableThatIsBeingSplitIsNotStranded() {
        fill(other, ENTRIES);
        MapWorld.before(slowMemory, CAS, this::splitTheOnlySubtable);

        assertThat(slow.put("key 3", "new")).isEqualTo("value 3");

        assertThat(world.open().get("key 3")).isEqualTo("new");
        assertThat(world.open().remove("key 3")).isEqualTo("new");
        assertThat(world.open().get("key 3")).isNull();
    }

    @Test
    void p4AnInsertionBetweenCopyAndForwardWaits() {
        fill(other, ENTRIES);
        RemoteHashMap<String, String> hasty = hasty();
        List<String> seen = new ArrayList<>();
        MapWorld.before(slowMemory, FORWARD, () -> {
            assertThatThrownBy(() -> hasty.put("late", "value")).isInstanceOf(LeaseConflictException.class);
            seen.add(third.get("late"));
        });

        splitTheOnlySubtable(slowMemory);

        assertThat(seen).containsOnlyNulls().hasSize(1);
        assertThat(hasty.put("late", "value")).isNull();
        assertThat(third.get("late")).isEqualTo("value");
    }

    @Test
    void p5AnUpdateBetweenCopyAndForwardWaits() {
        fill(other, ENTRIES);
        RemoteHashMap<String, String> hasty = hasty();
        List<String> seen = new ArrayList<>();
        MapWorld.before(slowMemory, FORWARD, () -> {
            assertThatThrownBy(() -> hasty.put("key 3", "new")).isInstanceOf(LeaseConflictException.class);
            seen.add(third.get("key 3"));
        });

        splitTheOnlySubtable(slowMemory);

        assertThat(seen).containsExactly("value 3");
        assertThat(hasty.put("key 3", "new")).isEqualTo("value 3");
        assertThat(third.get("key 3")).isEqualTo("new");
    }

    @Test
    void p5NoReaderIsBehindAWriterAtAnyStepOfASplit() {
        fill(other, ENTRIES);
        List<RemoteHashMap<String, String>> readers = Stream.generate(world::open).limit(400).toList();
        readers.forEach(reader -> reader.get("key 0"));
        String[] present = IntStream.range(0, ENTRIES).mapToObj(i -> "value " + i).toArray(String[]::new);
        int[] steps = new int[2];
        MapWorld.always(slowMemory, () -> {
            int number = steps[0] % ENTRIES;
            // A writer without a past, and a reader that knows only the directory of before.
            try {
                hasty().put("key " + number, "written " + steps[0]);
                present[number] = "written " + steps[0];
                steps[1]++;
            } catch (LeaseConflictException e) {
                // The split holds it up.
            }
            assertThat(readers.get(steps[0]).get("key " + number)).as("step " + steps[0]).isEqualTo(present[number]);
            steps[0]++;
        });

        splitTheOnlySubtable(slowMemory);

        assertThat(steps[0]).as("steps").isGreaterThan(80);
        assertThat(steps[1]).as("of them those at which a writer got through").isBetween(20, steps[0] - 20);
    }

    /// A client that gives up soon.
    private RemoteHashMap<String, String> hasty() {
        return RemoteHashMap.on(world.client(), "hasty", Codec.UTF_8, Codec.UTF_8,
                MapWorld.OPTIONS.withTimeout(Duration.ofMillis(1)));
    }

    @Test
    void p6NoEntryFlickersWhileItsSubtableIsSplit() {
        fill(other, ENTRIES);
        int[] looks = new int[1];
        MapWorld.always(slowMemory, () -> {
            int number = looks[0]++ % ENTRIES;
            assertThat(third.get("key " + number)).isEqualTo("value " + number);
            assertThat(third.get("absent " + number)).isNull();
        });

        fill(slow, 200);

        assertThat(looks[0]).isGreaterThan(1000);
        assertThat(world.subtables()).hasSizeGreaterThan(4);
    }

    @Test
    void p7ASplitterThatDiesAtAnyStepHoldsUpNobody() {
        for (int step = 1, deaths = step; deaths == step; step++) {
            try (MapWorld fresh = new MapWorld(MapWorld.OPTIONS, 1 << 18)) {
                SimulatedMemory dying = fresh.client();
                deaths = splitUntilDeath(fresh, dying, step) ? step + 1 : 0;
                fresh.node.expire(dying);

                RemoteHashMap<String, String> heir = fresh.open();
                String when = "death at step " + step;
                for (int i = 0; i < ENTRIES; i++) {
                    assertThat(heir.get("key " + i)).as(when).isEqualTo("value " + i);
                    assertThat(heir.put("key " + i, "new " + i)).as(when).isEqualTo("value " + i);
                }
                for (int i = 0; i < ENTRIES; i++) {
                    assertThat(heir.get("key " + i)).as(when).isEqualTo("new " + i);
                }
                fill(heir, 60);
                RemoteHashMap<String, String> reader = fresh.open();
                IntStream.range(0, 60).forEach(i -> assertThat(reader.get("key " + i)).as(when).isEqualTo("value " + i));
                assertThat(reader.keySet()).as(when).hasSize(60);
            }
        }
    }

    /// Lets `dying` split the only subtable, and die at its `step`th step.
    ///
    /// @return false if the split took fewer steps
    private static boolean splitUntilDeath(MapWorld world, SimulatedMemory dying, int step) {
        fill(world.open(), ENTRIES);
        RemoteHashMap<String, String> map = world.open(dying);
        MapContext<String, String> context = MapContext.open("dying", dying, MapWorld.OPTIONS, Codec.UTF_8, Codec.UTF_8);
        assertThat(map.get("key 1")).isEqualTo("value 1");
        int[] left = {step};
        dying.hook((at, verb, address) -> {
            if (--left[0] == 0) {
                throw new Schedule.Killed();
            }
        });
        try {
            new Resizer(context).split(0, world.subtables().getFirst(), context.deadline("split"));
            return false;
        } catch (Schedule.Killed e) {
            return true;
        }
    }

    @Test
    void p8AStaleSwapFailsWhenTheBlockIsBackInTheSlot() {
        RemoteHashMap<String, String> reuser = world.open(new WatchedMemory(world.client(), true));
        reuser.put("key", "1");
        MapWorld.before(slowMemory, CAS, () -> {
            reuser.put("key", "2");
            reuser.put("key", "3");
        });

        assertThat(slow.replace("key", "1", "9")).isFalse();

        assertThat(third.get("key")).isEqualTo("3");
    }

    @Test
    void p8AStaleSwapFailsWhenTheEntryWasRemovedAndIsBack() {
        RemoteHashMap<String, String> reuser = world.open(new WatchedMemory(world.client(), true));
        reuser.put("key", "1");
        long before = world.slots().getFirst();
        MapWorld.before(slowMemory, CAS, () -> {
            reuser.remove("key");
            reuser.put("key", "3");
            assertThat(SlotWord.block(world.slots().getFirst())).as("the block is the same").isEqualTo(SlotWord.block(before));
        });

        assertThat(slow.remove("key", "1")).isFalse();

        assertThat(third.get("key")).isEqualTo("3");
    }

    @ParameterizedTest
    @MethodSource("stops")
    void p9EachBlockIsFreedOnce(MapWorld.Stop stop, String key) {
        MapWorld.at(stop, slowMemory, () -> {
            other.put(key, "1");
            third.put(key, "2");
        });

        slow.put(key, "3");
        third.put(key, "4");

        assertThat(world.node.allocatedBytes()).isEqualTo(world.bytesOf(1));
        third.remove(key);
        assertThat(world.node.allocatedBytes()).isEqualTo(world.bytesOf(0));
    }

    @Test
    void p10AKeyIsNotItsPrefix() {
        MapRoot root = world.root();
        String prefix = "key";
        int fingerprint = HashBits.fingerprint(hash(root, prefix));
        List<String> longer = IntStream.range(0, 20_000).mapToObj(i -> prefix + i)
                .filter(key -> HashBits.fingerprint(hash(root, key)) == fingerprint).toList();
        assertThat(longer).hasSizeGreaterThan(20);

        other.put(prefix, "prefix");
        for (String key : longer) {
            assertThat(third.get(key)).isNull();
            assertThat(other.put(key, key)).isNull();
        }
        other.remove(prefix);

        assertThat(third.get(prefix)).isNull();
        longer.forEach(key -> assertThat(third.get(key)).isEqualTo(key));
    }

    private static long hash(MapRoot root, String key) {
        return com.google.common.hash.Hashing.murmur3_128(root.seed())
                .hashString(key, java.nio.charset.StandardCharsets.UTF_8).asLong();
    }

    @Test
    void p11WordsThatAreSwappedAreNeverWritten() {
        Set<Long> swapped = new HashSet<>();
        Set<Long> written = new HashSet<>();
        slowMemory.hook((at, verb, address) -> {
            if (verb.equals("CAS") || verb.equals("FAA")) {
                swapped.add(address);
            } else if (verb.equals("exclusive WRITE")) {
                written.add(address);
            }
        });

        fill(slow, 400);
        slow.clear();

        assertThat(swapped).hasSizeGreaterThan(400);
        assertThat(written).hasSizeGreaterThan(50).doesNotContainAnyElementsOf(swapped);
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 254 * 64 - 44, 254 * 64 - 43, (16 << 10) - 1, 16 << 10, (16 << 10) + 1, 100_000, 1 << 20})
    void p12ValuesOfAllLengthsFit(int length) {
        String value = "v".repeat(length);
        other.put("key", "before");

        assertThat(other.put("key", value)).isEqualTo("before");
        assertThat(third.get("key")).isEqualTo(value);
        assertThat(third.get("key")).isEqualTo(value);
        assertThat(other.replace("key", value, "after")).isTrue();
        assertThat(third.put("key", value)).isEqualTo("after");
        assertThat(third.entrySet()).hasSize(1).allMatch(entry -> entry.getValue().equals(value));
        fill(other, 100);
        assertThat(third.remove("key")).isEqualTo(value);
        assertThat(third.get("key")).isNull();
    }

    @Test
    void p13ADirectoryThatIsOutOfDateIsReadAgainInPart() {
        WatchedMemory memory = new WatchedMemory(world.client());
        RemoteHashMap<String, String> old = world.open(memory);
        old.get("key 1");
        fill(other, 2000);
        MapRoot root = world.root();
        assertThat(world.subtables()).hasSizeGreaterThan(64);
        memory.reset();

        IntStream.range(0, 2000).forEach(i -> assertThat(old.get("key " + i)).isEqualTo("value " + i));

        List<WatchedMemory.Read> ofDirectory = memory.reads().stream()
                .filter(read -> read.kind() == HeapKind.INDEX && read.address() >= root.entryAddress(0)
                        && read.address() < root.entryAddress(1L << root.maxDepth()))
                .toList();
        assertThat(ofDirectory).isNotEmpty().allMatch(read -> read.lengthBytes() <= Directory.RANGE * Long.BYTES);
        assertThat(ofDirectory.size()).isLessThan(2 * world.subtables().size());
    }

    private static void fill(RemoteHashMap<String, String> map, int entries) {
        for (int i = 0; i < entries; i++) {
            map.put("key " + i, "value " + i);
        }
    }

    private void splitTheOnlySubtable() {
        splitTheOnlySubtable(world.client());
    }

    private void splitTheOnlySubtable(SimulatedMemory memory) {
        MapContext<String, String> context = MapContext.open("splitter", memory, MapWorld.OPTIONS, Codec.UTF_8, Codec.UTF_8);
        new Resizer(context).split(0, world.subtables().getFirst(), context.deadline("split"));
        assertThat(world.subtables()).hasSize(2);
    }
}
