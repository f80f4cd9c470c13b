package io.leasehold.benchmarks;

import java.util.HashSet;
import java.util.Set;
import java.util.concurrent.locks.LockSupport;
import org.HdrHistogram.Histogram;

/// Runs a workload on a map for some time, on one thread, and measures.
final class MapRun {
    private static final long LATENCY_NANOS_MAX = 60_000_000_000L;
    private static final int DIGITS = 3;
    /// Closer to the time of an operation than this it does not go to sleep.
    private static final long SLEEP_NANOS_MIN = 200_000;

    private final MapStore store;
    private final OperationStream operations;
    private final Records records;
    private final Histogram latencies = new Histogram(1, LATENCY_NANOS_MAX, DIGITS);
    private long done;

    MapRun(MapStore store, OperationStream operations, Records records) {
        this.store = store;
        this.operations = operations;
        this.records = records;
    }

    /// One operation after the other. The histogram holds service times.
    Measured closedLoop(long nanos) throws Exception {
        long start = System.nanoTime();
        long end = start + nanos;
        long last = start;
        while (last - end < 0) {
            operations.advance();
            carryOut();
            long now = System.nanoTime();
            record(now - last, 1);
            last = now;
        }
        return new Measured(done, last - start, latencies);
    }

    /// Operations begin at fixed times, or late, if the one before takes longer; the latency counts from the time when it should
    /// have begun.
    Measured openLoop(long nanos, double perSecond) throws Exception {
        double interval = 1e9 / perSecond;
        long start = System.nanoTime();
        long now = start;
        for (long number = 0; now - start < nanos; number++) {
            long due = start + (long) (number * interval);
            awaitUntil(due);
            operations.advance();
            carryOut();
            now = System.nanoTime();
            record(now - due, 1);
        }
        return new Measured(done, now - start, latencies);
    }

    private static void awaitUntil(long due) {
        for (long left = due - System.nanoTime(); left > 0; left = due - System.nanoTime()) {
            if (left > SLEEP_NANOS_MIN) {
                LockSupport.parkNanos(left - SLEEP_NANOS_MIN);
            } else {
                Thread.yield();
            }
        }
    }

    private void carryOut() throws Exception {
        long entry = operations.entry();
        byte[] key = Records.key(entry);
        switch (operations.kind()) {
            case READ -> records.check(entry, store.get(key));
            case UPDATE, INSERT -> store.set(key, records.value(entry));
            case READ_MODIFY_WRITE -> {
                records.check(entry, store.get(key));
                store.set(key, records.value(entry));
            }
        }
    }

    /// `depth` operations at once, then as many again. An operation takes as long as those that are with it. Of several writes of
    /// one key within them only one is made, and counted.
    Measured window(long nanos, int depth) throws Exception {
        Requests requests = new Requests();
        Requests writesBack = new Requests();
        long[] entries = new long[depth];
        Set<Long> written = HashSet.newHashSet(depth);
        long start = System.nanoTime();
        long end = start + nanos;
        long last = start;
        while (last - end < 0) {
            requests.clear();
            writesBack.clear();
            written.clear();
            int readCount = 0;
            int count = 0;
            for (int i = 0; i < depth; i++) {
                operations.advance();
                long entry = operations.entry();
                Mix.Kind kind = operations.kind();
                if (kind != Mix.Kind.READ && !written.add(entry)) {
                    continue;
                }
                count++;
                byte[] key = Records.key(entry);
                if (kind == Mix.Kind.READ || kind == Mix.Kind.READ_MODIFY_WRITE) {
                    entries[readCount++] = entry;
                    requests.addRead(key);
                }
                if (kind != Mix.Kind.READ) {
                    (kind == Mix.Kind.READ_MODIFY_WRITE ? writesBack : requests).addWrite(key, records.value(entry));
                }
            }
            store.execute(requests);
            for (int i = 0; i < readCount; i++) {
                records.check(entries[i], requests.found(i));
            }
            if (!writesBack.writes().isEmpty()) {
                store.execute(writesBack);
            }
            long now = System.nanoTime();
            record(now - last, count);
            last = now;
        }
        return new Measured(done, last - start, latencies);
    }

    private void record(long nanos, int count) {
        operations.settle();
        latencies.recordValueWithCount(Math.clamp(nanos, 1, LATENCY_NANOS_MAX), count);
        done += count;
    }
}
