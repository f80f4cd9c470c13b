package io.leasehold.structures;

import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import java.util.function.LongSupplier;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/// Runs a structure's asynchronous operations on a bounded set of virtual threads, which start with the first operations and end
/// when idle.
///
/// An operation that has to wait for others ([#attempt]) gives its thread back between two attempts, so any number of waiting
/// operations leaves room for those that would end their wait. A future that somebody else completes (`cancel`, `orTimeout`)
/// withdraws its operation unless that is on a thread; then it takes effect all the same. Thread-safe.
final class AsyncWorkers implements AutoCloseable {
    /// Threads of one structure. An operation holds one while its verbs are in flight, so this bounds the doorbells that are.
    static final int THREADS_MAX = 32;
    /// Operations of one structure that have not ended.
    static final int PENDING_MAX = 1 << 16;

    private static final long IDLE_SECONDS = 5;
    private static final long WAIT_NANOS_MIN = 20_000;
    private static final long WAIT_NANOS_MAX = 2_000_000;

    private final String name;
    private final LongSupplier clock;
    private final ScheduledThreadPoolExecutor threads;
    private final Set<Operation<?>> pending = ConcurrentHashMap.newKeySet();
    private final AtomicInteger count = new AtomicInteger();

    /// @param name the structure's, for threads and messages
    /// @param clock [Memory#clock()] of the structure
    AsyncWorkers(String name, LongSupplier clock) {
        this.name = name;
        this.clock = clock;
        threads = new ScheduledThreadPoolExecutor(THREADS_MAX, Thread.ofVirtual().name("leasehold-" + name + "-", 0).factory());
        threads.setKeepAliveTime(IDLE_SECONDS, TimeUnit.SECONDS);
        threads.allowCoreThreadTimeOut(true);
        threads.setExecuteExistingDelayedTasksAfterShutdownPolicy(false);
    }

    /// Runs `operation` and completes with what it returns or throws.
    ///
    /// The future fails with [RejectedExecutionException] if [#PENDING_MAX] operations are pending, and with
    /// [IllegalStateException] if the structure is closed before the operation has begun.
    <T extends @Nullable Object> CompletableFuture<T> run(Supplier<? extends T> operation) {
        return submit(new Operation<>(operation, 0, null, answer -> {
        }));
    }

    /// Runs `attempt` until it returns something other than `null`, and completes with that, or with `otherwise` when
    /// `timeoutNanos` have passed. It is made at least once, and stays on no thread between attempts.
    ///
    /// @param undelivered gets an answer, not `null`, that the future could not take because somebody else had completed it
    <T extends @Nullable Object> CompletableFuture<T> attempt(Supplier<? extends T> attempt, long timeoutNanos,
            @Nullable T otherwise, Consumer<? super T> undelivered) {
        return submit(new Operation<>(attempt, timeoutNanos, otherwise, undelivered));
    }

    /// Runs `task` again and again, with a pause in between, until the structure is closed. What it throws ends it.
    void repeat(Runnable task, long pauseNanos) {
        try {
            threads.scheduleWithFixedDelay(task, pauseNanos, pauseNanos, TimeUnit.NANOSECONDS);
        } catch (RejectedExecutionException e) {
            // Closed: there is nothing to do any more.
        }
    }

    private <T extends @Nullable Object> CompletableFuture<T> submit(Operation<T> operation) {
        if (count.incrementAndGet() > PENDING_MAX) {
            count.decrementAndGet();
            operation.future.completeExceptionally(
                    new RejectedExecutionException(name + " has " + PENDING_MAX + " asynchronous operations pending"));
            return operation.future;
        }
        pending.add(operation);
        operation.future.whenComplete((answer, failure) -> {
            pending.remove(operation);
            count.decrementAndGet();
        });
        operation.schedule(0);
        return operation.future;
    }

    /// Lets operations that are on a thread end by themselves; fails all others.
    @Override
    public void close() {
        threads.shutdown();
        pending.forEach(Operation::failUnlessOnThread);
    }

    private final class Operation<T extends @Nullable Object> {
        final CompletableFuture<T> future = new CompletableFuture<>();
        private final Supplier<? extends T> attempt;
        private final Consumer<? super T> undelivered;
        private final long begin = clock.getAsLong();
        private final long timeoutNanos;
        private final @Nullable T otherwise;
        /// Set while the operation is on a thread, and when it has been failed by [#close()].
        private final AtomicBoolean taken = new AtomicBoolean();
        private long waitNanos = WAIT_NANOS_MIN;

        Operation(Supplier<? extends T> attempt, long timeoutNanos, @Nullable T otherwise, Consumer<? super T> undelivered) {
            this.attempt = attempt;
            this.timeoutNanos = timeoutNanos;
            this.otherwise = otherwise;
            this.undelivered = undelivered;
        }

        void schedule(long delayNanos) {
            try {
                threads.schedule(this::step, delayNanos, TimeUnit.NANOSECONDS);
            } catch (RejectedExecutionException e) {
                failUnlessOnThread();
            }
        }

        private void step() {
            if (future.isDone() || !taken.compareAndSet(false, true)) {
                return;
            }
            try {
                T answer = attempt.get();
                long left = timeoutNanos - (clock.getAsLong() - begin);
                if (answer != null) {
                    if (!future.complete(answer)) {
                        undelivered.accept(answer);
                    }
                    return;
                }
                if (left <= 0) {
                    future.complete(otherwise);
                    return;
                }
                long delay = Math.min(waitNanos, left);
                waitNanos = Math.min(waitNanos * 2, WAIT_NANOS_MAX);
                taken.set(false);
                schedule(delay);
            } catch (Throwable e) {
                future.completeExceptionally(e);
            }
        }

        void failUnlessOnThread() {
            if (taken.compareAndSet(false, true)) {
                future.completeExceptionally(
                        new IllegalStateException(name + " was closed before the operation began or while it waited"));
            }
        }
    }
}
