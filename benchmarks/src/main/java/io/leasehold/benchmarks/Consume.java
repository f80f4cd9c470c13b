package io.leasehold.benchmarks;

import java.time.Duration;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicLong;

/// Takes elements, by some threads together, until there have been so many; tells how long that took.
///
/// @param batch elements to take at once; 1 is one after the other
record Consume(String queue, long elements, int threads, int batch) implements Task<Long> {
    private static final Duration PATIENCE = Duration.ofMillis(20);
    private static final Duration SILENCE_MAX = Duration.ofSeconds(30);

    @Override
    public Long perform(Workbench workbench) throws Exception {
        QueueStore store = workbench.queue(queue);
        AtomicLong taken = new AtomicLong();
        return Crowd.run(threads, () -> {
            long last = System.nanoTime();
            while (taken.get() < elements) {
                int count = batch == 1 ? (store.take(PATIENCE) == null ? 0 : 1) : store.takeAll(batch, PATIENCE);
                if (count > 0) {
                    taken.addAndGet(count);
                    last = System.nanoTime();
                } else if (System.nanoTime() - last > SILENCE_MAX.toNanos() && taken.get() < elements) {
                    throw new TimeoutException("queue " + queue + " gave nothing for " + SILENCE_MAX.toSeconds() + " s, after "
                            + taken.get() + " of " + elements + " elements");
                }
            }
        });
    }
}
