package io.leasehold.testkit;

import io.leasehold.rdma.SendBatch;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/// A client that sends the same request again and again until one fails: what a revocation races against.
final class Hammer implements Runnable {
    /// A client that nobody stops gives up after this, so that a test of a broken fabric ends.
    private static final Duration LONGEST = Duration.ofSeconds(5);

    private final Endpoint client;
    private final Consumer<SendBatch> request;
    private final Consumer<Completed> onSuccess;
    private final AtomicLong blows = new AtomicLong();
    private volatile @Nullable Completed last;

    /// A client that has yet to [#run()].
    ///
    /// @param request adds one request
    /// @param onSuccess told of each request that succeeded before the next is sent
    Hammer(Endpoint client, Consumer<SendBatch> request, Consumer<Completed> onSuccess) {
        this.client = client;
        this.request = request;
        this.onSuccess = onSuccess;
    }

    @Override
    public void run() {
        long start = System.nanoTime();
        while (System.nanoTime() - start < LONGEST.toNanos()) {
            Completed completed = client.run(request);
            last = completed;
            blows.incrementAndGet();
            if (!completed.succeeded()) {
                return;
            }
            onSuccess.accept(completed);
        }
    }

    /// Waits until so many requests have completed.
    void awaitBlows(int count) {
        Await.until(Endpoint.PATIENCE, "the client has begun", () -> blows.get() >= count);
    }

    /// How the last request ended.
    Completed last() {
        Completed completed = last;
        if (completed == null) {
            throw new IllegalStateException("nothing was sent yet");
        }
        return completed;
    }
}
