package io.leasehold.benchmarks;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/// Threads that do the same.
final class Crowd {
    /// What each thread does.
    interface Part {
        void run() throws Exception;
    }

    private Crowd() {
    }

    /// Runs `part` on so many platform threads.
    ///
    /// @return the nanoseconds until the last one was done
    static long run(int threads, Part part) throws Exception {
        long start = System.nanoTime();
        all(java.util.Collections.nCopies(threads, () -> {
            part.run();
            return true;
        }));
        return System.nanoTime() - start;
    }

    /// Runs each of `parts` on a platform thread of its own, and waits for all.
    static <T> List<T> all(List<? extends Callable<T>> parts) throws Exception {
        if (parts.size() == 1) {
            return List.of(parts.getFirst().call());
        }
        try (ExecutorService threads = Executors.newFixedThreadPool(parts.size())) {
            List<Future<T>> futures = new ArrayList<>();
            parts.forEach(part -> futures.add(threads.submit(part)));
            List<T> results = new ArrayList<>();
            for (Future<T> future : futures) {
                results.add(future.get());
            }
            return results;
        } catch (ExecutionException e) {
            throw e.getCause() instanceof Exception cause ? cause : e;
        }
    }
}
