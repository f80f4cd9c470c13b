package io.leasehold.rdma.internal.verbs;

import java.time.Duration;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/// The threads that a device runs now: platform threads for what blocks in native code, virtual ones for connections and handlers
/// of the user.
final class Workers {
    private final Set<Thread> running = ConcurrentHashMap.newKeySet();

    /// Runs `task` on a new virtual thread.
    void startVirtual(String name, Runnable task) {
        start(Thread.ofVirtual().name(name).unstarted(counted(task)));
    }

    /// Runs `task` on a new platform thread.
    void startPlatform(String name, Runnable task) {
        start(Thread.ofPlatform().daemon().name(name).unstarted(counted(task)));
    }

    private Runnable counted(Runnable task) {
        return () -> {
            try {
                task.run();
            } finally {
                running.remove(Thread.currentThread());
            }
        };
    }

    private void start(Thread thread) {
        running.add(thread);
        try {
            thread.start();
        } catch (Error e) {
            // The system has no more threads to give.
            running.remove(thread);
            throw e;
        }
    }

    int count() {
        return running.size();
    }

    /// Interrupts what runs for the user, and waits until all have ended, but not for the calling thread itself.
    ///
    /// @return whether they ended in time
    boolean stop(long deadlineNanos) throws InterruptedException {
        for (Thread thread : running) {
            if (thread.isVirtual()) {
                thread.interrupt();
            }
        }
        for (Thread thread : running) {
            long left = deadlineNanos - VerbsClock.nanos();
            if (thread != Thread.currentThread() && (left <= 0 || !thread.join(Duration.ofNanos(left)))) {
                return false;
            }
        }
        return true;
    }
}
