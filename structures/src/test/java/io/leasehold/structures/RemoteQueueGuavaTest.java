package io.leasehold.structures;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.common.collect.testing.QueueTestSuiteBuilder;
import com.google.common.collect.testing.TestStringQueueGenerator;
import com.google.common.collect.testing.features.CollectionFeature;
import com.google.common.collect.testing.features.CollectionSize;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import junit.framework.TestSuite;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.DynamicContainer;
import org.junit.jupiter.api.DynamicNode;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.TestInstance;

/// Guava's conformance suite for queues, on a memory in this JVM, and with segments so small that it meets their ends.
///
/// Features that do not apply: null elements and restricted elements (the codec decides), failing fast (iterators are weakly
/// consistent), serialization, descending views. No test method is suppressed.
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
final class RemoteQueueGuavaTest {
    private static final QueueOptions SMALL = QueueOptions.unbounded().withSlotsPerSegment(2);

    private final List<SimulatedMemory> memories = new ArrayList<>();

    @AfterAll
    void close() {
        memories.forEach(SimulatedMemory::close);
    }

    @TestFactory
    List<DynamicNode> guavaSuiteForQueues() {
        List<DynamicNode> all = new ArrayList<>();
        for (QueueOptions options : List.of(SMALL, SMALL.withCapacity(16), SMALL.acknowledged(Duration.ofSeconds(60)))) {
            String name = options.delivery() + " capacity " + options.capacity();
            SimulatedMemory memory = SimulatedMemory.alone(QueueShape.ROOT_BYTES);
            memories.add(memory);
            TestSuite suite = suite(name, memory, options);
            assertThat(GuavaSuites.count(suite)).as("tests that apply").isGreaterThan(200);
            all.add(DynamicContainer.dynamicContainer(name, GuavaSuites.of(suite)));
        }
        return all;
    }

    static TestSuite suite(String name, Memory memory, QueueOptions options) {
        RemoteQueue<String> queue = RemoteQueue.on(memory, "guava", Codec.UTF_8, options, true);
        return QueueTestSuiteBuilder.using(new TestStringQueueGenerator() {
            @Override
            protected Queue<String> create(String[] elements) {
                queue.clear();
                queue.addAll(List.of(elements));
                return queue;
            }
        }).named(name)
                .withFeatures(CollectionFeature.GENERAL_PURPOSE, CollectionFeature.KNOWN_ORDER,
                        CollectionFeature.ALLOWS_NULL_QUERIES, CollectionSize.ANY)
                .createTestSuite();
    }
}
