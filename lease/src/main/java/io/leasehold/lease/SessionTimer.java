package io.leasehold.lease;

import java.util.concurrent.Future;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;

/// The one timer thread of a process, shared by all sessions: heartbeats, extensions, deadlines. It ends when it has been idle
/// for a second. What it runs must not wait.
final class SessionTimer {
    private static final System.Logger LOG = System.getLogger(SessionTimer.class.getName());
    private static final ScheduledThreadPoolExecutor EXECUTOR = start();

    private SessionTimer() {
    }

    private static ScheduledThreadPoolExecutor start() {
        ScheduledThreadPoolExecutor executor = new ScheduledThreadPoolExecutor(1,
                task -> Thread.ofPlatform().daemon().name("leasehold-session-timer").unstarted(task));
        executor.setKeepAliveTime(1, TimeUnit.SECONDS);
        executor.allowCoreThreadTimeOut(true);
        executor.setRemoveOnCancelPolicy(true);
        return executor;
    }

    /// Runs `task` once, `delayNanos` from now.
    static Future<?> after(long delayNanos, Runnable task) {
        return EXECUTOR.schedule(guarded(task), Math.max(0, delayNanos), TimeUnit.NANOSECONDS);
    }

    /// Runs `task` every `periodNanos` until it is cancelled.
    static Future<?> every(long periodNanos, Runnable task) {
        return EXECUTOR.scheduleWithFixedDelay(guarded(task), periodNanos, periodNanos, TimeUnit.NANOSECONDS);
    }

    /// A task that throws must not end its own repetition.
    private static Runnable guarded(Runnable task) {
        return () -> {
            try {
                task.run();
            } catch (RuntimeException e) {
                LOG.log(System.Logger.Level.WARNING, "a timer task of a session failed", e);
            }
        };
    }
}
