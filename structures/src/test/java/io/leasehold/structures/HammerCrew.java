package io.leasehold.structures;

import static org.assertj.core.api.Assertions.assertThat;

import io.leasehold.lease.Session;
import io.leasehold.testkit.history.FifoQueue;
import io.leasehold.testkit.history.Linearizability;
import io.leasehold.testkit.history.Operation;
import io.leasehold.testkit.history.Specification;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/// Hammer clients of one JVM, each with a session of its own; for tests that break what is below them.
final class HammerCrew implements AutoCloseable {
    private final long seed;
    private final List<HammerClient> clients = new ArrayList<>();
    private final List<Runnable> closings = new ArrayList<>();

    HammerCrew(long seed) {
        this.seed = seed;
    }

    /// Has one more client, who uses `session` and closes it in the end.
    void join(Session session) {
        RemoteHashMap<String, Long> map =
                RemoteHashMap.open(session, HammerClient.MAP_NAME, Codec.UTF_8, Codec.LONG, HammerClient.MAP);
        RemoteQueue<Long> queue = RemoteQueue.open(session, HammerClient.QUEUE_NAME, Codec.LONG, HammerClient.QUEUE);
        clients.add(new HammerClient(map, queue, seed));
        closings.addAll(List.of(queue::close, map::close, session::close));
    }

    /// Has all work, and returns when they have; none may fail.
    void work(int threadsEach, Duration time) throws InterruptedException {
        List<Thread> threads = new ArrayList<>();
        for (int i = 0; i < clients.size(); i++) {
            HammerClient client = clients.get(i);
            int process = i;
            threads.add(Thread.ofPlatform().start(() -> {
                try {
                    client.run(process, threadsEach, time);
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

    /// What they recorded must be linearizable, and be `operationsMin` answers at least.
    void check(int operationsMin) {
        List<Operation> operations = clients.stream().flatMap(client -> client.history.operations().stream()).toList();
        assertThat(operations.stream().filter(operation -> !operation.isPending()).count()).as("operations, seed %d", seed)
                .isGreaterThan(operationsMin);
        try {
            Linearizability.checkEach(operations.stream().filter(operation -> !operation.object().equals("queue")).toList(),
                    Specification.MAP_ENTRY);
            FifoQueue.check(operations.stream().filter(operation -> operation.object().equals("queue")).toList());
        } catch (AssertionError e) {
            throw new AssertionError("seed " + seed + ": " + e.getMessage(), e);
        }
    }

    @Override
    public void close() {
        closings.forEach(Runnable::run);
    }
}
