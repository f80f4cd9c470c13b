package io.leasehold.benchmarks;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;

/// The trials of one subject with maps: two processes of clients, of which the second is idle unless both are wanted.
final class MapTrials {
    private final String subject;
    private final List<Worker> workers;
    private long seed;

    /// @param workers one process of clients, or two
    MapTrials(String subject, List<Worker> workers) {
        this.subject = subject;
        this.workers = List.copyOf(workers);
    }

    /// Fills the map of each length of values.
    void load(List<Integer> valueBytes, long entries, Progress progress) throws IOException {
        for (int bytes : valueBytes) {
            progress.say("loading " + subject + ": " + entries + " entries of " + bytes + " B");
            Workload any = new Workload(Mix.C, Distribution.UNIFORM, bytes, entries);
            workers.getFirst().perform(new LoadMap(any.map(), 0, entries, entries, bytes));
        }
    }

    /// What is to be run.
    List<Trial> trials(List<Workload> workloads, List<WorkloadOptions.Mode> modes) {
        List<Trial> trials = new ArrayList<>();
        for (WorkloadOptions.Mode mode : modes) {
            for (Workload workload : workloads) {
                trials.add(new Trial(subject, WorkloadOptions.cell(workload, mode), switch (mode) {
                    case SYNC -> (nanos, sink) -> run(workload, 1, 1, 0, nanos).report(true, sink);
                    case WINDOW -> (nanos, sink) -> run(workload, 1, WorkloadOptions.DEPTH, 0, nanos).report(true, sink);
                    case TWO -> (nanos, sink) -> run(workload, 2, 1, 0, nanos).report(true, sink);
                    case PACED -> paced(workload);
                }));
            }
        }
        return trials;
    }

    /// The first turn finds out how fast it could be.
    private Trial.Body paced(Workload workload) {
        double[] rate = new double[1];
        return (nanos, sink) -> {
            if (rate[0] == 0) {
                rate[0] = run(workload, 1, 1, 0, nanos).perSecond() / 2;
            } else {
                run(workload, 1, 1, rate[0], nanos).report(false, sink);
            }
        };
    }

    private Measured run(Workload workload, int processes, int depth, double perSecond, long nanos) throws Exception {
        seed += processes;
        List<Callable<Measured>> runs = new ArrayList<>();
        for (int i = 0; i < processes; i++) {
            Worker worker = workers.get(i);
            RunMap task = new RunMap(workload, depth, perSecond, nanos, seed, i);
            runs.add(() -> worker.perform(task));
        }
        return Measured.together(Crowd.all(runs));
    }
}
