package io.leasehold.structures;

import static org.assertj.core.api.Assertions.assertThat;

import io.leasehold.lease.MemoryNode;
import io.leasehold.lease.NodeOptions;
import io.leasehold.lease.Session;
import io.leasehold.lease.SessionOptions;
import io.leasehold.rdma.DeviceOptions;
import io.leasehold.rdma.Hostility;
import io.leasehold.rdma.Link;
import io.leasehold.testkit.history.FifoQueue;
import io.leasehold.testkit.history.Linearizability;
import io.leasehold.testkit.history.Operation;
import io.leasehold.testkit.history.Specification;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// Queue pairs break under the operations of a map and a queue, before or after the effect of a request, hundreds of times: what
/// operations answer is linearizable all the same, and those that cannot know say so.
@Timeout(120)
final class BrokenConnectionsTest {
    private static final int SESSIONS = 2;
    private static final int THREADS = 3;
    private static final Duration TIME = Duration.ofSeconds(6);
    private static final double BREAK_CHANCE = 0.002;
    private static final Duration PATIENCE = Duration.ofSeconds(20);

    @ParameterizedTest
    @EnumSource(value = Link.class, names = {"LOCAL", "TCP"})
    void operationsAreLinearizable(Link link) throws Exception {
        long seed = Long.getLong("leasehold.hammer.seed", System.nanoTime());
        DeviceOptions plain = DeviceOptions.soft().withLinks(link);
        List<HammerClient> clients = new ArrayList<>();
        List<AutoCloseable> open = new ArrayList<>();
        try (MemoryNode node = MemoryNode.start(NodeOptions.ofMemory(256 << 20).withDevice(plain.withMaxWindows(1 << 17)))) {
            for (int i = 0; i < SESSIONS; i++) {
                DeviceOptions hostile = plain.withHostility(new Hostility(seed + i, 0.1, 0.001, 100, 0.01, BREAK_CHANCE));
                Session session = Session.connect(node.address(),
                        SessionOptions.defaults().withDevice(hostile).withTimeouts(PATIENCE, PATIENCE));
                RemoteHashMap<String, Long> map =
                        RemoteHashMap.open(session, HammerClient.MAP_NAME, Codec.UTF_8, Codec.LONG, HammerClient.MAP);
                RemoteQueue<Long> queue =
                        RemoteQueue.open(session, HammerClient.QUEUE_NAME, Codec.LONG, HammerClient.QUEUE);
                clients.add(new HammerClient(map, queue, seed));
                open.addAll(List.of(queue, map, session));
            }
            run(clients, seed);
            for (AutoCloseable each : open) {
                each.close();
            }
        }
        List<Operation> operations = clients.stream().flatMap(client -> client.history.operations().stream()).toList();
        assertThat(operations.stream().filter(operation -> !operation.isPending()).count()).as("operations, seed %d", seed)
                .isGreaterThan(500);
        check(operations, seed);
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

    private static void check(List<Operation> operations, long seed) {
        try {
            Linearizability.checkEach(operations.stream().filter(operation -> !operation.object().equals("queue")).toList(),
                    Specification.MAP_ENTRY);
            FifoQueue.check(operations.stream().filter(operation -> operation.object().equals("queue")).toList());
        } catch (AssertionError e) {
            throw new AssertionError("seed " + seed + ": " + e.getMessage(), e);
        }
    }
}
