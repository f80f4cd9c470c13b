package io.leasehold.structures;

import io.leasehold.lease.OutcomeUnknownException;
import io.leasehold.lease.Session;
import io.leasehold.lease.SessionOptions;
import io.leasehold.rdma.DeviceOptions;
import io.leasehold.rdma.Link;
import io.leasehold.testkit.history.History;
import io.leasehold.testkit.history.Operation;
import io.leasehold.testkit.history.Operation.Kind;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.LongStream;

/// One process of the hammer test: virtual threads that work on a map and a queue for a time and record what they saw.
///
/// Arguments: node address, link of the software fabric or [#VERBS], number of this process, threads, seconds, seed, file for the history.
public final class HammerClient {
    /// Small, so that a minute brings hundreds of splits and thousands of segment turns.
    static final MapOptions MAP = MapOptions.defaults().withGroupsPerSubtable(2);
    static final QueueOptions QUEUE = QueueOptions.unbounded().withSlotsPerSegment(16);
    /// In place of a link: the RDMA device of this machine.
    static final String VERBS = "verbs";
    static final String MAP_NAME = "hammered map";
    static final String QUEUE_NAME = "hammered queue";
    private static final long NONE = Operation.NONE;
    /// All processes work on the same few keys, which move on, so that there is both contention and growth.
    private static final int KEYS_AT_ONCE = 48;
    /// Most elements that one operation puts or takes.
    private static final int RUN_MAX = 8;
    private static final long NEXT_KEY_NANOS = 4_000_000;

    private final Map<String, Long> map;
    private final RemoteQueue<Long> queue;
    final History history = new History();
    final AtomicReference<Throwable> failure = new AtomicReference<>();
    private final long seed;

    HammerClient(Map<String, Long> map, RemoteQueue<Long> queue, long seed) {
        this.map = map;
        this.queue = queue;
        this.seed = seed;
    }

    /// Runs the client; exit code 0 if every operation gave an answer.
    public static void main(String[] args) throws IOException, InterruptedException {
        int process = Integer.parseInt(args[2]);
        int threads = Integer.parseInt(args[3]);
        Duration time = Duration.ofSeconds(Long.parseLong(args[4]));
        long seed = Long.parseLong(args[5]);
        DeviceOptions device = args[1].equals(VERBS) ? DeviceOptions.verbs() : DeviceOptions.soft().withLinks(Link.valueOf(args[1]));
        SessionOptions options = SessionOptions.defaults().withDevice(device);
        try (Session session = Session.connect(args[0], options);
                RemoteHashMap<String, Long> map = RemoteHashMap.open(session, MAP_NAME, Codec.UTF_8, Codec.LONG, MAP);
                RemoteQueue<Long> queue = RemoteQueue.open(session, QUEUE_NAME, Codec.LONG, QUEUE)) {
            HammerClient client = new HammerClient(map, queue, seed);
            client.run(process, threads, time);
            client.history.writeTo(Path.of(args[6]));
            Throwable first = client.failure.get();
            if (first != null) {
                System.err.println("seed " + seed);
                first.printStackTrace();
                System.exit(1);
            }
        }
    }

    void run(int process, int threads, Duration time) throws InterruptedException {
        long end = System.nanoTime() + time.toNanos();
        List<Thread> running = new ArrayList<>();
        for (int i = 0; i < threads; i++) {
            int client = process * threads + i;
            History.Log log = history.log(client);
            Random random = new Random(seed * 1_000 + client);
            running.add(Thread.ofVirtual().start(() -> {
                try {
                    for (long sequence = 0; failure.get() == null && System.nanoTime() < end; sequence++) {
                        long value = (long) client << 40 | sequence * RUN_MAX;
                        if (random.nextInt(3) == 0) {
                            int count = random.nextInt(4) == 0 ? 1 + random.nextInt(RUN_MAX) : 1;
                            hammerQueue(log, random.nextBoolean(), value, count);
                        } else {
                            hammerMap(log, random, value);
                        }
                    }
                } catch (Throwable e) {
                    failure.compareAndSet(null, e);
                }
            }));
        }
        for (Thread thread : running) {
            thread.join();
        }
    }

    /// Puts the values from `value` on, or takes as many as there are of so many.
    private void hammerQueue(History.Log log, boolean add, long value, int count) {
        List<Long> values = LongStream.range(value, value + count).boxed().toList();
        List<Long> taken = new ArrayList<>();
        long invoked = log.now();
        try {
            if (add && count == 1) {
                queue.add(value);
            } else if (add) {
                queue.addAll(values);
            } else if (count == 1) {
                taken.add(queue.poll());
            } else {
                queue.drainTo(taken, count);
            }
            if (add) {
                values.forEach(each -> log.returned(Kind.ENQUEUE, "queue", each, NONE, 1, invoked));
            }
        } catch (OutcomeUnknownException e) {
            for (long each : values.subList(taken.size(), count)) {
                log.pending(add ? Kind.ENQUEUE : Kind.DEQUEUE, "queue", add ? each : NONE, NONE, invoked);
            }
        }
        taken.forEach(each -> log.returned(Kind.DEQUEUE, "queue", NONE, NONE, orNone(each), invoked));
    }

    private void hammerMap(History.Log log, Random random, long value) {
        String key = "key " + (System.nanoTime() / NEXT_KEY_NANOS + random.nextInt(KEYS_AT_ONCE));
        Kind kind = Kind.values()[random.nextInt(Kind.COMPUTE.ordinal() + 1)];
        // What the key held a moment ago, so that conditional operations have a chance.
        boolean conditional = kind == Kind.REMOVE_IF || kind == Kind.REPLACE_IF;
        long expected = conditional ? orNone(get(log, key)) : NONE;
        if (conditional && expected == NONE) {
            return;
        }
        long[] seen = {NONE};
        long invoked = log.now();
        try {
            long result = switch (kind) {
                case GET -> orNone(map.get(key));
                case PUT -> orNone(map.put(key, value));
                case PUT_IF_ABSENT -> orNone(map.putIfAbsent(key, value));
                case REMOVE -> orNone(map.remove(key));
                case REMOVE_IF -> map.remove(key, expected) ? 1 : 0;
                case REPLACE -> orNone(map.replace(key, value));
                case REPLACE_IF -> map.replace(key, expected, value) ? 1 : 0;
                default -> orNone(map.compute(key, (ignored, old) -> {
                    seen[0] = orNone(old);
                    return value % 5 == 0 ? null : (Long) value;
                }));
            };
            boolean isCompute = kind == Kind.COMPUTE;
            log.returned(kind, key, isCompute ? seen[0] : conditional ? expected : value, isCompute ? result : value, result, invoked);
        } catch (OutcomeUnknownException e) {
            boolean isCompute = kind == Kind.COMPUTE;
            log.pending(kind, key, isCompute ? seen[0] : conditional ? expected : value,
                    isCompute && value % 5 == 0 ? NONE : value, invoked);
        }
    }

    private Long get(History.Log log, String key) {
        long invoked = log.now();
        Long value = map.get(key);
        log.returned(Kind.GET, key, NONE, NONE, orNone(value), invoked);
        return value;
    }

    private static long orNone(Long value) {
        return value == null ? NONE : value;
    }
}
