package io.leasehold.structures;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.leasehold.lease.CapacityException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// What the suites of others do not cover: cost, batches, growth, iteration while the map changes, opening.
class RemoteHashMapTest {
    private final MapWorld world = new MapWorld();
    private final RemoteHashMap<String, String> map = world.open();

    @AfterEach
    void close() {
        world.close();
    }

    /// The table in the documentation of [RemoteHashMap].
    @Nested
    class RoundTrips {
        private final WatchedMemory memory = new WatchedMemory(world.client());
        private final RemoteHashMap<String, String> watched = world.open(memory);
        private final WatchedMemory uncachedMemory = new WatchedMemory(world.client());
        private final RemoteHashMap<String, String> uncached = RemoteHashMap.on(uncachedMemory, "uncached", Codec.UTF_8,
                Codec.UTF_8, MapWorld.OPTIONS.withLocationCacheEntries(0));

        private int cost(Runnable operation) {
            memory.reset();
            operation.run();
            return memory.roundTrips();
        }

        private int uncachedCost(Runnable operation) {
            uncachedMemory.reset();
            operation.run();
            return uncachedMemory.roundTrips();
        }

        @Test
        void ofOperationsOnAnEntryThatThisHandleHasNotUsed() {
            map.put("key", "value");
            uncached.get("other");

            assertThat(uncachedCost(() -> uncached.get("key"))).isEqualTo(2);
            assertThat(uncachedCost(() -> uncached.containsKey("key"))).isEqualTo(2);
            assertThat(uncachedCost(() -> uncached.put("key", "1"))).isEqualTo(3);
            assertThat(uncachedCost(() -> uncached.set("key", "1"))).isEqualTo(3);
            assertThat(uncachedCost(() -> uncached.replace("key", "2"))).isEqualTo(3);
            assertThat(uncachedCost(() -> uncached.replace("key", "2", "3"))).isEqualTo(3);
            assertThat(uncachedCost(() -> uncached.replace("key", "2", "3"))).isEqualTo(2);
            assertThat(uncachedCost(() -> uncached.merge("key", "4", String::concat))).isEqualTo(3);
            assertThat(uncachedCost(() -> uncached.putIfAbsent("key", "5"))).isEqualTo(2);
            assertThat(uncachedCost(() -> uncached.remove("key"))).isEqualTo(3);
            uncached.put("key", "6");
            assertThat(uncachedCost(() -> uncached.delete("key"))).isEqualTo(3);
        }

        @Test
        void ofOperationsOnAnEntryThatThisHandleHasUsed() {
            watched.put("key", "value");

            assertThat(cost(() -> watched.get("key"))).isEqualTo(1);
            assertThat(cost(() -> watched.put("key", "1"))).isEqualTo(2);
            assertThat(cost(() -> watched.set("key", "2"))).isEqualTo(2);
            assertThat(cost(() -> watched.replace("key", "3"))).isEqualTo(2);
            assertThat(cost(() -> watched.compute("key", (key, value) -> value + "4"))).isEqualTo(2);
            assertThat(cost(() -> watched.remove("key"))).isEqualTo(2);
        }

        @Test
        void ofOperationsOnNoEntry() {
            watched.get("other");

            assertThat(cost(() -> watched.get("key"))).isEqualTo(1);
            assertThat(cost(() -> watched.remove("key"))).isEqualTo(1);
            assertThat(cost(() -> watched.replace("key", "value"))).isEqualTo(1);
            assertThat(cost(() -> watched.put("key", "value"))).isEqualTo(3);
            assertThat(cost(() -> watched.putIfAbsent("key 2", "value"))).isEqualTo(3);
            assertThat(cost(() -> watched.computeIfAbsent("key 3", key -> "value"))).isEqualTo(3);
            assertThat(cost(watched::size)).isEqualTo(1);
        }

        @Test
        void ofBatches() {
            try (MapWorld roomy = new MapWorld(MapWorld.OPTIONS.withGroupsPerSubtable(64), 16 << 20)) {
                WatchedMemory batched = new WatchedMemory(roomy.client());
                RemoteHashMap<String, String> batches = roomy.open(batched);
                Map<String, String> entries = entries(64);
                batches.get("other");

                batched.reset();
                batches.putAll(entries);
                assertThat(batched.roundTrips()).isLessThanOrEqualTo(5);
                batched.reset();
                assertThat(batches.getAll(entries.keySet())).isEqualTo(entries);
                assertThat(batched.roundTrips()).isEqualTo(1);
                batched.reset();
                assertThat(batches.removeAll(entries.keySet())).isEqualTo(64);
                assertThat(batched.roundTrips()).isEqualTo(2);
            }
        }

        @Test
        void ofALargeValue() {
            map.put("key", "v".repeat(20_000));
            watched.get("other");

            assertThat(cost(() -> watched.get("key"))).isEqualTo(3);
            assertThat(cost(() -> watched.get("key"))).isEqualTo(1);
            assertThat(memory.reads()).hasSize(2);
        }

        @Test
        void ofAWalk() {
            map.putAll(entries(100));
            int subtables = world.subtables().size();

            int trips = cost(() -> assertThat(watched.keySet()).hasSize(100));

            assertThat(trips).isLessThanOrEqualTo(1 + 3 * subtables);
        }
    }

    private static Map<String, String> entries(int count) {
        return IntStream.range(0, count).boxed().collect(Collectors.toMap(i -> "key " + i, i -> "value " + i));
    }

    @Test
    void growsFromOneSubtableToMany() {
        Map<String, String> entries = entries(4000);
        entries.forEach((key, value) -> assertThat(map.put(key, value)).isNull());

        assertThat(world.subtables()).hasSizeGreaterThan(90);
        assertThat(map.mappingCount()).isEqualTo(4000);
        RemoteHashMap<String, String> other = world.open();
        assertThat(other.getAll(entries.keySet())).isEqualTo(entries);
        assertThat(other).isEqualTo(entries).hasSameHashCodeAs(entries);
        assertThat(other.removeAll(entries.keySet())).isEqualTo(4000);
        assertThat(map.isEmpty()).isTrue();
        assertThat(world.node.allocatedBytes()).as("what the subtables take, and nothing else").isEqualTo(world.bytesOf(0));
    }

    @Test
    void isFilledWellBeforeItIsSplit() {
        try (MapWorld standard = new MapWorld(MapOptions.defaults().withMaxDepth(1), 8 << 20)) {
            RemoteHashMap<String, String> one = standard.open();
            int entries = 0;
            while (standard.subtables().size() == 1) {
                one.put("key " + entries++, "value");
            }
            assertThat(entries / 1344.0).as("load when the first subtable is split").isGreaterThan(0.85);
        }
    }

    @Test
    void saysThatItIsFullWhenItsDirectoryCannotGrow() {
        try (MapWorld shallow = new MapWorld(MapWorld.OPTIONS.withMaxDepth(0), 1 << 20)) {
            RemoteHashMap<String, String> small = shallow.open();
            assertThatThrownBy(() -> small.putAll(entries(60))).isInstanceOf(CapacityException.class)
                    .hasMessageContaining("maxDepth");
            small.clear();
            small.putAll(entries(10));
            assertThat(small).isEqualTo(entries(10));
        }
    }

    @Test
    void returnsEachEntryThatIsPresentThroughoutOnceWhileSubtablesAreSplit() {
        for (int from = 0; from < 40; from++) {
            try (MapWorld fresh = new MapWorld(MapWorld.OPTIONS, 1 << 20)) {
                RemoteHashMap<String, String> walked = fresh.open();
                Map<String, String> entries = entries(40);
                walked.putAll(entries);
                Map<String, String> met = new HashMap<>();
                int position = 0;
                for (Map.Entry<String, String> entry : walked.entrySet()) {
                    if (position++ == from) {
                        fresh.open().putAll(IntStream.range(0, 400).boxed().collect(Collectors.toMap(i -> "more " + i, i -> "")));
                    }
                    assertThat(met.put(entry.getKey(), entry.getValue())).as("met twice: " + entry).isNull();
                }
                assertThat(met).as("split after " + from + " entries").containsAllEntriesOf(entries);
            }
        }
    }

    @Test
    void iteratesThroughEntriesThatAreRemovedAndInsertedAgainAtMostOnce() {
        map.putAll(entries(200));
        RemoteHashMap<String, String> other = world.open();
        List<String> met = new ArrayList<>();
        AtomicInteger count = new AtomicInteger();
        for (String key : map.keySet()) {
            met.add(key);
            String victim = "key " + count.getAndIncrement() % 200;
            other.remove(victim);
            other.put(victim, "again");
        }
        assertThat(met).doesNotHaveDuplicates();
    }

    @Test
    void writesAndRemovesThroughIterators() {
        map.putAll(entries(100));
        for (Iterator<Map.Entry<String, String>> entries = map.entrySet().iterator(); entries.hasNext();) {
            Map.Entry<String, String> entry = entries.next();
            if (entry.getKey().endsWith("1")) {
                entries.remove();
            } else {
                entry.setValue("new");
            }
        }
        assertThat(world.open()).hasSize(90).allSatisfy((key, value) -> assertThat(value).isEqualTo("new"));
        assertThat(map.entrySet().removeIf(entry -> entry.getKey().endsWith("2"))).isTrue();
        assertThat(map.values().removeIf(value -> value.equals("old"))).isFalse();
        map.replaceAll((key, value) -> key);
        assertThat(map).hasSize(80).allSatisfy((key, value) -> assertThat(value).isEqualTo(key));
        assertThat(new TreeMap<>(map).headMap("key 2")).containsKey("key 10");
    }

    @Test
    void runsTheFunctionAgainIfTheEntryChangesMeanwhile() {
        map.put("key", "1");
        RemoteHashMap<String, String> other = world.open();
        AtomicInteger calls = new AtomicInteger();

        String result = map.merge("key", "x", (present, added) -> {
            if (calls.incrementAndGet() == 1) {
                other.put("key", "2");
            }
            return present + added;
        });

        assertThat(result).isEqualTo("2x");
        assertThat(calls).hasValue(2);
    }

    @Test
    void leavesNothingBehindWhenTheFunctionThrows() {
        map.put("key", "1");
        long before = world.node.allocatedBytes();

        assertThatThrownBy(() -> map.compute("key", (key, value) -> {
            throw new IllegalStateException("no");
        })).hasMessage("no");
        assertThatThrownBy(() -> map.computeIfAbsent("other", key -> {
            throw new IllegalStateException("no");
        })).hasMessage("no");

        assertThat(map).isEqualTo(Map.of("key", "1"));
        assertThat(world.node.allocatedBytes()).isEqualTo(before);
    }

    @Test
    void refusesKeysAndValuesThatAreTooLong() {
        assertThatThrownBy(() -> map.put("k".repeat((1 << 16) + 1), "")).isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("65537").hasMessageContaining("65536");
        assertThatThrownBy(() -> map.put("key", "v".repeat((1 << 20) + 1))).isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("1048577").hasMessageContaining("1048576");
        map.put("k".repeat(1 << 16), "v".repeat(1 << 20));
        assertThat(world.open().get("k".repeat(1 << 16))).hasSize(1 << 20);
        assertThat(map.get("")).isNull();
        map.put("", "");
        assertThat(world.open().get("")).isEmpty();
    }

    @Test
    void viewsCompareEncodings() {
        SimulatedMemory memory = SimulatedMemory.alone(MapRoot.bytes(MapWorld.OPTIONS.maxDepth()));
        try (RemoteHashMap<String, byte[]> bytes = RemoteHashMap.on(memory, "bytes", Codec.UTF_8, Codec.BYTES, MapWorld.OPTIONS)) {
            bytes.put("key", new byte[] {1, 2});

            assertThat(bytes.containsValue(new byte[] {1, 2})).isTrue();
            assertThat(bytes.values().contains(new byte[] {1, 2})).isTrue();
            assertThat(bytes.values().remove(new byte[] {1})).isFalse();
            assertThat(bytes.values().remove(new byte[] {1, 2})).isTrue();
            assertThat(bytes).isEmpty();
        }
    }

    @Test
    void findsALongValueUnderAKeyOfAnyLength() {
        for (int length : new int[] {0, 1, 7, 8, 24, 100}) {
            String key = "k".repeat(length);
            map.put(key, "v".repeat(20_000));
            assertThat(world.open().get(key)).hasSize(20_000);
            assertThat(world.open().merge(key, "w", String::concat)).hasSize(20_001);
            assertThat(world.open().replace(key, "x".repeat(30_000))).hasSize(20_001);
            assertThat(world.open().put(key, "y".repeat(20_000))).hasSize(30_000);
            assertThat(world.open().remove(key)).hasSize(20_000);
        }
    }

    @Test
    void refusesToBeOpenedWithOtherCodecs() {
        assertThatThrownBy(() -> RemoteHashMap.on(world.client(), "world", Codec.UTF_8, Codec.LONG, MapWorld.OPTIONS))
                .isInstanceOf(IllegalArgumentException.class).hasMessageContaining("values").hasMessageContaining("'utf-8'")
                .hasMessageContaining("'long'");
        assertThatThrownBy(() -> RemoteHashMap.on(world.client(), "world", Codec.BYTES, Codec.UTF_8, MapWorld.OPTIONS))
                .isInstanceOf(IllegalArgumentException.class).hasMessageContaining("keys").hasMessageContaining("'bytes'");
    }

    @Test
    void keepsTheShapeThatItWasCreatedWith() {
        map.putAll(entries(300));
        MapOptions others = MapWorld.OPTIONS.withGroupsPerSubtable(64).withMaxDepth(2);
        RemoteHashMap<String, String> other = RemoteHashMap.on(world.client(), "world", Codec.UTF_8, Codec.UTF_8, others);
        assertThat(other).isEqualTo(entries(300));
        other.putAll(entries(1000));
        assertThat(map).isEqualTo(entries(1000));
    }

    @ParameterizedTest
    @CsvSource({"1,16", "4097,16", "64,-1", "64,21"})
    void refusesImpossibleShapes(int groups, int depth) {
        assertThatThrownBy(() -> MapOptions.defaults().withGroupsPerSubtable(groups).withMaxDepth(depth))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining(groups == 64 ? "maxDepth" : "groupsPerSubtable");
    }

    @Test
    void comparesByEncoding() {
        SimulatedMemory alone = SimulatedMemory.alone(MapRoot.bytes(8));
        try (RemoteHashMap<byte[], byte[]> bytes = RemoteHashMap.on(alone, "bytes", Codec.BYTES, Codec.BYTES, MapWorld.OPTIONS)) {
            bytes.put(new byte[] {1}, new byte[] {2});
            assertThat(bytes.get(new byte[] {1})).containsExactly(2);
            assertThat(bytes.containsValue(new byte[] {2})).isTrue();
            assertThat(bytes.entrySet().contains(Map.entry(new byte[] {1}, new byte[] {2}))).isTrue();
            assertThat(bytes.replace(new byte[] {1}, new byte[] {2}, new byte[] {3})).isTrue();
            assertThat(bytes.remove(new byte[] {1}, new byte[] {2})).isFalse();
            assertThat(bytes.remove(new byte[] {1}, new byte[] {3})).isTrue();
        }
    }

    @Test
    void answersAsynchronously() {
        AsyncRemoteHashMap<String, String> async = map.async();
        List<CompletableFuture<String>> puts = new ArrayList<>();
        entries(200).forEach((key, value) -> puts.add(async.put(key, value)));
        puts.forEach(put -> assertThat(put.join()).isNull());
        assertThat(async.getAll(entries(200).keySet()).join()).isEqualTo(entries(200));
        assertThat(async.merge("key 1", "x", String::concat).join()).isEqualTo("value 1x");
        assertThat(async.remove("key 1").thenCompose(ignored -> async.get("key 1")).join()).isNull();
        assertThat(async.removeAll(entries(200).keySet()).join()).isEqualTo(199);
        map.close();
        assertThat(async.get("key 1")).isCompletedExceptionally();
    }

    @Test
    void countsWhatConcurrentThreadsDo() throws InterruptedException {
        List<Thread> threads = new ArrayList<>();
        for (int t = 0; t < 4; t++) {
            RemoteHashMap<String, String> own = t % 2 == 0 ? map : world.open();
            int first = t * 100;
            threads.add(Thread.ofVirtual().start(() -> {
                for (int i = first; i < first + 150; i++) {
                    own.put("key " + i, "value");
                    own.merge("sum", "x", String::concat);
                }
            }));
        }
        for (Thread thread : threads) {
            thread.join();
        }
        assertThat(map.mappingCount()).isEqualTo(451);
        assertThat(map.keySet()).hasSize(451);
        assertThat(Objects.requireNonNull(map.get("sum"))).hasSize(600);
        assertThat(world.node.allocatedBytes()).isEqualTo(world.bytesOf(450) + 704);
    }
}
