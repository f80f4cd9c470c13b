package io.leasehold.benchmarks;

import io.leasehold.rdma.Link;
import io.leasehold.structures.Protection;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/// Our own structures, link beside link.
@Command(name = "structures", description = "maps and queues of Leasehold, link beside link", mixinStandardHelpOptions = true)
final class StructuresCommand implements Callable<Integer> {
    @Mixin
    private final RunOptions run = new RunOptions();

    @Mixin
    private final WorkloadOptions workloads = new WorkloadOptions(List.of(8, 64, 1024, 4096), List.of(WorkloadOptions.Mode.values()));

    @Option(names = "--links", split = ",", paramLabel = "LINK", description = "SHARED_MEMORY, TCP (default: ${DEFAULT-VALUE})",
            defaultValue = "SHARED_MEMORY,TCP")
    private List<Link> links = List.of();

    @Override
    public Integer call() throws Exception {
        return run.measure("structures", this::prepare,
                (results, subject) -> cell -> Optional.of(subject(links.getLast())).filter(other -> !other.equals(subject)),
                results -> List.of());
    }

    static String subject(Link link) {
        return link.name().toLowerCase(Locale.ROOT).replace('_', ' ');
    }

    private List<Trial> prepare(RunOptions.Setup setup) throws Exception {
        List<Workload> wanted = workloads.workloads();
        NodeServer node = setup.resources().add(NodeServer.start(setup.servers(),
                NodeMemory.megabytes(workloads.values(), workloads.entries())));
        setup.out().println("node: " + node.settings() + "; clients: a session with its map and queue for each process and link, "
                + "protection STRUCTURE, leases on, a remembered place for each entry");
        List<Trial> trials = new ArrayList<>();
        int cacheEntries = (int) Math.min(Integer.MAX_VALUE, workloads.entries());
        for (Link link : links) {
            List<Worker> workers = new ArrayList<>();
            for (int i = 1; i <= 2; i++) {
                LeaseholdConnector connector = node.connector(link, Protection.STRUCTURE, cacheEntries);
                workers.add(setup.worker(subject(link).replace(' ', '-') + "-" + i, connector));
            }
            MapTrials maps = new MapTrials(subject(link), workers);
            if (link == links.getFirst()) {
                maps.load(workloads.values(), workloads.entries(), setup.progress());
            }
            trials.addAll(maps.trials(wanted, workloads.modes()));
            trials.addAll(new QueueTrials(subject(link), workers.getFirst(), workers.getLast()).trials());
        }
        return trials;
    }
}
