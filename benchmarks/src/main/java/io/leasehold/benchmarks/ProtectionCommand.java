package io.leasehold.benchmarks;

import io.leasehold.rdma.Link;
import io.leasehold.structures.Protection;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/// What protection costs.
@Command(name = "protection", mixinStandardHelpOptions = true,
        description = "what leases cost: none, on structures, on blocks; READs beside bare rings; grants beside registration")
final class ProtectionCommand implements Callable<Integer> {
    private static final String RING = "bare ring";
    private static final String LEASE = "lease";
    private static final String REGION = "region";
    private static final String RPC = "rpc";
    private static final List<LeaseWork> TRANSFERS = List.of(LeaseWork.READ, LeaseWork.READ_BATCH);
    private static final List<LeaseWork> CONTROL = List.of(LeaseWork.COMPARE_AND_SWAP, LeaseWork.EXTEND, LeaseWork.GRANT);

    @Mixin
    private final RunOptions run = new RunOptions();

    @Mixin
    private final WorkloadOptions workloads =
            new WorkloadOptions(List.of(64, 4096), List.of(WorkloadOptions.Mode.SYNC, WorkloadOptions.Mode.WINDOW));

    @Option(names = "--link", paramLabel = "LINK", description = "SHARED_MEMORY or TCP (default: ${DEFAULT-VALUE})",
            defaultValue = "SHARED_MEMORY")
    private Link link = Link.SHARED_MEMORY;

    @Override
    public Integer call() throws Exception {
        return run.measure("protection", this::prepare, (results, subject) -> cell -> rival(results, subject, cell),
                ProtectionCommand::bars);
    }

    private static String subject(Protection protection) {
        return protection.name().toLowerCase(Locale.ROOT);
    }

    private static Optional<String> rival(Results results, String subject, Cell cell) {
        return results.subjects(cell).stream().filter(other -> !other.equals(subject))
                .filter(other -> other.equals(subject(Protection.NONE)) || other.equals(RING) || other.equals(REGION)).findFirst();
    }

    private List<Trial> prepare(RunOptions.Setup setup) throws Exception {
        List<Workload> wanted = workloads.workloads();
        NodeServer node = setup.resources().add(NodeServer.start(setup.servers(),
                NodeMemory.megabytes(workloads.values(), workloads.entries())));
        setup.out().println(node.settings() + ", link " + link + "; expiry is on; one process of clients for each protection");
        int cacheEntries = (int) Math.min(Integer.MAX_VALUE, workloads.entries());
        List<Trial> trials = new ArrayList<>();
        for (Protection protection : Protection.values()) {
            Worker worker = setup.worker(subject(protection), node.connector(link, protection, cacheEntries));
            MapTrials maps = new MapTrials(subject(protection), List.of(worker));
            if (protection == Protection.STRUCTURE) {
                maps.load(workloads.values(), workloads.entries(), setup.progress());
                addLeases(setup, worker, trials);
            }
            trials.addAll(maps.trials(wanted, workloads.modes()));
        }
        addRpc(setup, wanted, trials);
        return trials;
    }

    private static Cell cell(LeaseWork work) {
        return Cell.of("lease", TRANSFERS.contains(work) ? "transfer" : "control", work.title());
    }

    /// Leases, and rings that carry as much.
    private static void addLeases(RunOptions.Setup setup, Worker worker, List<Trial> trials) throws Exception {
        Path file = setup.clients().sharedFile("ring");
        Child echo = setup.resources().add(Child.java("ring-echo", setup.servers(), List.of("-Xmx64m"), RingEcho.class,
                List.of(file.toString())));
        echo.awaitOutput();
        for (LeaseWork work : LeaseWork.values()) {
            trials.add(new Trial(LEASE, cell(work), (nanos, sink) -> worker.perform(new RunLeases(work, nanos)).report(true, sink)));
            if (TRANSFERS.contains(work)) {
                trials.add(new Trial(RING, cell(work),
                        (nanos, sink) -> worker.perform(new RunRing(file.toString(), work.count(), nanos)).report(true, sink)));
            }
        }
    }

    /// A message for each operation, answered by the server's CPU. A server has one map and does not remove, so there is one for
    /// each length of values, and nothing is inserted.
    private void addRpc(RunOptions.Setup setup, List<Workload> wanted, List<Trial> trials) throws Exception {
        for (int bytes : workloads.values()) {
            JavaServer server = setup.resources().add(JavaServer.start("rpc-server-" + bytes, setup.servers(), Peer.serverOptions(),
                    List.of("rpc")));
            Worker worker = setup.worker("rpc-" + bytes, new RpcConnector(server.address(), link));
            MapTrials maps = new MapTrials(RPC, List.of(worker));
            List<Workload> some = wanted.stream().filter(workload -> workload.valueBytes() == bytes && !workload.mix().inserts()).toList();
            maps.load(List.of(bytes), workloads.entries(), setup.progress());
            trials.addAll(maps.trials(some, workloads.modes()));
        }
    }

    private static List<Bar> bars(Results results) {
        List<Cell> maps = results.cellsWith("map");
        List<Cell> large = results.cellsWith("map", "4096 B");
        String none = subject(Protection.NONE);
        return List.of(
                Bar.atLeast("STRUCTURE costs at most 2.4 % of NONE's throughput: 0.976 of it at least", 0.976, maps,
                        cell -> results.advantage(subject(Protection.STRUCTURE), none, cell, Metric.RATE)),
                Bar.atLeast("BLOCK with 4 KiB values costs at most 27.7 %: 0.723 of NONE's throughput at least", 0.723, large,
                        cell -> results.advantage(subject(Protection.BLOCK), none, cell, Metric.RATE)),
                Bar.atMost("READ through a lease: at most 1.25 times the bare ring's round trip", 1.25, List.of(cell(LeaseWork.READ)),
                        cell -> results.advantage(RING, LEASE, cell, Metric.P50)),
                Bar.atMost("batch of 64 READs: at most 1.5 times the bare ring's time", 1.5, List.of(cell(LeaseWork.READ_BATCH)),
                        cell -> results.advantage(RING, LEASE, cell, Metric.RATE)),
                Bar.atLeast("grant + relinquish in batches: 20 times region registration + deregistration", 20,
                        List.of(cell(LeaseWork.GRANT)), cell -> results.advantage(LEASE, REGION, cell, Metric.RATE)),
                Bar.atMost("extend: at most the price of one CAS", 1, List.of(cell(LeaseWork.EXTEND)),
                        cell -> results.spread(LEASE, cell, Metric.P50).flatMap(extend -> results
                                .spread(LEASE, cell(LeaseWork.COMPARE_AND_SWAP), Metric.P50).map(extend::over))));
    }
}
