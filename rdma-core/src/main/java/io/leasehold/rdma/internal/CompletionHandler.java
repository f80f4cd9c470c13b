package io.leasehold.rdma.internal;

import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/// The handler of a completion queue, and when it runs: on one thread at a time and never within itself. Who finds it running leaves
/// the rest to the thread that runs it: a handler that posts to a queue pair whose peer's handler posts back would otherwise go down
/// the stack for ever.
public final class CompletionHandler {
    private final Consumer<Throwable> onThrown;
    private final AtomicInteger calls = new AtomicInteger();
    private volatile @Nullable Runnable handler;

    /// @param onThrown told what the handler has thrown
    public CompletionHandler(Consumer<Throwable> onThrown) {
        this.onThrown = onThrown;
    }

    /// Replaces the handler.
    public void set(@Nullable Runnable newHandler) {
        handler = newHandler;
    }

    /// Whether there is one.
    public boolean isSet() {
        return handler != null;
    }

    /// Runs the handler, if there is one, at least once from its beginning, now or when it returns. The caller holds no lock.
    public void run() {
        if (calls.getAndIncrement() != 0) {
            return;
        }
        int done = 1;
        do {
            Runnable current = handler;
            if (current != null) {
                try {
                    current.run();
                } catch (RuntimeException | Error e) {
                    onThrown.accept(e);
                }
            }
            done = calls.addAndGet(-done);
        } while (done != 0);
    }
}
