package io.leasehold.benchmarks;

import org.HdrHistogram.Histogram;

/// Does some work with leases, on one thread, for some time.
record RunLeases(LeaseWork work, long nanos) implements Task<Measured> {
    @Override
    public Measured perform(Workbench workbench) throws Exception {
        LeaseWork.Step step = workbench.keep("lease work " + work, () -> work.on(workbench.client(SessionClient.class).session()));
        Histogram latencies = new Histogram(3);
        long start = System.nanoTime();
        long last = start;
        long done = 0;
        while (last - start < nanos) {
            step.run();
            done += work.count();
            long now = System.nanoTime();
            latencies.recordValueWithCount(now - last, work.count());
            last = now;
        }
        return new Measured(done, last - start, latencies);
    }
}
