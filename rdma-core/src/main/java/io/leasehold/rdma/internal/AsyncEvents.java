package io.leasehold.rdma.internal;

import io.leasehold.rdma.AsyncEvent;
import java.util.List;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;

/// Tells observers of what happens, in order, on a thread that exists only while there is something to tell.
public final class AsyncEvents {
    private final DeviceThreads threads;
    private final Consumer<Throwable> onThrown;
    private final List<Consumer<AsyncEvent>> observers = new CopyOnWriteArrayList<>();
    private final ConcurrentLinkedQueue<Runnable> tasks = new ConcurrentLinkedQueue<>();
    private final AtomicInteger waiting = new AtomicInteger();

    /// @param onThrown told what an observer, or a task, has thrown
    public AsyncEvents(DeviceThreads threads, Consumer<Throwable> onThrown) {
        this.threads = threads;
        this.onThrown = onThrown;
    }

    /// Tells `observer` of what happens from now on.
    public void observe(Consumer<AsyncEvent> observer) {
        observers.add(observer);
    }

    /// Tells the observers of `event`; the caller may hold any lock.
    public void raise(AsyncEvent event) {
        later(() -> {
            for (Consumer<AsyncEvent> observer : observers) {
                try {
                    observer.accept(event);
                } catch (RuntimeException | Error e) {
                    onThrown.accept(e);
                }
            }
        });
    }

    /// Runs `task` after what is waiting; the caller may hold any lock.
    public void later(Runnable task) {
        tasks.add(task);
        if (waiting.getAndIncrement() == 0) {
            threads.startVirtual("leasehold-nic-events", this::run);
        }
    }

    private void run() {
        do {
            Runnable task = tasks.poll();
            if (task != null) {
                try {
                    task.run();
                } catch (RuntimeException | Error e) {
                    // What is behind it comes all the same.
                    onThrown.accept(e);
                }
            }
        } while (waiting.decrementAndGet() > 0);
    }
}
