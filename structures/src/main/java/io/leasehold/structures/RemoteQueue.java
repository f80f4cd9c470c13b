package io.leasehold.structures;

import com.google.common.collect.Iterators;
import io.leasehold.lease.LeaseException;
import io.leasehold.lease.OutcomeUnknownException;
import io.leasehold.lease.Session;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.AbstractQueue;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Iterator;
import java.util.List;
import java.util.Objects;
import java.util.Spliterator;
import java.util.Spliterators;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/// A first-in-first-out queue in the memory of a node, shared by any number of processes, each of which opens it by name.
///
/// ```java
/// try (RemoteQueue<String> jobs = RemoteQueue.open(session, "jobs", Codec.UTF_8)) {
///     jobs.put("resize 17.png");
///     String job = jobs.poll(1, TimeUnit.SECONDS);
/// }
/// ```
/// All work is done by the clients with one-sided verbs; the node's processor takes no part. Elements go through a [Codec] and
/// are immutable copies. The queue outlives its sessions, until it is destroyed.
///
/// *Order and atomicity.* `offer`, `put`, `poll`, `take`, `peek` and `remainingCapacity() > 0` as far as `offer` tells are
/// linearizable, and the order is first in, first out; `addAll` and `drainTo` are sequences of such operations, in order. `size`
/// counts elements that wait, exactly when nobody changes the queue; iterators are weakly consistent and may remove. A bounded
/// queue never holds more than its capacity, and `offer` returns `false` only if it was full at some instant of the call.
///
/// *Cost.* `offer` two round trips, `poll` three, or two while elements are known to wait; `addAll` two for every 32 elements,
/// `drainTo` three for every 64. Reaching the end of a segment (1,024 elements, unless set otherwise) costs about three more.
/// Waiting polls: at once, then at intervals that grow to 1 ms.
///
/// *Failures.* No client can hold up another: a producer or consumer that stops between two round trips costs its successor one.
/// What becomes of the element of a consumer that dies is up to the [DeliveryMode]. If a call throws a [LeaseException], its
/// `effect()` says whether the element may have been put or taken.
///
/// *Interruption* ends only waiting. If the element was already taken, it is returned and the thread stays interrupted.
///
/// Null elements are refused; an encoded element has at most 1 MiB. Thread-safe.
///
/// @param <E> the elements
public final class RemoteQueue<E> extends AbstractQueue<E> implements BlockingQueue<E>, AutoCloseable {
    private static final Logger LOG = System.getLogger(RemoteQueue.class.getName());

    private final String name;
    private final Memory memory;
    private final Segments segments;
    private final ElementBlocks<E> blocks;
    private final QueueTail tail;
    private final QueueHead<E> head;
    private final QueueScan<E> scan;
    private final QueueShape shape;
    /// Elements that were taken, not claimed, for a caller that could not be given them; the next caller gets them.
    private final ConcurrentLinkedQueue<E> returned = new ConcurrentLinkedQueue<>();
    private final AsyncWorkers workers;
    private volatile boolean isClosed;

    private RemoteQueue(String name, Memory memory, QueueShape shape, Codec<E> codec, QueueOptions options) {
        Duration timeout = options.timeout();
        this.name = name;
        this.memory = memory;
        this.shape = shape;
        segments = new Segments(memory, shape, options.patience());
        blocks = new ElementBlocks<>(codec, shape.codecId());
        tail = new QueueTail(segments, shape.isBounded() ? new Room(segments) : null, timeout.toNanos());
        head = new QueueHead<>(segments, blocks, timeout.toNanos());
        scan = new QueueScan<>(segments, blocks, timeout.toNanos());
        workers = new AsyncWorkers("queue-" + name, memory.clock());
    }

    /// Opens the queue `name` as it is, or creates it with [QueueOptions#unbounded()] if there is none.
    ///
    /// @throws IllegalArgumentException if it was created with another codec, or the name is that of another structure
    public static <E> RemoteQueue<E> open(Session session, String name, Codec<E> codec) {
        QueueOptions options = QueueOptions.unbounded();
        return on(LeasedMemory.open(session, name, QueueShape.ROOT_BYTES, options.protection()), name, codec, options, false);
    }

    /// Opens the queue `name`, or creates it if there is none.
    ///
    /// @throws IllegalArgumentException if it was created with another codec or other options, or the name is that of another
    ///     structure
    public static <E> RemoteQueue<E> open(Session session, String name, Codec<E> codec, QueueOptions options) {
        return on(LeasedMemory.open(session, name, QueueShape.ROOT_BYTES, options.protection()), name, codec, options, true);
    }

    /// Destroys the queue `name` with all that is in it; operations of those who have it open fail.
    public static void destroy(Session session, String name) {
        session.destroyHeap(name);
    }

    /// A queue on `memory`, which it closes.
    ///
    /// @param isStrict whether a queue that exists must have been created with `options`
    static <E> RemoteQueue<E> on(Memory memory, String name, Codec<E> codec, QueueOptions options, boolean isStrict) {
        try {
            QueueShape asked = QueueShape.of(options, codec);
            QueueShape shape = QueueRoot.open(memory, name, asked, options.timeout());
            if (isStrict) {
                shape.requireSame(name, asked);
            } else {
                shape.requireCodec(name, codec.name());
            }
            return new RemoteQueue<>(name, memory, shape, codec, options);
        } catch (RuntimeException e) {
            memory.close();
            throw e;
        }
    }

    /// Adds an element, or returns `false` if the queue is bounded and full.
    @Override
    public boolean offer(E element) {
        return put(List.of(encode(element))) == 1;
    }

    /// Adds an element, waiting for room as long as it takes.
    @Override
    public void put(E element) throws InterruptedException {
        offerUntil(element, Long.MAX_VALUE);
    }

    /// Adds an element, waiting for room for the time given.
    @Override
    public boolean offer(E element, long timeout, TimeUnit unit) throws InterruptedException {
        return offerUntil(element, unit.toNanos(timeout));
    }

    private boolean offerUntil(E element, long patienceNanos) throws InterruptedException {
        List<MemorySegment> image = List.of(encode(element));
        Boolean isPut = waitFor(patienceNanos, () -> put(image) == 1 ? Boolean.TRUE : null);
        return isPut != null;
    }

    /// Adds elements in their order, with two round trips for every 32.
    ///
    /// @throws IllegalStateException if the queue became full; elements before the one that did not fit have been added
    @Override
    public boolean addAll(Collection<? extends E> elements) {
        if (elements == this) {
            throw new IllegalArgumentException("a queue cannot be added to itself");
        }
        List<E> all = List.copyOf(elements);
        for (int from = 0; from < all.size();) {
            List<MemorySegment> images = new ArrayList<>();
            long bytes = 0;
            while (from < all.size() && images.size() < QueueSlot.RUN_MAX && bytes < ElementBlocks.ENCODED_BYTES_MAX) {
                MemorySegment image = encode(all.get(from++));
                images.add(image);
                bytes += image.byteSize();
            }
            if (put(images) < images.size()) {
                throw new IllegalStateException("Queue full");
            }
        }
        return !all.isEmpty();
    }

    private MemorySegment encode(E element) {
        Objects.requireNonNull(element, "a queue takes no null");
        requireOpen();
        return blocks.encode(element);
    }

    /// Puts elements in order until the queue is full; returns how many were put.
    private int put(List<MemorySegment> images) {
        requireOpen();
        Outgoing elements = new Outgoing(memory, segments.layout, images);
        boolean mayBePut = true;
        try {
            tail.put(elements);
            mayBePut = false;
        } catch (LeaseException e) {
            mayBePut = e.effect() == LeaseException.Effect.UNKNOWN;
            throw e;
        } finally {
            if (!mayBePut) {
                elements.abandon();
            }
        }
        return elements.published();
    }

    /// Takes the first element; `null` if the queue is empty. With [DeliveryMode#ACKNOWLEDGED], as [#receive] and
    /// [Delivery#acknowledge].
    @Override
    public @Nullable E poll() {
        requireOpen();
        if (shape.isAcknowledged()) {
            return receiveAndAcknowledge();
        }
        E kept = returned.poll();
        return kept != null ? kept : takeOne();
    }

    /// What is only received comes back if this process dies before the caller has it.
    private @Nullable E receiveAndAcknowledge() {
        Delivery<E> delivery = receiveNow();
        while (delivery != null && !delivery.acknowledge()) {
            delivery = receiveNow();
        }
        return delivery == null ? null : delivery.value();
    }

    private @Nullable E takeOne() {
        List<Taken<E>> taken = new ArrayList<>(1);
        try {
            head.take(1, false, taken);
        } catch (OutcomeUnknownException e) {
            keep(taken);
            throw e;
        }
        if (taken.isEmpty()) {
            return null;
        }
        keep(taken.subList(1, taken.size()));
        return taken.getFirst().get();
    }

    /// Keeps elements for the next callers of this object.
    private void keep(List<Taken<E>> taken) {
        for (Taken<E> element : taken) {
            if (element.value() != null) {
                returned.add(element.value());
            }
        }
    }

    /// Takes the first element, waiting for one as long as it takes.
    @Override
    public E take() throws InterruptedException {
        E element = waitFor(Long.MAX_VALUE, this::poll);
        return Objects.requireNonNull(element);
    }

    /// Takes the first element, waiting for one for the time given.
    @Override
    public @Nullable E poll(long timeout, TimeUnit unit) throws InterruptedException {
        return waitFor(unit.toNanos(timeout), this::poll);
    }

    /// Receives the first element for processing, waiting for one for the time given; `null` if there was none. Elements that
    /// came back are received before others.
    ///
    /// @throws IllegalStateException if the queue's delivery is not [DeliveryMode#ACKNOWLEDGED]
    public @Nullable Delivery<E> receive(Duration timeout) throws InterruptedException {
        return waitFor(timeout.toNanos(), this::receiveNow);
    }

    boolean isAcknowledged() {
        return shape.isAcknowledged();
    }

    @Nullable Delivery<E> receiveNow() {
        requireOpen();
        if (!shape.isAcknowledged()) {
            throw new IllegalStateException(
                    "queue '" + name + "' was created with " + shape.delivery() + ": what is taken needs no acknowledgement");
        }
        List<Taken<E>> taken = new ArrayList<>(1);
        head.take(1, true, taken);
        // What is not returned here comes back when its claim has lapsed.
        return taken.isEmpty() ? null : delivery(taken.getFirst());
    }

    private Delivery<E> delivery(Taken<E> taken) {
        return new Delivery<>(taken.get(), taken.slot(), scan, QueueSlot.taken(segments.nextTaker()));
    }

    /// Tries until there is an answer, the patience is over, or the thread is interrupted; at least once.
    private <T> @Nullable T waitFor(long patienceNanos, Supplier<@Nullable T> attempt) throws InterruptedException {
        long begin = memory.clock().getAsLong();
        Backoff backoff = new Backoff(memory);
        while (true) {
            if (Thread.interrupted()) {
                throw new InterruptedException("interrupted while waiting for queue '" + name + "'");
            }
            T answer = attempt.get();
            if (answer != null) {
                return answer;
            }
            long left = patienceNanos - (memory.clock().getAsLong() - begin);
            if (left <= 0) {
                return null;
            }
            backoff.pause(left);
        }
    }

    /// The first element, which stays; `null` if the queue is empty. Four round trips.
    @Override
    public @Nullable E peek() {
        requireOpen();
        E kept = returned.peek();
        return kept != null ? kept : scan.peek();
    }

    /// Moves all elements to `target`, in order, with three round trips for every 64.
    @Override
    public int drainTo(Collection<? super E> target) {
        return drainTo(target, Integer.MAX_VALUE);
    }

    /// Moves up to `most` elements to `target`, in order. If `target` refuses one, it and those that had been taken with it are
    /// given back, if delivery is [DeliveryMode#ACKNOWLEDGED], or else kept for the next callers of this object. Acknowledging
    /// costs one round trip more for every 64; what fails to be acknowledged comes back.
    ///
    /// @throws OutcomeUnknownException if elements may have been taken that are not in `target`; those before them are
    @Override
    public int drainTo(Collection<? super E> target, int most) {
        Objects.requireNonNull(target, "target");
        if (target == this) {
            throw new IllegalArgumentException("a queue cannot be drained to itself");
        }
        requireOpen();
        int moved = 0;
        for (E kept = most > 0 ? returned.poll() : null; kept != null; kept = moved < most ? returned.poll() : null) {
            target.add(kept);
            moved++;
        }
        while (moved < most) {
            List<Taken<E>> taken = new ArrayList<>();
            try {
                head.take(most - moved, shape.isAcknowledged(), taken);
            } catch (OutcomeUnknownException e) {
                deliver(taken, target, most - moved);
                throw e;
            }
            if (taken.isEmpty()) {
                break;
            }
            moved += deliver(taken, target, most - moved);
        }
        return moved;
    }

    private int deliver(List<Taken<E>> taken, Collection<? super E> target, int most) {
        int delivered = 0;
        try {
            while (delivered < taken.size() && delivered < most) {
                target.add(taken.get(delivered).get());
                delivered++;
            }
            return delivered;
        } finally {
            if (shape.isAcknowledged()) {
                acknowledge(taken.subList(0, delivered));
                release(taken.subList(delivered, taken.size()));
            } else {
                keep(taken.subList(delivered, taken.size()));
            }
        }
    }

    /// Claims up to `most` elements, for [#acknowledge] or [#release].
    List<Taken<E>> claim(int most) {
        requireOpen();
        List<Taken<E>> claimed = new ArrayList<>();
        head.take(most, true, claimed);
        return claimed;
    }

    void acknowledge(List<Taken<E>> claimed) {
        if (!claimed.isEmpty()) {
            scan.takeAll(claimed.stream().map(Taken::slot).toList());
        }
    }

    /// Gives back what was claimed. What cannot be decoded comes back by itself, later: nobody can use it sooner.
    void release(List<Taken<E>> claimed) {
        for (Taken<E> element : claimed) {
            if (element.value() != null) {
                delivery(element).release();
            }
        }
    }

    /// Takes all elements and drops them.
    @Override
    public void clear() {
        requireOpen();
        List<Taken<E>> taken = new ArrayList<>();
        do {
            returned.clear();
            taken.clear();
            head.take(QueueHead.TAKE_MAX, shape.isAcknowledged(), taken);
            if (shape.isAcknowledged()) {
                acknowledge(taken);
            }
        } while (!taken.isEmpty());
    }

    /// Removes the first element that equals `element`, from wherever it is. Costs an iteration up to it and two round trips.
    @Override
    public boolean remove(@Nullable Object element) {
        requireOpen();
        if (element == null) {
            return false;
        }
        if (returned.remove(element)) {
            return true;
        }
        QueueIterator<E> iterator = new QueueIterator<>(scan, segments);
        while (iterator.hasNext()) {
            if (element.equals(iterator.next()) && iterator.removeLast()) {
                return true;
            }
        }
        return false;
    }

    /// The number of elements that wait; exact if nobody changes the queue. Reads 8 bytes for each, in one round trip a segment.
    @Override
    public int size() {
        requireOpen();
        return (int) Math.min(shape.capacity(), returned.size() + scan.count());
    }

    @Override
    public boolean isEmpty() {
        requireOpen();
        return returned.isEmpty() && scan.isEmpty();
    }

    /// How many elements a bounded queue takes before it is full; else [Integer#MAX_VALUE].
    @Override
    public int remainingCapacity() {
        return shape.isBounded() ? (int) Math.max(0, shape.capacity() - scan.count()) : Integer.MAX_VALUE;
    }

    /// The elements that wait, in order, weakly consistent; see [RemoteQueue].
    @Override
    public Iterator<E> iterator() {
        requireOpen();
        QueueIterator<E> waiting = new QueueIterator<>(scan, segments);
        return returned.isEmpty() ? waiting : Iterators.concat(returned.iterator(), waiting);
    }

    @Override
    public Spliterator<E> spliterator() {
        return Spliterators.spliteratorUnknownSize(iterator(),
                Spliterator.ORDERED | Spliterator.NONNULL | Spliterator.CONCURRENT);
    }

    /// The same queue with methods that return futures.
    public AsyncRemoteQueue<E> async() {
        return new AsyncRemoteQueue<>(this, workers);
    }

    /// Keeps an element that could not be delivered for the next caller.
    void takeBack(E element) {
        returned.add(element);
    }

    /// The queue's name.
    public String name() {
        return name;
    }

    private void requireOpen() {
        if (isClosed) {
            throw new IllegalStateException("queue '" + name + "' is closed");
        }
    }

    /// Ends this object's use of the queue: the session gives back the leases and unused blocks that it holds for it. The queue
    /// stays. Elements that this object took and could not deliver go to the end of the queue, as far as there is room.
    @Override
    public void close() {
        if (!isClosed) {
            workers.close();
            putBack();
            isClosed = true;
            memory.close();
        }
    }

    private void putBack() {
        List<E> undelivered = new ArrayList<>();
        for (E element = returned.poll(); element != null; element = returned.poll()) {
            undelivered.add(element);
        }
        int put = 0;
        try {
            while (put < undelivered.size() && offer(undelivered.get(put))) {
                put++;
            }
        } catch (RuntimeException e) {
            LOG.log(Level.WARNING, "queue '" + name + "': could not put back elements that were taken and not delivered", e);
        }
        if (put < undelivered.size()) {
            LOG.log(Level.WARNING, "queue ''{0}'': lost {1} elements that were taken and not delivered, of {2}", name,
                    undelivered.size() - put, undelivered.size());
        }
    }
}
