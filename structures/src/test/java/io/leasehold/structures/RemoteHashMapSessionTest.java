package io.leasehold.structures;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.leasehold.lease.MemoryNode;
import io.leasehold.lease.NoSuchNameException;
import io.leasehold.lease.NodeOptions;
import io.leasehold.lease.Session;
import io.leasehold.lease.SessionOptions;
import io.leasehold.testkit.Await;
import io.leasehold.testkit.history.History;
import io.leasehold.testkit.history.Linearizability;
import io.leasehold.testkit.history.Specification;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import junit.framework.TestSuite;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DynamicNode;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// The map at a memory node, over a real session on the software fabric.
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class RemoteHashMapSessionTest {
    private static final MapOptions OPTIONS = MapOptions.defaults().withGroupsPerSubtable(2).withMaxDepth(8);

    private static final int SESSIONS = 4;
    private static final long OPERATIONS = 400;

    private MemoryNode node;
    private Session session;

    @BeforeAll
    void start() {
        node = MemoryNode.start(NodeOptions.ofMemory(256 << 20));
        session = Session.connect(node.address(), SessionOptions.defaults());
    }

    @AfterAll
    void stop() {
        session.close();
        node.close();
    }

    @TestFactory
    List<DynamicNode> guavaSuiteForConcurrentMaps() {
        TestSuite suite = RemoteHashMapGuavaTest.suite("RemoteHashMap at a node",
                LeasedMemory.open(session, "guava", MapRoot.bytes(OPTIONS.maxDepth()), Protection.STRUCTURE));
        assertThat(GuavaSuites.count(suite)).as("tests that apply").isGreaterThan(500);
        return GuavaSuites.of(suite);
    }

    @ParameterizedTest
    @EnumSource(value = Protection.class, names = {"STRUCTURE", "BLOCK"})
    void isSharedBetweenSessions(Protection protection) {
        String name = "shared " + protection;
        Map<String, Long> entries = IntStream.range(0, 500).boxed().collect(Collectors.toMap(i -> "key " + i, i -> (long) i));
        MapOptions options = OPTIONS.withProtection(protection);
        try (RemoteHashMap<String, Long> map = RemoteHashMap.open(session, name, Codec.UTF_8, Codec.LONG, options);
                Session other = Session.connect(node.address(), SessionOptions.defaults());
                RemoteHashMap<String, Long> theirs = RemoteHashMap.open(other, name, Codec.UTF_8, Codec.LONG, options)) {
            entries.forEach((key, value) -> (value % 2 == 0 ? map : theirs).put(key, value));
            assertThat(map).isEqualTo(entries);
            assertThat(theirs.getAll(entries.keySet())).isEqualTo(entries);
            assertThat(theirs.merge("key 1", 10L, Long::sum)).isEqualTo(11);
            assertThat(map.get("key 1")).isEqualTo(11);
            map.clear();
            assertThat(theirs).isEmpty();
        }
        RemoteHashMap.destroy(session, name);
        assertThatThrownBy(() -> RemoteHashMap.destroy(session, name)).isInstanceOf(NoSuchNameException.class);
    }

    @Test
    void survivesTheSessionThatMadeIt() {
        Map<String, Long> entries = IntStream.range(0, 500).boxed().collect(Collectors.toMap(i -> "key " + i, i -> (long) i));
        try (Session other = Session.connect(node.address(), SessionOptions.defaults());
                RemoteHashMap<String, Long> theirs = RemoteHashMap.open(other, "left", Codec.UTF_8, Codec.LONG, OPTIONS)) {
            theirs.putAll(entries);
        }
        try (RemoteHashMap<String, Long> map = RemoteHashMap.open(session, "left", Codec.UTF_8, Codec.LONG)) {
            assertThat(map).isEqualTo(entries);
            map.putAll(IntStream.range(500, 1000).boxed().collect(Collectors.toMap(i -> "key " + i, i -> (long) i)));
            assertThat(map).hasSize(1000);
        }
    }

    @ParameterizedTest
    @EnumSource(value = Protection.class, names = {"STRUCTURE", "BLOCK"})
    void entriesExpireAndAJanitorRemovesThem(Protection protection) {
        String name = "expiring " + protection;
        MapOptions options = OPTIONS.withProtection(protection).withJanitorPause(Duration.ofMillis(5));
        try (RemoteHashMap<String, Long> map = RemoteHashMap.open(session, name, Codec.UTF_8, Codec.LONG, options);
                Session other = Session.connect(node.address(), SessionOptions.defaults());
                RemoteHashMap<String, Long> theirs = RemoteHashMap.open(other, name, Codec.UTF_8, Codec.LONG, options)) {
            for (long i = 0; i < 100; i++) {
                map.put("short " + i, i, Duration.ofMillis(30));
                map.put("long " + i, i, Duration.ofHours(1));
            }
            Await.until(Duration.ofSeconds(20), "the entries to expire for the other session",
                    () -> theirs.getAll(map.keySet()).keySet().stream().allMatch(key -> key.startsWith("long")));
            Await.until(Duration.ofSeconds(20), "a janitor to remove them", () -> map.mappingCount() == 100);
            assertThat(theirs.keySet()).hasSize(100).allMatch(key -> key.startsWith("long"));
        }
        RemoteHashMap.destroy(session, name);
    }

    /// Two sessions, of which one has a near cache and leases so short that it keeps losing them.
    @Test
    void aValidatedNearCacheIsNeverStaleAtANode() {
        LeaseTerms terms = new LeaseTerms(Duration.ofMillis(20), Duration.ofMillis(80), Duration.ofMillis(20), Duration.ofSeconds(1));
        MapOptions validated = OPTIONS.withNearCache(NearCache.validated(100));
        try (Session other = Session.connect(node.address(), SessionOptions.defaults());
                RemoteHashMap<String, Long> writer = RemoteHashMap.open(session, "near", Codec.UTF_8, Codec.LONG, OPTIONS);
                RemoteHashMap<String, Long> reader = RemoteHashMap.on(new LeasedMemory(other, other.openHeap("near",
                        MapRoot.bytes(OPTIONS.maxDepth())), Protection.STRUCTURE, terms, SystemSources.NANOS, SystemSources.RANDOM),
                        "near", Codec.UTF_8, Codec.LONG, validated)) {
            for (long i = 0; i < 20_000; i++) {
                if (i % 3 == 0) {
                    writer.put("key", i);
                }
                assertThat(reader.get("key")).isEqualTo(i / 3 * 3);
            }
        }
        RemoteHashMap.destroy(session, "near");
    }

    @ParameterizedTest
    @EnumSource(value = Protection.class, names = {"STRUCTURE", "BLOCK"})
    void operationsOfSeveralSessionsAreLinearizable(Protection protection) throws InterruptedException {
        String name = "history " + protection;
        History history = new History();
        List<Thread> clients = new ArrayList<>();
        AtomicReference<Throwable> failure = new AtomicReference<>();
        long seed = System.nanoTime();
        for (int i = 0; i < SESSIONS; i++) {
            int client = i;
            clients.add(Thread.ofPlatform().start(() -> {
                try {
                    client(name, client, history.log(client), new Random(seed + client), protection);
                } catch (Throwable e) {
                    failure.compareAndSet(null, e);
                }
            }));
        }
        for (Thread client : clients) {
            client.join();
        }
        assertThat(failure.get()).as("seed " + seed).isNull();
        Linearizability.checkEach(history.operations(), Specification.MAP_ENTRY);
        try (RemoteHashMap<Long, Long> map = RemoteHashMap.open(session, name, Codec.LONG, Codec.LONG, OPTIONS)) {
            assertThat(map.keySet()).as("seed " + seed).hasSize((int) map.mappingCount());
            assertThat(map.mappingCount()).as("seed " + seed).isGreaterThanOrEqualTo(SESSIONS * OPERATIONS / 4);
        }
    }

    private void client(String name, int number, History.Log log, Random random, Protection protection) {
        RandomMapOperations operations = new RandomMapOperations(log, random, SESSIONS * OPERATIONS);
        try (Session own = Session.connect(node.address(), SessionOptions.defaults()); RemoteHashMap<Long, Long> map =
                RemoteHashMap.open(own, name, Codec.LONG, Codec.LONG, OPTIONS.withProtection(protection))) {
            for (int i = 0; i < OPERATIONS; i++) {
                long value = number * OPERATIONS + i;
                if (i % 4 == 0) {
                    map.put(1_000_000 + 2 * value, value);
                } else {
                    operations.next(map, 1 + 2L * random.nextInt(8), value);
                }
            }
        }
    }

    @Test
    void refusesTheNameOfAQueue() {
        RemoteQueue.open(session, "a queue", Codec.LONG).close();

        assertThatThrownBy(() -> RemoteHashMap.open(session, "a queue", Codec.LONG, Codec.LONG))
                .isInstanceOf(IllegalArgumentException.class).hasMessageContaining("'a queue' is no map");
    }
}
