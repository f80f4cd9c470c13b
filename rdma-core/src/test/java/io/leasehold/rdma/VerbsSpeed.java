package io.leasehold.rdma;

import static io.leasehold.rdma.AccessFlag.LOCAL_WRITE;
import static io.leasehold.rdma.AccessFlag.REMOTE_ATOMIC;
import static io.leasehold.rdma.AccessFlag.REMOTE_READ;
import static io.leasehold.rdma.AccessFlag.REMOTE_WRITE;

import com.sun.management.ThreadMXBean;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.EnumSet;
import java.util.Locale;

/// Does on the RDMA device of this machine what the programs of perftest do, with two queue pairs that are connected to each other,
/// so that the times can be compared. A program for `test-cluster/rdma/perftest.sh`, no test.
///
/// `VerbsSpeed DEVICE` reads lines `MEASUREMENT COUNT` from standard input, and answers each with a line `VALUE BYTES`: the mean time
/// of an operation in microseconds, or for `read16` and `write16` thousands of operations in a second; and what the calling thread
/// allocated for each. Means, since in the guest of `test-cluster` a look at the clock takes longer than an operation.
final class VerbsSpeed implements AutoCloseable {
    private static final int DEPTH = 128;
    private static final int POST_LIST = 16;
    private static final int BYTES = 8;
    private static final int PAGE_BYTES = 4096;
    /// In the region: what is read and written remotely, what comes back, and the words of the game of ping-pong.
    private static final int REMOTE = 0;
    private static final int LOCAL = PAGE_BYTES;
    private static final int PING = 2 * PAGE_BYTES;
    private static final int PONG = PING + 64;
    private static final int REGION_BYTES = 3 * PAGE_BYTES;
    private static final int WARM_UP = 20_000;
    private static final Duration PATIENCE = Duration.ofSeconds(10);
    private static final VarHandle WORD = ValueLayout.JAVA_LONG.varHandle();
    private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();

    private final Arena arena = Arena.ofShared();
    private final RdmaDevice device;
    private final ProtectionDomain domain;
    private final MemoryRegion region;
    private final Side client;
    private final Side server;

    /// One of the two queue pairs.
    private final class Side {
        private final CompletionQueue completions = device.createCompletionQueue(2 * DEPTH);
        private final QueuePair queuePair = domain.createQueuePair(QueuePairOptions.of(completions, completions)
                .withDepth(DEPTH, 1).withMaxReadAtomic(Math.min(DEPTH, device.attributes().maxReadAtomic())));
        private final SendBatch batch = queuePair.newSendBatch();
        private final WorkCompletion completion = new WorkCompletion();

        /// Posts what was added, and polls until it has completed.
        void finish() {
            post();
            reap();
        }

        void post() {
            PostStatus status = batch.post();
            if (status != PostStatus.POSTED) {
                throw new IllegalStateException("not posted: " + status);
            }
        }

        void reap() {
            while (!completions.poll(completion)) {
                Thread.onSpinWait();
            }
            if (completion.status() != WorkCompletionStatus.SUCCESS) {
                throw new IllegalStateException(completion.toString());
            }
        }

        void close() {
            queuePair.close();
            completions.close();
        }
    }

    /// Adds one request to the client's batch.
    @FunctionalInterface
    private interface Request {
        void addTo(SendBatch batch);
    }

    private VerbsSpeed(DeviceOptions options) {
        device = RdmaDevice.open(options);
        domain = device.allocateProtectionDomain();
        region = domain.register(arena.allocate(REGION_BYTES, PAGE_BYTES),
                EnumSet.of(LOCAL_WRITE, REMOTE_READ, REMOTE_WRITE, REMOTE_ATOMIC));
        client = new Side();
        server = new Side();
        client.queuePair.toInit();
        server.queuePair.toInit();
        client.queuePair.toReadyToReceive(server.queuePair.address());
        server.queuePair.toReadyToReceive(client.queuePair.address());
        client.queuePair.toReadyToSend(PATIENCE);
        server.queuePair.toReadyToSend(PATIENCE);
    }

    /// Answers lines until there are no more.
    public static void main(String[] arguments) throws IOException, InterruptedException {
        try (VerbsSpeed speed = new VerbsSpeed(DeviceOptions.parse("verbs:" + arguments[0]))) {
            for (String measurement : new String[] {"read", "write", "read4096", "cas", "faa", "read16", "write16"}) {
                speed.measure(measurement, WARM_UP);
            }
            System.out.println("ready");
            var lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                String[] words = line.split(" ");
                System.out.println(speed.measure(words[0], Integer.parseInt(words[1])));
            }
        }
    }

    private String measure(String measurement, int count) throws InterruptedException {
        long address = region.address() + REMOTE;
        int key = region.remoteKey();
        return switch (measurement) {
            case "read" -> latency(count, batch -> batch.read(0, region, LOCAL, BYTES, address, key));
            case "read4096" -> latency(count, batch -> batch.read(0, region, LOCAL, PAGE_BYTES, address, key));
            case "write" -> latency(count, batch -> batch.write(0, region, LOCAL, BYTES, address, key));
            case "cas" -> latency(count, batch -> batch.compareAndSwap(0, region, LOCAL, address, key, 0, 0));
            case "faa" -> latency(count, batch -> batch.fetchAndAdd(0, region, LOCAL, address, key, 1));
            case "read16" -> rate(count, batch -> batch.read(0, region, LOCAL, BYTES, address, key));
            case "write16" -> rate(count, batch -> batch.write(0, region, LOCAL, BYTES, address, key));
            case "ping-pong" -> pingPong(count);
            default -> throw new IllegalArgumentException("no measurement '" + measurement + "'");
        };
    }

    /// One operation on the way.
    private String latency(int count, Request request) {
        long allocated = THREADS.getCurrentThreadAllocatedBytes();
        long start = System.nanoTime();
        for (int i = 0; i < count; i++) {
            request.addTo(client.batch);
            client.finish();
        }
        double micros = (System.nanoTime() - start) / 1e3;
        return result(micros / count, THREADS.getCurrentThreadAllocatedBytes() - allocated, count);
    }

    /// Lists of [#POST_LIST], each with one completion, as many on the way as there is room for.
    private String rate(int count, Request request) {
        int lists = count / POST_LIST;
        int onTheWay = 0;
        long allocated = THREADS.getCurrentThreadAllocatedBytes();
        long start = System.nanoTime();
        for (int i = 0; i < lists; i++) {
            for (int j = 1; j < POST_LIST; j++) {
                request.addTo(client.batch);
                client.batch.unsignalled();
            }
            request.addTo(client.batch);
            if (onTheWay == DEPTH / POST_LIST) {
                client.reap();
                onTheWay--;
            }
            client.post();
            onTheWay++;
        }
        for (; onTheWay > 0; onTheWay--) {
            client.reap();
        }
        double seconds = (System.nanoTime() - start) / 1e9;
        return result(lists * POST_LIST / seconds / 1e3, THREADS.getCurrentThreadAllocatedBytes() - allocated, lists * POST_LIST);
    }

    /// Each side watches a word of its memory, and answers a WRITE to it by a WRITE to the other's.
    private String pingPong(int count) throws InterruptedException {
        MemorySegment memory = region.memory();
        WORD.setVolatile(memory, (long) PING, 0L);
        WORD.setVolatile(memory, (long) PONG, 0L);
        Thread answering = Thread.ofPlatform().daemon().start(() -> {
            for (long turn = 1; turn <= count; turn++) {
                watch(memory, PING, turn);
                strike(server, LOCAL + BYTES, PONG, turn);
            }
        });
        long allocated = THREADS.getCurrentThreadAllocatedBytes();
        long start = System.nanoTime();
        for (long turn = 1; turn <= count; turn++) {
            strike(client, LOCAL, PING, turn);
            watch(memory, PONG, turn);
        }
        double micros = (System.nanoTime() - start) / 1e3;
        allocated = THREADS.getCurrentThreadAllocatedBytes() - allocated;
        answering.join();
        // There and back.
        return result(micros / count / 2, allocated, count);
    }

    private static void watch(MemorySegment memory, int word, long turn) {
        while ((long) WORD.getVolatile(memory, (long) word) != turn) {
            Thread.onSpinWait();
        }
    }

    private void strike(Side side, int from, int word, long turn) {
        WORD.setVolatile(region.memory(), (long) from, turn);
        side.batch.write(0, region, from, BYTES, region.address() + word, region.remoteKey());
        side.finish();
    }

    private static String result(double value, long allocatedBytes, long count) {
        return String.format(Locale.ROOT, "%.2f %.3f", value, (double) allocatedBytes / count);
    }

    @Override
    public void close() {
        client.close();
        server.close();
        region.close();
        domain.close();
        device.close();
        arena.close();
    }
}
