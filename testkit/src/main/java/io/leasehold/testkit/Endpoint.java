package io.leasehold.testkit;

import static org.assertj.core.api.Assertions.assertThat;

import io.leasehold.rdma.AccessFlag;
import io.leasehold.rdma.CompletionQueue;
import io.leasehold.rdma.MemoryRegion;
import io.leasehold.rdma.MemoryWindow;
import io.leasehold.rdma.MemoryWindowType;
import io.leasehold.rdma.PostStatus;
import io.leasehold.rdma.QueuePair;
import io.leasehold.rdma.QueuePairState;
import io.leasehold.rdma.RemoteKey;
import io.leasehold.rdma.SendBatch;
import io.leasehold.rdma.WorkCompletion;
import io.leasehold.rdma.WorkCompletionStatus;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;

/// A queue pair with a completion queue of its own, and blocking forms of its requests. For one thread at a time.
public final class Endpoint implements AutoCloseable {
    /// How long a test waits for what must come.
    public static final Duration PATIENCE = Duration.ofSeconds(20);

    private final Host host;
    private final QueuePair queuePair;
    private final CompletionQueue completions;
    private final SendBatch batch;
    private final WorkCompletion flyweight = new WorkCompletion();
    private long lastId;

    Endpoint(Host host, QueuePair queuePair, CompletionQueue completions) {
        this.host = host;
        this.queuePair = queuePair;
        this.completions = completions;
        batch = queuePair.newSendBatch();
    }

    /// Where it lives.
    public Host host() {
        return host;
    }

    /// The queue pair.
    public QueuePair queuePair() {
        return queuePair;
    }

    /// Where all its completions go.
    public CompletionQueue completions() {
        return completions;
    }

    /// A work-request id that was not used before.
    public long nextId() {
        return ++lastId;
    }

    /// Connects to `listening`, whose host answers; both are ready to send when it returns.
    public void connect(Endpoint listening) {
        listening.host.expect(this, listening);
        Await.until(PATIENCE, "the accepting queue pair is ready to send",
                () -> listening.queuePair.state() == QueuePairState.RTS);
        assertThat(queuePair.state()).isEqualTo(QueuePairState.RTS);
    }

    /// Starts over on both sides: reset, and connected again. Completions that were not polled are thrown away.
    public void reconnect(Endpoint listening) {
        queuePair.toReset();
        listening.queuePair.toReset();
        drop();
        listening.drop();
        connect(listening);
    }

    private void drop() {
        while (completions.poll(flyweight)) {
            // Of no interest any more.
        }
    }

    /// Posts what `requests` adds to a batch.
    ///
    /// @throws AssertionError if it is not taken
    public void post(Consumer<SendBatch> requests) {
        assertThat(tryPost(requests)).isEqualTo(PostStatus.POSTED);
    }

    /// Posts what `requests` adds to a batch.
    public PostStatus tryPost(Consumer<SendBatch> requests) {
        batch.clear();
        requests.accept(batch);
        return batch.post();
    }

    /// Posts what `requests` adds to a batch and waits for one completion.
    public Completed run(Consumer<SendBatch> requests) {
        post(requests);
        return await();
    }

    /// Posts a receive.
    public void receive(long id, MemoryRegion region, long offset, int lengthBytes) {
        assertThat(queuePair.postReceive(id, region, offset, lengthBytes)).isEqualTo(PostStatus.POSTED);
    }

    /// The oldest completion, if there is one.
    public Optional<Completed> poll() {
        return completions.poll(flyweight) ? Optional.of(Completed.of(flyweight)) : Optional.empty();
    }

    /// The next completion.
    public Completed await() {
        return await(PATIENCE).orElseThrow(() -> new AssertionError("no completion within " + PATIENCE + " on " + this));
    }

    /// The next completion, if it comes within `timeout`.
    public Optional<Completed> await(Duration timeout) {
        try {
            long start = System.nanoTime();
            while (!completions.poll(flyweight)) {
                Duration left = timeout.minusNanos(System.nanoTime() - start);
                if (left.isNegative() || !completions.await(left)) {
                    return Optional.empty();
                }
            }
            return Optional.of(Completed.of(flyweight));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new AssertionError("interrupted on " + this, e);
        }
    }

    /// The next `count` completions.
    public List<Completed> await(int count) {
        List<Completed> completed = new ArrayList<>(count);
        while (completed.size() < count) {
            completed.add(await(PATIENCE).orElseThrow(() -> new AssertionError(
                    completed.size() + " of " + count + " completions within " + PATIENCE + " on " + this + ": " + completed)));
        }
        return completed;
    }

    /// RDMA READ.
    public Completed read(MemoryRegion local, long offset, int lengthBytes, long address, int key) {
        return run(requests -> requests.read(nextId(), local, offset, lengthBytes, address, key));
    }

    /// RDMA WRITE.
    public Completed write(MemoryRegion local, long offset, int lengthBytes, long address, int key) {
        return run(requests -> requests.write(nextId(), local, offset, lengthBytes, address, key));
    }

    /// Atomic compare-and-swap.
    public Completed compareAndSwap(MemoryRegion local, long offset, long address, int key, long expected, long desired) {
        return run(requests -> requests.compareAndSwap(nextId(), local, offset, address, key, expected, desired));
    }

    /// Atomic fetch-and-add.
    public Completed fetchAndAdd(MemoryRegion local, long offset, long address, int key, long addend) {
        return run(requests -> requests.fetchAndAdd(nextId(), local, offset, address, key, addend));
    }

    /// SEND.
    public Completed send(MemoryRegion local, long offset, int lengthBytes) {
        return run(requests -> requests.send(nextId(), local, offset, lengthBytes));
    }

    /// SEND that invalidates the peer's window with `peerKey`.
    public Completed sendWithInvalidate(MemoryRegion local, long offset, int lengthBytes, int peerKey) {
        return run(requests -> requests.sendWithInvalidate(nextId(), local, offset, lengthBytes, peerKey));
    }

    /// Allocates a window and binds it here to `lengthBytes` of `region` from `offset`.
    ///
    /// @throws AssertionError if it cannot be bound
    public BoundWindow bind(MemoryWindowType type, MemoryRegion region, long offset, long lengthBytes, AccessFlag... access) {
        return bind(host.window(type), region, offset, lengthBytes, access);
    }

    /// Binds `window` here to `lengthBytes` of `region` from `offset`, type 2 with the variant after its last one.
    ///
    /// @throws AssertionError if it cannot be bound
    public BoundWindow bind(MemoryWindow window, MemoryRegion region, long offset, long lengthBytes, AccessFlag... access) {
        int newKey = new RemoteKey(window.remoteKey()).next().value();
        long address = region.address() + offset;
        assertThat(run(requests -> requests.bindMemoryWindow(nextId(), window, newKey, region, address, lengthBytes,
                AccessFlag.mask(access))).status()).as("bind").isEqualTo(WorkCompletionStatus.SUCCESS);
        return new BoundWindow(window, window.remoteKey(), address, lengthBytes);
    }

    /// LOCAL_INV of a window bound here.
    public Completed invalidate(int key) {
        return run(requests -> requests.localInvalidate(nextId(), key));
    }

    @Override
    public void close() {
        queuePair.close();
        completions.close();
    }

    @Override
    public String toString() {
        return host + " queue pair " + queuePair.number() + " in " + queuePair.state();
    }
}
