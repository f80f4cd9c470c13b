package io.leasehold.benchmarks;

import java.util.ArrayList;
import java.util.List;

/// Runs a workload on its map for some time; what it inserts it removes again, when the time is over.
///
/// @param depth operations at once; 1 is one after the other
/// @param perSecond operations to begin in a second, if they come at fixed times; 0 if as many as will go
/// @param seed determines which operations
/// @param worker number of the process, so that no two insert the same
record RunMap(Workload workload, int depth, double perSecond, long nanos, long seed, int worker) implements Task<Measured> {
    private static final long INSERTIONS_MAX = 1L << 40;
    private static final int REMOVED_AT_ONCE = 64;

    @Override
    public Measured perform(Workbench workbench) throws Exception {
        MapStore store = workbench.map(workload.map(), workload.entries());
        long insertBase = (worker + 1) * INSERTIONS_MAX;
        OperationStream operations =
                new OperationStream(workload, workbench.zipfian(workload.entries()), seed + worker, insertBase);
        MapRun run = new MapRun(store, operations, new Records(workload.valueBytes()));
        try {
            if (depth > 1) {
                return run.window(nanos, depth);
            }
            return perSecond > 0 ? run.openLoop(nanos, perSecond) : run.closedLoop(nanos);
        } finally {
            List<byte[]> keys = new ArrayList<>(REMOVED_AT_ONCE);
            for (long i = 0; i < operations.inserted(); i++) {
                keys.add(Records.key(insertBase + i));
                if (keys.size() == REMOVED_AT_ONCE || i == operations.inserted() - 1) {
                    store.remove(keys);
                    keys.clear();
                }
            }
        }
    }
}
