package io.leasehold.lease;

import io.leasehold.rdma.AccessFlag;
import io.leasehold.rdma.CompletionQueue;
import io.leasehold.rdma.DeviceOptions;
import io.leasehold.rdma.MemoryRegion;
import io.leasehold.rdma.MemoryWindow;
import io.leasehold.rdma.MemoryWindowType;
import io.leasehold.rdma.PostStatus;
import io.leasehold.rdma.ProtectionDomain;
import io.leasehold.rdma.QueuePair;
import io.leasehold.rdma.QueuePairOptions;
import io.leasehold.rdma.RdmaDevice;
import io.leasehold.rdma.RemoteKey;
import io.leasehold.rdma.SendBatch;
import io.leasehold.rdma.WorkCompletion;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.stream.IntStream;

/// Measures what it takes to acquire a lease and to relinquish it, on memory windows and on memory regions, and what the device
/// has of it: a bind and its invalidation, or a registration and its end. In short interleaved rounds, so that both have the same
/// machine; client and nodes are in one process. A program to be run by hand, no test.
///
/// `GrantSpeed soft|verbs [leases a round] [rounds]`
final class GrantSpeed {
    private static final long MEMORY_BYTES = 32 << 20;
    private static final long[] LENGTHS = {64, 64 << 10, 1 << 20, 16 << 20};
    private static final int BATCH = 16;

    /// A node, a session with it, and memory to lease.
    private record Candidate(MemoryNode node, Session session, RemoteAddress memory) implements AutoCloseable {
        static Candidate of(NodeOptions options) {
            MemoryNode node = MemoryNode.start(options);
            Session session = Session.connect(node.address(), SessionOptions.defaults().withDevice(options.device()));
            return new Candidate(node, session, session.allocate(LENGTHS[LENGTHS.length - 1]));
        }

        /// How long one of `leases` took, acquired and relinquished `batch` at a time.
        double micros(long lengthBytes, int leases, int batch) {
            LeaseRequest request = LeaseRequest.of(memory, lengthBytes, Set.of(AccessRight.READ), LeaseMode.SHARED,
                    LeaseCluster.FOR_EVER.dividedBy(60));
            List<LeaseRequest> requests = IntStream.range(0, batch).mapToObj(_ -> request).toList();
            long start = System.nanoTime();
            for (int done = 0; done < leases; done += batch) {
                session.core().relinquish(session.acquireAll(requests).stream().filter(Lease::leave).map(Lease::id).toList());
            }
            return (System.nanoTime() - start) / 1e3 / leases;
        }

        @Override
        public void close() {
            session.close();
            node.close();
        }
    }

    /// A device alone, with two queue pairs that are connected to each other.
    private static final class Bare implements AutoCloseable {
        private final RdmaDevice device;
        private final Arena arena = Arena.ofShared();
        private final MemorySegment memory = arena.allocate(MEMORY_BYTES, 4096);
        private final ProtectionDomain domain;
        private final CompletionQueue completions;
        private final MemoryRegion all;
        private final QueuePair near;
        private final QueuePair far;
        private final List<MemoryWindow> windows;
        private final int[] keys = new int[BATCH];
        private final WorkCompletion completion = new WorkCompletion();

        Bare(DeviceOptions options) {
            device = RdmaDevice.open(options);
            domain = device.allocateProtectionDomain();
            completions = device.createCompletionQueue(4 * BATCH);
            all = domain.register(memory, EnumSet.of(AccessFlag.LOCAL_WRITE, AccessFlag.MW_BIND));
            QueuePairOptions pair = QueuePairOptions.of(completions, completions).withDepth(2 * BATCH, 1);
            near = domain.createQueuePair(pair);
            far = domain.createQueuePair(pair);
            near.toInit();
            far.toInit();
            near.toReadyToReceive(far.address());
            far.toReadyToReceive(near.address());
            near.toReadyToSend(Duration.ofSeconds(10));
            far.toReadyToSend(Duration.ofSeconds(10));
            windows = IntStream.range(0, BATCH).mapToObj(_ -> domain.allocateMemoryWindow(MemoryWindowType.TYPE_2B)).toList();
            for (int i = 0; i < BATCH; i++) {
                keys[i] = windows.get(i).remoteKey();
            }
        }

        double windowMicros(long lengthBytes, int leases, int batch) {
            SendBatch requests = near.newSendBatch();
            long start = System.nanoTime();
            for (int done = 0; done < leases; done += batch) {
                for (int i = 0; i < batch; i++) {
                    keys[i] = new RemoteKey(keys[i]).next().value();
                    requests.bindMemoryWindow(i, windows.get(i), keys[i], all, all.address(), lengthBytes,
                            AccessFlag.REMOTE_READ.bit());
                    if (i < batch - 1) {
                        requests.unsignalled();
                    }
                }
                finish(requests);
                for (int i = 0; i < batch; i++) {
                    requests.localInvalidate(i, keys[i]);
                    if (i < batch - 1) {
                        requests.unsignalled();
                    }
                }
                finish(requests);
            }
            return (System.nanoTime() - start) / 1e3 / leases;
        }

        private void finish(SendBatch requests) {
            if (requests.post() != PostStatus.POSTED) {
                throw new IllegalStateException("a chain was not posted");
            }
            while (!completions.poll(completion)) {
                Thread.onSpinWait();
            }
            if (!completion.succeeded()) {
                throw new IllegalStateException("a chain ended with " + completion);
            }
        }

        double regionMicros(long lengthBytes, int leases, int batch) {
            MemorySegment range = memory.asSlice(0, lengthBytes);
            List<MemoryRegion> regions = new ArrayList<>(batch);
            long start = System.nanoTime();
            for (int done = 0; done < leases; done += batch) {
                for (int i = 0; i < batch; i++) {
                    regions.add(domain.register(range, EnumSet.of(AccessFlag.LOCAL_WRITE, AccessFlag.REMOTE_READ)));
                }
                regions.forEach(MemoryRegion::close);
                regions.clear();
            }
            return (System.nanoTime() - start) / 1e3 / leases;
        }

        @Override
        public void close() {
            windows.forEach(MemoryWindow::close);
            near.close();
            far.close();
            all.close();
            completions.close();
            domain.close();
            device.close();
            arena.close();
        }
    }

    /// What takes so many microseconds a lease.
    @FunctionalInterface
    private interface Measured {
        double micros(long lengthBytes, int leases, int batch);
    }

    private GrantSpeed() {
    }

    /// Measures.
    public static void main(String[] arguments) {
        boolean verbs = arguments.length > 0 && arguments[0].equals("verbs");
        int leases = arguments.length > 1 ? Integer.parseInt(arguments[1]) : 256;
        int rounds = arguments.length > 2 ? Integer.parseInt(arguments[2]) : 15;
        NodeOptions usual = NodeOptions.ofMemory(MEMORY_BYTES);
        NodeOptions options = verbs ? usual.withDevice(DeviceOptions.verbs()) : usual;
        try (Candidate windows = Candidate.of(options);
                Candidate regions = Candidate.of(options.withRegionsOnly());
                Bare bare = new Bare(options.device())) {
            System.out.printf("leases rest on %s and on %s%n", windows.node.backing(), regions.node.backing());
            System.out.printf("%-10s %-8s %-8s %12s %12s %8s%n", "", "length", "together", "windows", "regions", "ratio");
            for (long lengthBytes : LENGTHS) {
                for (int batch : new int[] {1, BATCH}) {
                    measure("device", List.of(bare::windowMicros, bare::regionMicros), lengthBytes, batch, leases, rounds);
                    measure("lease", List.of(windows::micros, regions::micros), lengthBytes, batch, leases, rounds);
                }
            }
        }
    }

    private static void measure(String what, List<Measured> candidates, long lengthBytes, int batch, int leases, int rounds) {
        List<double[]> times = new ArrayList<>();
        candidates.forEach(candidate -> {
            candidate.micros(lengthBytes, leases, batch);
            times.add(new double[rounds]);
        });
        for (int round = 0; round < rounds; round++) {
            for (int i = 0; i < candidates.size(); i++) {
                times.get(i)[round] = candidates.get(i).micros(lengthBytes, leases, batch);
            }
        }
        double[] medians = times.stream().mapToDouble(all -> Arrays.stream(all).sorted().toArray()[rounds / 2]).toArray();
        System.out.printf("%-10s %-8d %-8d %9.1f us %9.1f us %8.2f%n", what, lengthBytes, batch, medians[0], medians[1],
                medians[1] / medians[0]);
    }
}
