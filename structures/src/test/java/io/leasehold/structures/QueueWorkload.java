package io.leasehold.structures;

import static org.assertj.core.api.Assertions.assertThat;

import io.leasehold.lease.OutcomeUnknownException;
import io.leasehold.testkit.history.FifoQueue;
import io.leasehold.testkit.history.History;
import io.leasehold.testkit.history.Operation;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.stream.LongStream;

/// Random clients of one queue in a simulation, and what must hold of what they saw. Everything follows from the seed.
final class QueueWorkload implements AutoCloseable {
    final long seed;
    final Random random;
    final SimulatedNode node;
    final Schedule schedule;
    final QueueOptions options;
    final History history;
    final List<SimulatedMemory> memories = new ArrayList<>();
    final List<Client> clients = new ArrayList<>();
    private final List<RemoteQueue<Long>> queues = new ArrayList<>();
    private final List<Runnable> bodies = new ArrayList<>();
    /// Elements of operations that failed, which may be in the queue, and operations that failed and may have taken elements.
    /// Clients of a seeded schedule run one at a time.
    private final Set<Long> perhapsPut = new HashSet<>();
    private int perhapsTook;

    /// Clients that run at the same time, as the seed says.
    QueueWorkload(long seed, QueueOptions options) {
        this(seed, options, Schedule.seeded(seed));
    }

    /// Clients that a test runs as it likes.
    QueueWorkload(QueueOptions options) {
        this(1, options, Schedule.free());
    }

    private QueueWorkload(long seed, QueueOptions options, Schedule schedule) {
        this.seed = seed;
        this.options = options;
        this.schedule = schedule;
        random = new Random(seed);
        node = new SimulatedNode(schedule, 1 << 20, QueueShape.ROOT_BYTES);
        history = new History(schedule::nanos);
    }

    /// A session of its own.
    RemoteQueue<Long> open() {
        SimulatedMemory memory = new SimulatedMemory(node, random.nextLong(), true);
        RemoteQueue<Long> queue = RemoteQueue.on(memory, "workload", Codec.LONG, options, true);
        memories.add(memory);
        queues.add(queue);
        return queue;
    }

    /// What a client does, one operation at a time, each recorded.
    final class Client {
        final int number;
        final RemoteQueue<Long> queue;
        final History.Log log;
        final Random choices;
        final List<Long> got = new ArrayList<>();
        final List<Long> put = new ArrayList<>();
        private long next;

        Client() {
            number = clients.size();
            queue = open();
            log = history.log(number);
            choices = new Random(random.nextLong());
            next = (number + 1L) * 100_000;
        }

        SimulatedMemory memory() {
            return memories.get(queues.indexOf(queue));
        }

        void offer() {
            long value = next++;
            long invoked = log.now();
            boolean isPut;
            try {
                isPut = queue.offer(value);
            } catch (Throwable e) {
                log.pending(Operation.Kind.ENQUEUE, "queue", value, 0, invoked);
                perhapsPut.add(value);
                throw e;
            }
            log.returned(Operation.Kind.ENQUEUE, "queue", value, 0, isPut ? 1 : 0, invoked);
            if (isPut) {
                put.add(value);
            }
        }

        void addAll(int count) {
            List<Long> values = LongStream.range(next, next + count).boxed().toList();
            next += count;
            long invoked = log.now();
            try {
                queue.addAll(values);
            } catch (Throwable e) {
                values.forEach(value -> log.pending(Operation.Kind.ENQUEUE, "queue", value, 0, invoked));
                perhapsPut.addAll(values);
                throw e;
            }
            values.forEach(value -> log.returned(Operation.Kind.ENQUEUE, "queue", value, 0, 1, invoked));
            put.addAll(values);
        }

        /// As [#addAll], for a queue that may become full on the way: nobody says how many were put then.
        void addAllThatFit(int count) {
            try {
                addAll(count);
            } catch (IllegalStateException e) {
                assertThat(e).as("seed %d", seed).hasMessage("Queue full");
            }
        }

        void poll() {
            long invoked = log.now();
            Long value;
            try {
                value = queue.poll();
            } catch (Throwable e) {
                log.pending(Operation.Kind.DEQUEUE, "queue", 0, 0, invoked);
                perhapsTook++;
                throw e;
            }
            log.returned(Operation.Kind.DEQUEUE, "queue", 0, 0, value == null ? Operation.NONE : value, invoked);
            if (value != null) {
                got.add(value);
            }
        }

        /// Removes the first element by its value: it was the first when it was seen, so removing it is as taking it.
        void removeFirst() {
            long invoked = log.now();
            long value = Operation.NONE;
            try {
                Iterator<Long> iterator = queue.iterator();
                if (iterator.hasNext()) {
                    long first = iterator.next();
                    value = queue.remove((Object) first) ? first : value;
                }
            } catch (Throwable e) {
                log.pending(Operation.Kind.DEQUEUE, "queue", 0, 0, invoked);
                perhapsTook++;
                throw e;
            }
            if (value != Operation.NONE) {
                log.returned(Operation.Kind.DEQUEUE, "queue", 0, 0, value, invoked);
                got.add(value);
            }
        }

        int drain(int most) {
            List<Long> values = new ArrayList<>();
            long invoked = log.now();
            try {
                queue.drainTo(values, most);
            } catch (Throwable e) {
                values.forEach(value -> log.returned(Operation.Kind.DEQUEUE, "queue", 0, 0, value, invoked));
                got.addAll(values);
                for (int i = values.size(); i < most; i++) {
                    log.pending(Operation.Kind.DEQUEUE, "queue", 0, 0, invoked);
                }
                perhapsTook++;
                throw e;
            }
            values.forEach(value -> log.returned(Operation.Kind.DEQUEUE, "queue", 0, 0, value, invoked));
            got.addAll(values);
            return values.size();
        }
    }

    /// Adds a client that the test runs.
    Client client() {
        Client client = new Client();
        clients.add(client);
        return client;
    }

    /// Adds a client that produces (`appetite` 0) to consumes (1) for `operations` operations.
    Client client(int operations, double appetite, boolean inBatches) {
        Client client = client();
        bodies.add(() -> {
            for (int i = 0; i < operations; i++) {
                try {
                    operate(client, appetite, inBatches);
                } catch (OutcomeUnknownException e) {
                    // Recorded as such.
                }
            }
        });
        return client;
    }

    private static void operate(Client client, double appetite, boolean inBatches) {
        boolean isBatch = inBatches && client.choices.nextInt(3) == 0;
        if (client.choices.nextDouble() >= appetite) {
            if (isBatch) {
                client.addAllThatFit(1 + client.choices.nextInt(7));
            } else {
                client.offer();
            }
        } else if (isBatch) {
            client.drain(1 + client.choices.nextInt(7));
        } else {
            client.poll();
        }
    }

    /// Adds a client that does something else.
    void add(Runnable body) {
        bodies.add(body);
    }

    void run() throws InterruptedException {
        schedule.run(bodies);
    }

    /// Takes what is left, by a new session.
    Client drainRest() {
        Client last = client();
        while (last.drain(5) > 0) {
            assertThat(last.got.size()).as("elements left, seed %d", seed).isLessThan(1_000_000);
        }
        return last;
    }

    /// The history is that of a first-in-first-out queue, and each consumer saw the elements of each producer in their order.
    void checkOrder() {
        try {
            FifoQueue.check(history.operations(), options.capacity());
            for (Client client : clients) {
                Map<Long, Long> last = new HashMap<>();
                for (long value : client.got) {
                    Long before = last.put(value / 100_000, value);
                    assertThat(before == null || before < value)
                            .as("client %d saw %d after %d", client.number, value, before).isTrue();
                }
            }
        } catch (AssertionError e) {
            throw new AssertionError("seed " + seed + ": " + e.getMessage(), e);
        }
    }

    /// What was put was got, once, and nothing else, unless the queue itself said that it does not know.
    void checkNothingLost() {
        Set<Long> put = new HashSet<>();
        List<Long> got = new ArrayList<>();
        clients.forEach(client -> put.addAll(client.put));
        clients.forEach(client -> got.addAll(client.got));
        assertThat(got).as("got, seed %d", seed).doesNotHaveDuplicates();
        if (perhapsTook == 0) {
            assertThat(got).as("got, seed %d", seed).containsAll(put);
        }
        put.addAll(perhapsPut);
        assertThat(put).as("put, seed %d", seed).containsAll(got);
    }

    /// No memory is held but that of the list's last segments, even though everybody but one client has stopped.
    void checkNothingLeaks(int segments) {
        RemoteQueue<Long> last = queues.getLast();
        for (int i = 0; i < 3 * options.slotsPerSegment(); i++) {
            last.add(0L);
            last.remove();
        }
        int segment = new SegmentLayout(0, options.slotsPerSegment()).bytes();
        assertThat(node.allocatedBytes()).as("allocated bytes, seed %d", seed).isLessThanOrEqualTo((long) segments * segment);
    }

    @Override
    public void close() {
        node.close();
    }
}
