package io.leasehold.benchmarks;

import java.util.ArrayDeque;
import java.util.Deque;

/// What a run has started, closed in reverse order at its end, and also when the program is interrupted. Thread-safe.
final class Resources implements AutoCloseable {
    private final Deque<AutoCloseable> open = new ArrayDeque<>();
    private final Thread hook = new Thread(this::closeAll, "bench-teardown");

    Resources() {
        Runtime.getRuntime().addShutdownHook(hook);
    }

    /// Takes charge of something.
    synchronized <T extends AutoCloseable> T add(T resource) {
        open.push(resource);
        return resource;
    }

    /// Closes all, whatever one of them does.
    private synchronized void closeAll() {
        while (!open.isEmpty()) {
            AutoCloseable resource = open.pop();
            try {
                resource.close();
            } catch (Exception e) {
                System.err.println("could not close " + resource + ": " + e);
            }
        }
    }

    @Override
    public void close() {
        closeAll();
        try {
            Runtime.getRuntime().removeShutdownHook(hook);
        } catch (IllegalStateException e) {
            // The program is ending: the hook is at work, and finds nothing.
        }
    }
}
