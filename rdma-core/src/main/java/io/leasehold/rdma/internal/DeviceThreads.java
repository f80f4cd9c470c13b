package io.leasehold.rdma.internal;

import java.time.Duration;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/// The threads that a device runs now: platform threads that read connections or block in native code, and virtual ones on which
/// handlers of the user run.
public final class DeviceThreads {
    private final Set<Thread> running = ConcurrentHashMap.newKeySet();

    /// Runs `task` on a new virtual thread.
    public void startVirtual(String name, Runnable task) {
        start(Thread.ofVirtual().name(name).unstarted(counted(task)));
    }

    /// A platform thread that runs `task`, not yet started.
    public Thread newPlatform(String name, Runnable task) {
        return Thread.ofPlatform().daemon().name(name).unstarted(counted(task));
    }

    /// Runs `task` on a new platform thread.
    public void startPlatform(String name, Runnable task) {
        start(newPlatform(name, task));
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

    /// Starts a thread of this kind.
    public void start(Thread thread) {
        running.add(thread);
        try {
            thread.start();
        } catch (Error e) {
            // The system has no more threads to give.
            running.remove(thread);
            throw e;
        }
    }

    /// How many there are.
    public int count() {
        return running.size();
    }

    /// Interrupts what runs for the user, and waits until all have ended, but not for the calling thread itself.
    ///
    /// @return whether they ended in time
    public boolean stop(long deadlineNanos) throws InterruptedException {
        for (Thread thread : running) {
            if (thread.isVirtual()) {
                thread.interrupt();
            }
        }
        for (Thread thread : running) {
            long left = deadlineNanos - NicClock.nanos();
            if (thread != Thread.currentThread() && (left <= 0 || !thread.join(Duration.ofNanos(left)))) {
                return false;
            }
        }
        return true;
    }
}
