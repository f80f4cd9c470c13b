package io.leasehold.structures;

import static org.assertj.core.api.Assertions.assertThat;

import io.leasehold.lease.HeapKind;
import io.leasehold.lease.MemoryNode;
import io.leasehold.lease.NodeCounts;
import io.leasehold.lease.NodeOptions;
import io.leasehold.lease.RemoteHeap;
import io.leasehold.lease.Session;
import io.leasehold.lease.SessionOptions;
import io.leasehold.rdma.DeviceOptions;
import io.leasehold.testkit.Await;
import io.leasehold.testkit.history.FifoQueue;
import io.leasehold.testkit.history.History;
import io.leasehold.testkit.history.Linearizability;
import io.leasehold.testkit.history.Operation;
import io.leasehold.testkit.history.Specification;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/// Virtual threads in several processes work on one map and one queue at a node of this JVM, through many splits and segment turns;
/// then what they recorded must be linearizable, and nothing may be left at the node.
///
/// @param nodeDevice what the node serves its memory by
/// @param clientDevices what each process uses, as [HammerClient] reads it
/// @param threads how many a process has
/// @param seconds how long they work
/// @param enqueuedMin how many elements they must at least have enqueued, for the run to show anything
record HammerRun(DeviceOptions nodeDevice, List<String> clientDevices, int threads, long seconds, long enqueuedMin) {
    private static final long NODE_BYTES = 1L << 30;
    private static final long PIECE_BYTES = 4096;
    /// The root, the last segments, and pieces that are held in part: sixteen.
    private static final long EMPTY_QUEUE_BYTES_MAX = 16 * PIECE_BYTES;
    /// To start, to write its history down, and to end.
    private static final long PROCESS_PATIENCE_SECONDS = 60;
    private static final Duration PATIENCE = Duration.ofSeconds(20);

    /// @param folder for what the processes write
    void check(Path folder) throws Exception {
        long seed = Long.getLong("leasehold.hammer.seed", System.nanoTime());
        try (MemoryNode node = MemoryNode.start(NodeOptions.ofMemory(NODE_BYTES).withDevice(nodeDevice))) {
            NodeCounts before = node.counts();
            List<Operation> operations = hammer(node, folder, seed);
            try (Session session = Session.connect(node.address(), SessionOptions.defaults().withDevice(nodeDevice))) {
                drain(session, operations);
                reportGrowth(session, operations, seed);
                RemoteHashMap.destroy(session, HammerClient.MAP_NAME);
                Await.until(PATIENCE, "the end of quarantine, seed " + seed,
                        () -> node.counts().quarantinedBytes() == 0);
                assertThat(bytesHeldByQueue(node, session)).as("bytes that the empty queue holds, seed %s", seed)
                        .isLessThanOrEqualTo(EMPTY_QUEUE_BYTES_MAX);
                RemoteQueue.destroy(session, HammerClient.QUEUE_NAME);
            }
            Await.until(PATIENCE, "all of the node's resources to come back, seed " + seed,
                    () -> inUse(node.counts()).equals(inUse(before)));
            check(operations, seed);
        }
    }

    /// How much of the only heap cannot be allocated: its extents are, one after the other, until it grows.
    private static long bytesHeldByQueue(MemoryNode node, Session session) {
        long held = node.counts().heapBytes();
        RemoteHeap heap = session.openHeap(HammerClient.QUEUE_NAME, QueueShape.ROOT_BYTES);
        for (HeapKind kind : HeapKind.values()) {
            long before = node.counts().heapBytes();
            long free = 0;
            while (node.counts().heapBytes() == before) {
                held -= free;
                free = heap.allocate(kind, PIECE_BYTES, PIECE_BYTES).lengthBytes();
            }
        }
        return held;
    }

    /// Without what the node keeps for the next lease: its windows, unbound, and its regions.
    private static List<Long> inUse(NodeCounts counts) {
        return List.of((long) counts.sessions(), (long) counts.leases(), (long) counts.keysInUse(), (long) counts.wordsInUse(),
                (long) counts.lockedRanges(), counts.sessionBytes(), counts.namedBytes(), counts.heapBytes(),
                counts.quarantinedBytes(), counts.freeBytes(), (long) counts.device().boundWindows(),
                (long) counts.device().queuePairs(), (long) counts.device().threads());
    }

    private List<Operation> hammer(MemoryNode node, Path folder, long seed) throws IOException, InterruptedException {
        List<Process> processes = new ArrayList<>();
        List<Operation> operations = new ArrayList<>();
        try {
            for (int i = 0; i < clientDevices.size(); i++) {
                processes.add(start(node, i, seed, folder.resolve("history-" + i), folder.resolve("output-" + i)));
            }
            for (int i = 0; i < clientDevices.size(); i++) {
                boolean ended = processes.get(i).waitFor(seconds + PROCESS_PATIENCE_SECONDS, TimeUnit.SECONDS);
                String output = Files.readString(folder.resolve("output-" + i));
                assertThat(ended).as("process %s ended; seed %s; it said: %s", i, seed, output).isTrue();
                assertThat(processes.get(i).exitValue()).as("exit code of process %s; seed %s; it said: %s", i, seed, output).isZero();
                operations.addAll(History.readFrom(folder.resolve("history-" + i)));
            }
        } finally {
            processes.forEach(Process::destroyForcibly);
        }
        return operations;
    }

    private Process start(MemoryNode node, int number, long seed, Path history, Path output) throws IOException {
        String classPath = System.getProperty("surefire.test.class.path", System.getProperty("java.class.path"));
        return new ProcessBuilder(System.getProperty("java.home") + File.separator + "bin" + File.separator + "java", "-Xmx1g",
                "--enable-native-access=ALL-UNNAMED", "-cp", classPath, HammerClient.class.getName(), node.address().toString(),
                clientDevices.get(number), Integer.toString(number), Integer.toString(threads), Long.toString(seconds), Long.toString(seed),
                history.toString()).redirectErrorStream(true).redirectOutput(output.toFile()).start();
    }

    /// What the processes left in the queue leaves it in order too.
    private void drain(Session session, List<Operation> operations) {
        History history = new History();
        History.Log log = history.log(clientDevices.size() * threads);
        try (RemoteQueue<Long> queue = RemoteQueue.open(session, HammerClient.QUEUE_NAME, Codec.LONG, HammerClient.QUEUE)) {
            for (Long value = 0L; value != null;) {
                long invoked = log.now();
                value = queue.poll();
                log.returned(Operation.Kind.DEQUEUE, "queue", Operation.NONE, Operation.NONE,
                        value == null ? Operation.NONE : value, invoked);
            }
        }
        operations.addAll(history.operations());
    }

    private void reportGrowth(Session session, List<Operation> operations, long seed) {
        try (RemoteHashMap<String, Long> map =
                RemoteHashMap.open(session, HammerClient.MAP_NAME, Codec.UTF_8, Codec.LONG, HammerClient.MAP)) {
            long keys = operations.stream().map(Operation::object).distinct().count() - 1;
            long enqueued = operations.stream().filter(operation -> operation.kind() == Operation.Kind.ENQUEUE).count();
            System.err.println("hammer: seed " + seed + ", " + operations.size() + " operations, " + keys + " keys, "
                    + map.mappingCount() + " mappings left, " + enqueued + " enqueued");
            assertThat(map.mappingCount()).as("mappingCount against iteration").isEqualTo(map.keySet().stream().count());
            assertThat(enqueued).as("segment turns; seed %s", seed).isGreaterThan(enqueuedMin);
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
