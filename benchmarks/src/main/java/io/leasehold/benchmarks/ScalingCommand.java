package io.leasehold.benchmarks;

import io.leasehold.rdma.Link;
import io.leasehold.structures.Protection;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/// How cost grows.
@Command(name = "scaling", mixinStandardHelpOptions = true,
        description = "cost of a get, as entries and clients become more; each client has a session and a thread of its own")
final class ScalingCommand implements Callable<Integer> {
    private static final String BASE = "100000 entries";

    @Mixin
    private final RunOptions run = new RunOptions();

    @Option(names = "--sizes", split = ",", paramLabel = "ENTRIES", description = "of the map (default: ${DEFAULT-VALUE})",
            defaultValue = "10000,100000,1000000,10000000")
    private List<Long> sizes = List.of();

    @Option(names = "--clients", split = ",", paramLabel = "N",
            description = "reading at once from the map with 100,000 entries, or the smallest (default: ${DEFAULT-VALUE})",
            defaultValue = "1,2,4,8,16,32,64")
    private List<Integer> clients = List.of();

    @Option(names = "--values", paramLabel = "BYTES", description = "length of values (default: ${DEFAULT-VALUE})", defaultValue = "64")
    private int valueBytes;

    @Option(names = "--link", paramLabel = "LINK", description = "SHARED_MEMORY or TCP (default: ${DEFAULT-VALUE})",
            defaultValue = "SHARED_MEMORY")
    private Link link = Link.SHARED_MEMORY;

    @Override
    public Integer call() throws Exception {
        return run.measure("scaling", this::prepare, (results, subject) -> cell -> Optional.empty(), this::bars);
    }

    private List<Trial> prepare(RunOptions.Setup setup) throws Exception {
        long all = sizes.stream().mapToLong(Long::longValue).sum();
        NodeServer node = setup.resources().add(NodeServer.start(setup.servers(), NodeMemory.megabytes(List.of(valueBytes), all)));
        setup.out().println(node.settings() + ", link " + link + "; only reads, uniform; 65,536 remembered places in each client");
        List<Trial> trials = new ArrayList<>();
        String subject = StructuresCommand.subject(link);
        for (long size : sizes) {
            // A map of its own for each size, and the same number of remembered places for all.
            LeaseholdConnector connector = node.connector(link, Protection.STRUCTURE, 1 << 16);
            Worker worker = setup.worker("entries-" + size, connector);
            Workload workload = new Workload(Mix.C, Distribution.UNIFORM, valueBytes, size);
            setup.progress().say("loading " + size + " entries of " + valueBytes + " B");
            worker.perform(new LoadMap(workload.map(), 0, size, size, valueBytes));
            for (int depth : new int[] {1, WorkloadOptions.DEPTH}) {
                Cell cell = Cell.of("entries", depth == 1 ? "one at a time" : "64 in flight", size + " entries");
                trials.add(new Trial(subject, cell,
                        (nanos, sink) -> worker.perform(new RunMap(workload, depth, 0, nanos, size, 0)).report(true, sink)));
            }
            if (size == smallest()) {
                addCrowds(setup, connector, workload, trials);
            }
        }
        return trials;
    }

    private long smallest() {
        return sizes.contains(100_000L) ? 100_000 : sizes.stream().min(Long::compare).orElseThrow();
    }

    private void addCrowds(RunOptions.Setup setup, Connector connector, Workload workload, List<Trial> trials) throws Exception {
        Worker worker = setup.worker("crowd", connector);
        for (int count : clients) {
            Cell cell = Cell.of("clients", "one at a time", count + " clients");
            trials.add(new Trial(StructuresCommand.subject(link), cell,
                    (nanos, sink) -> worker.perform(new RunCrowd(connector, workload, count, nanos, count)).report(true, sink)));
        }
    }

    private List<Bar> bars(Results results) {
        List<Cell> largest = results.cellsWith("entries", "10000000 entries");
        String subject = StructuresCommand.subject(link);
        return List.of(Bar.atMost("a get costs at most 1.3 times as much with 10^7 entries as with 10^5, before cache misses", 1.3, largest,
                cell -> results.spread(subject, Cell.of("entries", cell.parts().get(1), BASE), Metric.RATE)
                        .flatMap(base -> results.spread(subject, cell, Metric.RATE).map(base::over))));
    }
}
