package io.leasehold.benchmarks;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;

/// Puts elements, by some threads together.
///
/// @param batch elements to put at once; 1 is one after the other
record Produce(String queue, long elements, int elementBytes, int threads, int batch) implements Task<Long> {
    @Override
    public Long perform(Workbench workbench) throws Exception {
        QueueStore store = workbench.queue(queue);
        Records records = new Records(elementBytes);
        AtomicLong next = new AtomicLong();
        return Crowd.run(threads, () -> {
            List<byte[]> some = new ArrayList<>(batch);
            for (long first = next.getAndAdd(batch); first < elements; first = next.getAndAdd(batch)) {
                some.clear();
                for (long i = first; i < Math.min(elements, first + batch); i++) {
                    some.add(records.value(i));
                }
                if (batch == 1) {
                    store.put(some.getFirst());
                } else {
                    store.putAll(some);
                }
            }
        });
    }
}
