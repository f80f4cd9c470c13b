package io.leasehold.benchmarks;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;

/// Reads from a map by several clients at once, each with a connection and a thread of its own.
record RunCrowd(Connector connector, Workload workload, int clients, long nanos, long seed) implements Task<Measured> {
    @Override
    public Measured perform(Workbench workbench) throws Exception {
        Zipfian zipfian = workbench.zipfian(workload.entries());
        List<Callable<Measured>> runs = new ArrayList<>();
        for (int i = 0; i < clients; i++) {
            Client client = workbench.keep("client " + i, connector::connect);
            MapStore store = workbench.keep("map of client " + i, () -> client.map(workload.map(), workload.entries()));
            OperationStream operations = new OperationStream(workload, zipfian, seed + i, workload.entries());
            runs.add(() -> new MapRun(store, operations, new Records(workload.valueBytes())).closedLoop(nanos));
        }
        return Measured.together(Crowd.all(runs));
    }
}
