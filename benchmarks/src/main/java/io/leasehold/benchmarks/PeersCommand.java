package io.leasehold.benchmarks;

import io.leasehold.rdma.Link;
import io.leasehold.structures.Protection;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.function.Predicate;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/// Leasehold beside what users would pick instead.
@Command(name = "peers", mixinStandardHelpOptions = true,
        description = "maps and queues of Leasehold beside Redis, memcached, Hazelcast and Infinispan, on the loopback address")
final class PeersCommand implements Callable<Integer> {
    private static final String OURS = "leasehold ";
    private static final String SHARED_MEMORY = OURS + "shared memory";
    private static final String TCP = OURS + "tcp";

    @Mixin
    private final RunOptions run = new RunOptions();

    @Mixin
    private final WorkloadOptions workloads =
            new WorkloadOptions(List.of(64), List.of(WorkloadOptions.Mode.SYNC, WorkloadOptions.Mode.WINDOW));

    @Option(names = "--peers", split = ",", paramLabel = "PEER", description = "${COMPLETION-CANDIDATES} (default: all)")
    private List<Peer> peers = List.of(Peer.values());

    @Option(names = "--no-queues", description = "maps only")
    private boolean skipsQueues;

    @Override
    public Integer call() throws Exception {
        return run.measure("peers", this::prepare, (results, subject) -> cell -> rival(results, subject, cell), PeersCommand::bars);
    }

    private static boolean isPeer(String subject) {
        return !subject.startsWith(OURS);
    }

    /// Ours are compared with the best peer.
    private static Optional<String> rival(Results results, String subject, Cell cell) {
        return isPeer(subject) ? Optional.empty() : results.best(cell, Metric.RATE, PeersCommand::isPeer);
    }

    private List<Trial> prepare(RunOptions.Setup setup) throws Exception {
        List<Workload> wanted = workloads.workloads();
        long megabytes = NodeMemory.megabytes(workloads.values(), workloads.entries());
        NodeServer node = setup.resources().add(NodeServer.start(setup.servers(), megabytes));
        setup.out().println(OURS + "on a " + node.settings() + "; clients: a session for each process and link, protection STRUCTURE, "
                + "leases on, a remembered place for each entry; 64 in flight by getAll and putAll");
        List<Trial> trials = new ArrayList<>();
        int cacheEntries = (int) Math.min(Integer.MAX_VALUE, workloads.entries());
        boolean isLoaded = false;
        for (Link link : List.of(Link.SHARED_MEMORY, Link.TCP)) {
            LeaseholdConnector connector = node.connector(link, Protection.STRUCTURE, cacheEntries);
            trials.addAll(trials(setup, OURS + StructuresCommand.subject(link), connector, true, !isLoaded, wanted));
            isLoaded = true;
        }
        Peer.Servers servers = new Peer.Servers(setup, megabytes);
        boolean isRedisLoaded = false;
        for (Peer peer : peers) {
            if (peer.obstacle().isPresent()) {
                setup.out().println(peer.title() + ": left out: " + peer.obstacle().get());
                continue;
            }
            Connector connector = servers.connector(peer);
            setup.out().println(peer.title() + ": " + peer.usage());
            boolean isRedis = peer.name().startsWith("REDIS");
            trials.addAll(trials(setup, peer.title(), connector, peer.hasQueues(), !(isRedis && isRedisLoaded), wanted));
            isRedisLoaded |= isRedis;
        }
        return trials;
    }

    private List<Trial> trials(RunOptions.Setup setup, String subject, Connector connector, boolean hasQueues, boolean loads,
            List<Workload> wanted) throws IOException {
        boolean usesQueues = hasQueues && !skipsQueues;
        int processes = usesQueues || workloads.modes().contains(WorkloadOptions.Mode.TWO) ? 2 : 1;
        List<Worker> workers = new ArrayList<>();
        for (int i = 1; i <= processes; i++) {
            workers.add(setup.worker(subject.replaceAll("\\W+", "-") + "-" + i, connector));
        }
        MapTrials maps = new MapTrials(subject, workers);
        if (loads) {
            maps.load(workloads.values(), workloads.entries(), setup.progress());
        }
        List<Trial> trials = new ArrayList<>(maps.trials(wanted, workloads.modes()));
        if (usesQueues) {
            trials.addAll(new QueueTrials(subject, workers.getFirst(), workers.getLast()).trials());
        }
        return trials;
    }

    private static List<Bar> bars(Results results) {
        String sync = WorkloadOptions.Mode.SYNC.title();
        String window = WorkloadOptions.Mode.WINDOW.title();
        Predicate<Cell> isSmall = cell -> cell.parts().contains("64 B");
        List<Cell> small = results.cellsWith("map", window).stream().filter(isSmall).toList();
        List<Cell> oneToOne = results.cellsWith("queue", "1 to 1");
        return List.of(
                bar(results, "shared memory, one at a time, ops/s: 4 times the fastest peer", 4, SHARED_MEMORY,
                        results.cellsWith("map", sync), Metric.RATE),
                bar(results, "shared memory, one at a time, p50: 4 times faster than the fastest peer", 4, SHARED_MEMORY,
                        results.cellsWith("map", sync), Metric.P50),
                bar(results, "shared memory, 64 in flight, 64 B, ops/s: 3 times the best peer", 3, SHARED_MEMORY, small, Metric.RATE),
                bar(results, "TCP, one at a time, ops/s: no slower than the fastest peer", 1, TCP,
                        results.cellsWith("map", sync), Metric.RATE),
                bar(results, "TCP, 64 in flight, 64 B, ops/s: 1.5 times the best peer", 1.5, TCP, small, Metric.RATE),
                bar(results, "shared memory, queue 1 to 1, elements/s: 10 times the best peer", 10, SHARED_MEMORY, oneToOne, Metric.RATE));
    }

    private static Bar bar(Results results, String wanted, double least, String subject, List<Cell> cells, Metric metric) {
        return Bar.atLeast(wanted, least, cells, cell -> results.best(cell, metric, PeersCommand::isPeer)
                .flatMap(best -> results.advantage(subject, best, cell, metric)));
    }
}
