package io.leasehold.benchmarks;

import io.leasehold.rdma.AccessFlag;
import io.leasehold.rdma.CompletionQueue;
import io.leasehold.rdma.MemoryRegion;
import io.leasehold.rdma.PostStatus;
import io.leasehold.rdma.ProtectionDomain;
import io.leasehold.rdma.QueuePair;
import io.leasehold.rdma.QueuePairOptions;
import io.leasehold.rdma.RdmaDevice;
import io.leasehold.rdma.SendBatch;
import io.leasehold.rdma.WorkCompletion;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.Set;

/// One side of a queue pair that carries small messages by SEND and RECV, a slot for each that may be on the way. For one thread.
final class RpcEndpoint implements AutoCloseable {
    static final int SLOTS = 64;
    static final int SLOT_BYTES = 8192;
    private static final int COMPLETIONS = 4 * SLOTS;
    private static final int YIELDS_MAX = 500;
    private static final Duration NAP = Duration.ofMillis(100);

    private final Arena arena = Arena.ofShared();
    private final ProtectionDomain domain;
    private final CompletionQueue sent;
    private final CompletionQueue received;
    private final MemoryRegion region;
    private final WorkCompletion completion = new WorkCompletion();
    private final SendBatch batch;
    final QueuePair queuePair;

    /// An endpoint that is ready to be connected: its receives are posted.
    RpcEndpoint(RdmaDevice device) {
        domain = device.allocateProtectionDomain();
        sent = device.createCompletionQueue(COMPLETIONS);
        received = device.createCompletionQueue(COMPLETIONS);
        region = domain.register(arena.allocate(2L * SLOTS * SLOT_BYTES, 64), Set.of(AccessFlag.LOCAL_WRITE));
        queuePair = domain.createQueuePair(QueuePairOptions.of(sent, received).withDepth(2 * SLOTS, 2 * SLOTS));
        queuePair.toInit();
        for (int slot = 0; slot < SLOTS; slot++) {
            receiveInto(slot);
        }
        batch = queuePair.newSendBatch();
    }

    /// Where the message that came into a slot is.
    MemorySegment incoming(int slot) {
        return region.memory().asSlice((long) slot * SLOT_BYTES, SLOT_BYTES);
    }

    /// Where the message to send from a slot has to be.
    MemorySegment outgoing(int slot) {
        return region.memory().asSlice((long) (SLOTS + slot) * SLOT_BYTES, SLOT_BYTES);
    }

    /// Makes a slot free for the next message.
    void receiveInto(int slot) {
        require(queuePair.postReceive(slot, region, (long) slot * SLOT_BYTES, SLOT_BYTES));
    }

    /// Adds a message to the next doorbell.
    void add(int slot, int lengthBytes) {
        batch.send(slot, region, (long) (SLOTS + slot) * SLOT_BYTES, lengthBytes);
    }

    /// Rings the doorbell.
    void post() {
        while (sent.poll(completion)) {
            requireSuccess();
        }
        require(batch.post());
    }

    /// The slot of the next message, or -1 if there is none now.
    int poll() {
        if (!received.poll(completion)) {
            return -1;
        }
        requireSuccess();
        return (int) completion.id();
    }

    /// Waits until there may be a message: by looking and yielding, then asleep.
    ///
    /// @param idle how often in a row there was none
    void await(int idle) throws InterruptedException {
        if (idle < YIELDS_MAX) {
            Thread.yield();
        } else {
            received.await(NAP);
        }
    }

    private void requireSuccess() {
        if (!completion.succeeded()) {
            throw new IllegalStateException("the connection has ended: " + completion);
        }
    }

    private static void require(PostStatus status) {
        if (status != PostStatus.POSTED) {
            throw new IllegalStateException("not posted: " + status);
        }
    }

    @Override
    public void close() {
        queuePair.close();
        region.close();
        received.close();
        sent.close();
        domain.close();
        arena.close();
    }
}
