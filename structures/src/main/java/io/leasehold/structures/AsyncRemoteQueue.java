package io.leasehold.structures;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/// A [RemoteQueue] whose methods return at once and answer by a future.
///
/// Operations are carried out by a bounded number of virtual threads; those that wait for elements or room hold none meanwhile.
/// Operations that are pending together happen in any order. Cancelling a future, or letting it time out, withdraws the operation
/// unless it is being carried out: then it takes effect, and an element that it took goes to the next caller that takes one from
/// the same `RemoteQueue`, or, with [DeliveryMode#ACKNOWLEDGED], to anybody. Thread-safe.
///
/// @param <E> the elements
public final class AsyncRemoteQueue<E> {
    private final RemoteQueue<E> queue;
    private final AsyncWorkers workers;

    AsyncRemoteQueue(RemoteQueue<E> queue, AsyncWorkers workers) {
        this.queue = queue;
        this.workers = workers;
    }

    /// As [RemoteQueue#offer(Object)].
    public CompletableFuture<Boolean> offer(E element) {
        return workers.run(() -> queue.offer(element));
    }

    /// As [RemoteQueue#put(Object)].
    public CompletableFuture<Boolean> put(E element) {
        return offer(element, Duration.ofNanos(Long.MAX_VALUE));
    }

    /// As [RemoteQueue#offer(Object, long, java.util.concurrent.TimeUnit)].
    public CompletableFuture<Boolean> offer(E element, Duration timeout) {
        return workers.attempt(() -> queue.offer(element) ? Boolean.TRUE : null, timeout.toNanos(), Boolean.FALSE, isPut -> {
        });
    }

    /// As [RemoteQueue#addAll(Collection)].
    public CompletableFuture<Boolean> addAll(Collection<? extends E> elements) {
        List<E> copy = List.copyOf(elements);
        return workers.run(() -> queue.addAll(copy));
    }

    /// As [RemoteQueue#poll()].
    public CompletableFuture<@Nullable E> poll() {
        return poll(Duration.ZERO);
    }

    /// As [RemoteQueue#take()].
    public CompletableFuture<@Nullable E> take() {
        return poll(Duration.ofNanos(Long.MAX_VALUE));
    }

    /// As [RemoteQueue#poll(long, java.util.concurrent.TimeUnit)].
    public CompletableFuture<@Nullable E> poll(Duration timeout) {
        if (queue.isAcknowledged()) {
            return pollClaimed(timeout);
        }
        return workers.<@Nullable E>attempt(queue::poll, timeout.toNanos(), null, this::takeBack);
    }

    /// Acknowledges when the future has the element: until then it comes back if anything happens.
    private CompletableFuture<@Nullable E> pollClaimed(Duration timeout) {
        AtomicReference<@Nullable Delivery<E>> claimed = new AtomicReference<>();
        CompletableFuture<@Nullable E> future = workers.<@Nullable E>attempt(() -> {
            Delivery<E> delivery = queue.receiveNow();
            claimed.set(delivery);
            return delivery == null ? null : delivery.value();
        }, timeout.toNanos(), null, element -> Objects.requireNonNull(claimed.get()).release());
        future.thenAccept(element -> {
            if (element != null) {
                Objects.requireNonNull(claimed.get()).acknowledge();
            }
        });
        return future;
    }

    private void takeBack(@Nullable E element) {
        if (element != null) {
            queue.takeBack(element);
        }
    }

    /// As [RemoteQueue#drainTo(Collection, int)], to a list.
    public CompletableFuture<List<E>> drain(int most) {
        if (queue.isAcknowledged()) {
            return drainClaimed(most);
        }
        return workers.attempt(() -> {
            List<E> drained = new ArrayList<>();
            queue.drainTo(drained, most);
            return drained;
        }, 0, List.of(), drained -> drained.forEach(queue::takeBack));
    }

    private CompletableFuture<List<E>> drainClaimed(int most) {
        List<Taken<E>> claimed = new ArrayList<>();
        CompletableFuture<List<E>> future = workers.attempt(() -> {
            List<Taken<E>> some = most > 0 ? queue.claim(most) : List.of();
            while (!some.isEmpty()) {
                claimed.addAll(some);
                some = claimed.size() < most ? queue.claim(most - claimed.size()) : List.of();
            }
            return claimed.stream().map(Taken::get).toList();
        }, 0, List.of(), drained -> queue.release(claimed));
        future.thenAccept(drained -> queue.acknowledge(claimed));
        return future;
    }

    /// As [RemoteQueue#receive(Duration)]. A delivery that nobody takes is released.
    public CompletableFuture<@Nullable Delivery<E>> receive(Duration timeout) {
        return workers.<@Nullable Delivery<E>>attempt(queue::receiveNow, timeout.toNanos(), null, delivery -> {
            if (delivery != null) {
                delivery.release();
            }
        });
    }
}
