package io.leasehold.lease;

import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/// What is to be run when operations have ended: users' code, so never under a lock, and never one callback inside another, which
/// would overflow the stack where an operation ends inside its own doorbell.
///
/// One thread at a time runs callbacks, in order: the one that ended the operation, or the one that is at it already.
final class CallbackQueue {
    private static final System.Logger LOG = System.getLogger(CallbackQueue.class.getName());

    private final ConcurrentLinkedQueue<Runnable> callbacks = new ConcurrentLinkedQueue<>();
    private final AtomicInteger size = new AtomicInteger();
    private final AtomicBoolean running = new AtomicBoolean();
    private final AtomicBoolean starting = new AtomicBoolean();

    /// Has `callback` run at the next [#run()]; it must not wait for an operation.
    void add(Runnable callback) {
        callbacks.add(callback);
        size.incrementAndGet();
    }

    /// Runs what was added, unless a thread is at it. The caller holds no lock.
    void run() {
        while (size.get() > 0 && running.compareAndSet(false, true)) {
            try {
                runAll();
            } finally {
                running.set(false);
            }
        }
    }

    /// Has what was added run on a thread of its own: for callers that may belong to somebody else, as the control thread of a node
    /// in this JVM, or that serve all sessions, as the timer.
    void runApart() {
        if (size.get() > 0 && starting.compareAndSet(false, true)) {
            Thread.ofVirtual().name("leasehold-callbacks").start(() -> {
                starting.set(false);
                run();
            });
        }
    }

    private void runAll() {
        for (@Nullable Runnable callback = callbacks.poll(); callback != null; callback = callbacks.poll()) {
            size.decrementAndGet();
            try {
                callback.run();
            } catch (RuntimeException | Error e) {
                LOG.log(System.Logger.Level.WARNING, "a callback of a session threw", e);
            }
        }
    }
}
