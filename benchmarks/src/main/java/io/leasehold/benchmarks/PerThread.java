package io.leasehold.benchmarks;

import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.function.Supplier;

/// A connection for each thread that asks for one, and all of them closed together. Thread-safe.
final class PerThread<T> {
    private final Queue<T> all = new ConcurrentLinkedQueue<>();
    private final ThreadLocal<T> own;

    PerThread(Supplier<T> open) {
        own = ThreadLocal.withInitial(() -> {
            T opened = open.get();
            all.add(opened);
            return opened;
        });
    }

    T get() {
        return own.get();
    }

    /// What was opened.
    Iterable<T> all() {
        return all;
    }
}
