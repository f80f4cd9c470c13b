package io.leasehold.lease;

import java.lang.System.Logger.Level;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/// Closes what clients were connected to, beside the control thread: to end a connection in order can take as long as its peer
/// lets it, and the control thread waits for nobody.
final class Closer {
    private static final System.Logger LOG = System.getLogger(Closer.class.getName());

    private final ReentrantLock lock = new ReentrantLock();
    private final Condition idle = lock.newCondition();
    private int open;

    /// Closes `leaving` soon, and then runs `then`.
    void close(AutoCloseable leaving, Runnable then) {
        lock.lock();
        try {
            open++;
        } finally {
            lock.unlock();
        }
        Thread.ofVirtual().name("leasehold-node-close").start(() -> {
            try {
                leaving.close();
            } catch (Exception e) {
                LOG.log(Level.WARNING, "closing " + leaving + " of a client failed", e);
            } finally {
                then.run();
                closed();
            }
        });
    }

    private void closed() {
        lock.lock();
        try {
            open--;
            if (open == 0) {
                idle.signalAll();
            }
        } finally {
            lock.unlock();
        }
    }

    /// Waits until all that was to be closed is.
    ///
    /// @return whether it is, before `timeoutMillis` have passed
    boolean awaitIdle(long timeoutMillis) {
        long left = TimeUnit.MILLISECONDS.toNanos(timeoutMillis);
        boolean interrupted = false;
        long end = SystemClock.NANOS.getAsLong() + left;
        lock.lock();
        try {
            while (open > 0 && left > 0) {
                try {
                    left = idle.awaitNanos(left);
                } catch (InterruptedException e) {
                    // The wait is bounded; whoever interrupts finds the status kept.
                    interrupted = true;
                    left = end - SystemClock.NANOS.getAsLong();
                }
            }
            return open == 0;
        } finally {
            lock.unlock();
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }
}
