package io.leasehold.structures;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.common.collect.testing.ConcurrentMapTestSuiteBuilder;
import com.google.common.collect.testing.TestStringMapGenerator;
import com.google.common.collect.testing.features.CollectionFeature;
import com.google.common.collect.testing.features.CollectionSize;
import com.google.common.collect.testing.features.MapFeature;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import junit.framework.TestSuite;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.DynamicNode;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.TestInstance;

/// Guava's conformance suite for concurrent maps, on a memory in this JVM. Subtables are as small as can be, so that it meets
/// splits.
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class RemoteHashMapGuavaTest {
    private static final MapOptions OPTIONS = MapOptions.defaults().withGroupsPerSubtable(2).withMaxDepth(8);

    private final List<SimulatedMemory> memories = new ArrayList<>();

    @AfterAll
    void close() {
        memories.forEach(SimulatedMemory::close);
    }

    @TestFactory
    List<DynamicNode> guavaSuiteForConcurrentMaps() {
        return suite(NearCache.none());
    }

    @TestFactory
    List<DynamicNode> guavaSuiteForConcurrentMapsWithAValidatedNearCache() {
        return suite(NearCache.validated(1_000));
    }

    /// Alone with the map, a handle has no other's writes to miss.
    @TestFactory
    List<DynamicNode> guavaSuiteForConcurrentMapsWithANearCacheOfBoundedStaleness() {
        return suite(NearCache.within(Duration.ofHours(1), 1_000));
    }

    private List<DynamicNode> suite(NearCache cache) {
        SimulatedMemory memory = SimulatedMemory.alone(MapRoot.bytes(8));
        memories.add(memory);
        TestSuite suite = suite("RemoteHashMap on a memory in this JVM, " + cache, memory, OPTIONS.withNearCache(cache));
        assertThat(GuavaSuites.count(suite)).as("tests that apply").isGreaterThan(500);
        return GuavaSuites.of(suite);
    }

    static TestSuite suite(String name, Memory memory) {
        return suite(name, memory, OPTIONS);
    }

    private static TestSuite suite(String name, Memory memory, MapOptions options) {
        RemoteHashMap<String, String> map = RemoteHashMap.on(memory, "guava", Codec.UTF_8, Codec.UTF_8, options);
        return ConcurrentMapTestSuiteBuilder.using(new TestStringMapGenerator() {
            @Override
            protected Map<String, String> create(Map.Entry<String, String>[] entries) {
                map.clear();
                Stream.of(entries).forEach(entry -> map.put(entry.getKey(), entry.getValue()));
                return map;
            }
        }).named(name)
                .withFeatures(MapFeature.GENERAL_PURPOSE, CollectionFeature.SUPPORTS_ITERATOR_REMOVE, CollectionSize.ANY)
                .createTestSuite();
    }
}
