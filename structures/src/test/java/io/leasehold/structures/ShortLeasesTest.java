package io.leasehold.structures;

import static org.assertj.core.api.Assertions.assertThat;

import io.leasehold.lease.MemoryNode;
import io.leasehold.lease.NodeOptions;
import io.leasehold.lease.Session;
import io.leasehold.lease.SessionOptions;
import io.leasehold.testkit.history.FifoQueue;
import io.leasehold.testkit.history.Linearizability;
import io.leasehold.testkit.history.Operation;
import io.leasehold.testkit.history.Specification;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// With leases of milliseconds operations keep losing them half-way, and memory is reused almost at once: neither may be seen
/// from outside.
final class ShortLeasesTest {
    private static final LeaseTerms SHORT = new LeaseTerms(Duration.ofMillis(10), Duration.ofMillis(40),
            Duration.ofMillis(40), Duration.ofSeconds(1));
    private static final int SESSIONS = 2;
    private static final int THREADS = 4;
    private static final Duration TIME = Duration.ofSeconds(8);

    @ParameterizedTest
    @EnumSource(value = Protection.class, names = {"STRUCTURE", "BLOCK"})
    void operationsStartOverUnseen(Protection protection) throws InterruptedException {
        long seed = Long.getLong("leasehold.hammer.seed", System.nanoTime());
        List<Operation> operations = new ArrayList<>();
        try (MemoryNode node = MemoryNode.start(NodeOptions.ofMemory(256 << 20))) {
            List<HammerClient> clients = new ArrayList<>();
            List<AutoCloseable> open = new ArrayList<>();
            for (int i = 0; i < SESSIONS; i++) {
                Session session = Session.connect(node.address(), SessionOptions.defaults());
                RemoteHashMap<String, Long> map = RemoteHashMap.on(
                        memory(session, "map", MapRoot.bytes(HammerClient.MAP.maxDepth()), protection), "map", Codec.UTF_8,
                        Codec.LONG, HammerClient.MAP);
                RemoteQueue<Long> queue = RemoteQueue.on(memory(session, "queue", QueueShape.ROOT_BYTES, protection), "queue",
                        Codec.LONG, HammerClient.QUEUE, true);
                clients.add(new HammerClient(map, queue, seed));
                open.addAll(List.of(queue, map, session));
            }
            run(clients, seed);
            clients.forEach(client -> operations.addAll(client.history.operations()));
            closeAll(open);
        }
        check(operations, seed);
    }

    private static LeasedMemory memory(Session session, String name, long rootBytes, Protection protection) {
        return new LeasedMemory(session, session.openHeap(name, rootBytes), protection, SHORT, SystemSources.NANOS,
                SystemSources.RANDOM);
    }

    private static void run(List<HammerClient> clients, long seed) throws InterruptedException {
        List<Thread> threads = new ArrayList<>();
        for (int i = 0; i < clients.size(); i++) {
            HammerClient client = clients.get(i);
            int process = i;
            threads.add(Thread.ofPlatform().start(() -> {
                try {
                    client.run(process, THREADS, TIME);
                } catch (InterruptedException e) {
                    client.failure.compareAndSet(null, e);
                }
            }));
        }
        for (Thread thread : threads) {
            thread.join();
        }
        for (HammerClient client : clients) {
            Throwable failure = client.failure.get();
            if (failure != null) {
                throw new AssertionError("seed " + seed, failure);
            }
        }
    }

    private static void closeAll(List<AutoCloseable> open) {
        for (AutoCloseable each : open) {
            try {
                each.close();
            } catch (Exception e) {
                throw new AssertionError(e);
            }
        }
    }

    private static void check(List<Operation> operations, long seed) {
        assertThat(operations).as("seed %s", seed).hasSizeGreaterThan(1_000);
        try {
            Linearizability.checkEach(operations.stream().filter(operation -> !operation.object().equals("queue")).toList(),
                    Specification.MAP_ENTRY);
            FifoQueue.check(operations.stream().filter(operation -> operation.object().equals("queue")).toList());
        } catch (AssertionError e) {
            throw new AssertionError("seed " + seed + ": " + e.getMessage(), e);
        }
    }
}
