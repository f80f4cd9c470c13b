package io.leasehold.benchmarks;

import java.nio.file.Path;
import org.HdrHistogram.Histogram;

/// Sends frames to a [RingEcho] and back, so many at a time, for some time.
record RunRing(String file, int depth, long nanos) implements Task<Measured> {
    @Override
    public Measured perform(Workbench workbench) throws Exception {
        PlainRing ring = workbench.keep("ring " + file, () -> new PlainRing(Path.of(file), true));
        // It may have gone to sleep.
        ring.exchange(1);
        Histogram latencies = new Histogram(3);
        long start = System.nanoTime();
        long last = start;
        long done = 0;
        while (last - start < nanos) {
            ring.exchange(depth);
            done += depth;
            long now = System.nanoTime();
            latencies.recordValueWithCount(now - last, depth);
            last = now;
        }
        return new Measured(done, last - start, latencies);
    }
}
