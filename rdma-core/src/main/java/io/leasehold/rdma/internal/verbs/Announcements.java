package io.leasehold.rdma.internal.verbs;

import io.leasehold.rdma.AsyncEvent;
import java.util.List;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;

/// Tells observers of asynchronous events, and peers of the end of connections, in order, on a virtual thread that exists only while
/// there is something to tell.
final class Announcements {
    private final VerbsDevice device;
    private final List<Consumer<AsyncEvent>> observers = new CopyOnWriteArrayList<>();
    private final ConcurrentLinkedQueue<Runnable> tasks = new ConcurrentLinkedQueue<>();
    private final AtomicInteger waiting = new AtomicInteger();

    Announcements(VerbsDevice device) {
        this.device = device;
    }

    void observe(Consumer<AsyncEvent> observer) {
        observers.add(observer);
    }

    /// Tells the observers of `event`; the caller may hold any lock.
    void raise(AsyncEvent event) {
        later(() -> {
            for (Consumer<AsyncEvent> observer : observers) {
                try {
                    observer.accept(event);
                } catch (RuntimeException | Error e) {
                    device.handlerThrew("an observer of asynchronous events", e);
                }
            }
        });
    }

    /// Runs `task` after what is waiting; the caller may hold any lock.
    void later(Runnable task) {
        tasks.add(task);
        if (waiting.getAndIncrement() == 0) {
            device.workers().startVirtual("leasehold-verbs-announcements", this::run);
        }
    }

    private void run() {
        do {
            Runnable task = tasks.poll();
            if (task != null) {
                task.run();
            }
        } while (waiting.decrementAndGet() > 0);
    }
}
