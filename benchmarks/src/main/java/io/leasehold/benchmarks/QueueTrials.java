package io.leasehold.benchmarks;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;

/// The trials of one subject with queues: producers in one process, consumers in another. Each turn passes as many elements as
/// the turn before would have passed in its time, so that no more than those ever wait.
final class QueueTrials {
    private static final int ELEMENT_BYTES = 64;
    private static final int BATCH = 64;
    private static final long FIRST_ELEMENTS = 2_000;
    private static final long ELEMENTS_MAX = 4_000_000;

    private final String subject;
    private final Worker producers;
    private final Worker consumers;

    QueueTrials(String subject, Worker producers, Worker consumers) {
        this.subject = subject;
        this.producers = producers;
        this.consumers = consumers;
    }

    List<Trial> trials() {
        List<Trial> trials = new ArrayList<>();
        for (int batch : new int[] {1, BATCH}) {
            for (int threads : new int[] {1, 4}) {
                trials.add(trial(threads, batch));
            }
        }
        return trials;
    }

    private Trial trial(int threads, int batch) {
        String queue = "queue-" + threads + "-" + batch;
        long[] next = {FIRST_ELEMENTS};
        Cell cell = Cell.of("queue", batch == 1 ? "one at a time" : "batches of " + BATCH, threads + " to " + threads,
                ELEMENT_BYTES + " B");
        return new Trial(subject, cell, (nanos, sink) -> {
            long elements = Math.max(batch, next[0] / batch * batch);
            List<Callable<Long>> runs = List.of(() -> consumers.perform(new Consume(queue, elements, threads, batch)),
                    () -> producers.perform(new Produce(queue, elements, ELEMENT_BYTES, threads, batch)));
            long taken = Crowd.all(runs).getFirst();
            double perSecond = elements * 1e9 / taken;
            next[0] = (long) Math.clamp(perSecond * nanos / 1e9, FIRST_ELEMENTS / 10, ELEMENTS_MAX);
            sink.add(Metric.RATE, perSecond);
        });
    }
}
