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

/// What it takes to go on after a refused access.
@Command(name = "recovery", mixinStandardHelpOptions = true,
        description = "from a refused access to the next one that is carried out: on a spare queue pair, beside connecting anew")
final class RecoveryCommand implements Callable<Integer> {
    private static final String SPARE = "spare queue pair";
    private static final String RECONNECT = "reconnect";

    @Mixin
    private final RunOptions run = new RunOptions();

    @Option(names = "--links", split = ",", paramLabel = "LINK", description = "SHARED_MEMORY, TCP (default: ${DEFAULT-VALUE})",
            defaultValue = "SHARED_MEMORY,TCP")
    private List<Link> links = List.of();

    @Override
    public Integer call() throws Exception {
        return run.measure("recovery", this::prepare,
                (results, subject) -> cell -> subject.equals(SPARE) ? Optional.of(RECONNECT) : Optional.empty(),
                results -> List.of(Bar.atLeast("recovery on a spare queue pair: 10 times faster than reconnecting", 10,
                        results.cellsWith("recovery"), cell -> results.advantage(SPARE, RECONNECT, cell, Metric.MICROS))));
    }

    private List<Trial> prepare(RunOptions.Setup setup) throws Exception {
        NodeServer node = setup.resources().add(NodeServer.start(setup.servers(), 64));
        setup.out().println(node.settings() + "; a session with 2 spare queue pairs and 2 leases; medians of all within a round");
        List<Trial> trials = new ArrayList<>();
        for (Link link : links) {
            Worker worker = setup.worker(StructuresCommand.subject(link).replace(' ', '-'), node.connector(link, Protection.STRUCTURE, 0));
            Cell cell = Cell.of("recovery", "after a refused access", StructuresCommand.subject(link));
            for (boolean isReconnecting : new boolean[] {false, true}) {
                trials.add(new Trial(isReconnecting ? RECONNECT : SPARE, cell, (nanos, sink) -> {
                    Measured measured = worker.perform(new RunRecovery(node.address(), link, isReconnecting, nanos));
                    sink.add(Metric.MICROS, measured.latencies().getValueAtPercentile(50) / 1e3);
                    sink.add(Metric.P99, measured.latencies().getValueAtPercentile(99) / 1e3);
                }));
            }
        }
        return trials;
    }
}
