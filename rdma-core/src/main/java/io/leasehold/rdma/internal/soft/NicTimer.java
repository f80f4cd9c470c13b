package io.leasehold.rdma.internal.soft;

import java.util.concurrent.Future;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;

/// The timer of a device: one thread, started when something is scheduled and gone when nothing has been for a while.
final class NicTimer implements AutoCloseable {
    private static final long IDLE_MILLIS = 20;

    private final ScheduledThreadPoolExecutor executor;

    NicTimer(String name) {
        executor = new ScheduledThreadPoolExecutor(1, Thread.ofPlatform().daemon().name(name).factory(),
                new ThreadPoolExecutor.DiscardPolicy());
        executor.setRemoveOnCancelPolicy(true);
        executor.setExecuteExistingDelayedTasksAfterShutdownPolicy(false);
        executor.setKeepAliveTime(IDLE_MILLIS, TimeUnit.MILLISECONDS);
        executor.allowCoreThreadTimeOut(true);
    }

    /// Runs `task`, which must be quick, in `nanos` nanoseconds, unless it is cancelled.
    Future<?> after(long nanos, Runnable task) {
        return executor.schedule(task, nanos, TimeUnit.NANOSECONDS);
    }

    /// Threads running now, 0 or 1.
    int threads() {
        return executor.getPoolSize();
    }

    @Override
    public void close() {
        executor.shutdownNow();
    }

    /// Waits for the thread to end, after [#close].
    boolean join(long nanos) throws InterruptedException {
        return executor.awaitTermination(nanos, TimeUnit.NANOSECONDS);
    }
}
