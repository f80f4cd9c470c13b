package io.leasehold.lease;

import io.leasehold.rdma.CompletionQueue;
import io.leasehold.rdma.WorkCompletion;
import java.util.Collection;
import java.util.HashMap;
import java.util.Map;

/// Posts the chains of any number of data paths, all before it waits for the first, and waits until each has ended.
///
/// Binds and invalidations are carried out by the own device and take microseconds; a client can break its queue pair, which ends
/// the chain at once, but cannot hold it up. A chain that has not ended after a second costs its session the queue pair. For one
/// thread.
final class ChainRunner {
    private final CompletionWait wait;
    private final WorkCompletion completion = new WorkCompletion();
    private long bells;

    /// @param completions the send completion queue of all data queue pairs
    ChainRunner(CompletionQueue completions) {
        wait = new CompletionWait(completions, SystemClock.NANOS);
    }

    /// Runs the chains of `paths`; each step knows afterwards how it ended.
    void run(Collection<DataPath> paths) {
        Map<Long, DataPath> running = new HashMap<>();
        for (DataPath path : paths) {
            // The low half of a request id is the step, the high one the chain, whose numbers come round again after 2^32; a
            // completion of a chain that was given up meets no path.
            long bell = ++bells & 0xffff_ffffL;
            if (path.hasSteps()) {
                if (path.post(bell << Integer.SIZE)) {
                    running.put(bell, path);
                } else {
                    path.abandon();
                }
            }
        }
        wait.restart();
        while (!running.isEmpty() && wait.next(completion)) {
            long bell = completion.id() >>> Integer.SIZE;
            DataPath path = running.get(bell);
            if (path != null && path.completed((int) completion.id(), completion.succeeded())) {
                path.settle();
                running.remove(bell);
            }
        }
        running.values().forEach(DataPath::abandon);
    }
}
