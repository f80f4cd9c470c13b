package io.leasehold.rdma;

import java.time.Duration;

/// Collects the completions of any number of queue pairs of one device, up to a fixed capacity.
///
/// A completion that finds the queue full breaks it: every queue pair that uses it goes to [QueuePairState#ERR] and an
/// [AsyncEvent.Type#CQ_ERR] is raised, as on hardware. Thread-safe.
public interface CompletionQueue extends AutoCloseable {
    /// The number of completions that fit.
    int capacity();

    /// Takes the oldest completion, if there is one, and frees the places of its request and of the unsignalled requests before
    /// it in their send queue. Allocates nothing and never waits.
    ///
    /// @return whether `into` was filled
    boolean poll(WorkCompletion into);

    /// Waits until the queue is not empty.
    ///
    /// @return whether there is something to poll; `false` after `timeout`, or when the queue was closed
    /// @throws InterruptedException if the waiting thread is interrupted
    boolean await(Duration timeout) throws InterruptedException;

    /// Has `handler` run after completions were added, on a thread that added some and with no lock of the fabric held. It may
    /// poll this queue and post work requests; it must be quick and must not throw. It runs on one thread at a time and never
    /// within itself: who adds completions while it runs, as the handler does that posts, has it run once more when it returns.
    /// One handler a queue; a new one replaces the old. A completion added before the call does not run it, and one that was
    /// polled before the handler's turn need not.
    void onCompletion(Runnable handler);

    /// Frees the queue.
    ///
    /// @throws RdmaException with [RdmaError#BUSY] if a queue pair still uses it
    @Override
    void close();
}
