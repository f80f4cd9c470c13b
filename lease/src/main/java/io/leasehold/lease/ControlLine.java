package io.leasehold.lease;

import io.leasehold.rdma.CompletionQueue;
import io.leasehold.rdma.MemoryRegion;
import io.leasehold.rdma.PostStatus;
import io.leasehold.rdma.QueuePair;
import io.leasehold.rdma.SendBatch;
import java.lang.foreign.MemorySegment;

/// One control queue pair and the messages in its buffers. Guarded by the lock of its [ControlChannel].
final class ControlLine {
    /// Makes control queue pairs.
    interface Source {
        /// Where the completions of all of them go.
        CompletionQueue completions();

        /// Connects one.
        ///
        /// @throws io.leasehold.rdma.RdmaException if there is no connection by `deadlineNanos`
        ControlLine connect(long deadlineNanos);
    }

    /// Bytes of buffers that one line needs.
    static final long BUFFER_BYTES = (long) (ControlCodec.RECEIVES + ControlPlaces.COUNT) * ControlCodec.MESSAGE_BYTES;

    private static final int RECEIVE = 0x80;
    private static final int PLACE_MASK = 0x7f;
    private static final int GENERATION_SHIFT = 8;

    private final QueuePair queuePair;
    private final MemoryRegion buffers;
    private final MemorySegment memory;
    private final SendBatch batch;
    private final long generation;

    ControlLine(QueuePair queuePair, MemoryRegion buffers, long generation) {
        this.queuePair = queuePair;
        this.buffers = buffers;
        memory = buffers.memory();
        batch = queuePair.newSendBatch();
        this.generation = generation;
    }

    /// Posts all receives; the queue pair is in INIT.
    void postReceives() {
        for (int slot = 0; slot < ControlCodec.RECEIVES; slot++) {
            PostStatus status = postReceive(slot);
            if (status != PostStatus.POSTED) {
                throw new IllegalStateException("a receive was not posted: " + status);
            }
        }
    }

    private PostStatus postReceive(int slot) {
        return queuePair.postReceive(generation << GENERATION_SHIFT | RECEIVE | slot, buffers,
                (long) slot * ControlCodec.MESSAGE_BYTES, ControlCodec.MESSAGE_BYTES);
    }

    /// Whether the completion of the request `id` is of this line.
    boolean owns(long id) {
        return id >>> GENERATION_SHIFT == generation;
    }

    /// Adds a message to the next doorbell.
    void add(int place, long requestId, ControlMessage message) {
        long offset = (long) (ControlCodec.RECEIVES + place) * ControlCodec.MESSAGE_BYTES;
        int length = ControlCodec.encode(requestId, message, memory.asSlice(offset, ControlCodec.MESSAGE_BYTES));
        batch.send(generation << GENERATION_SHIFT | place, buffers, offset, length);
    }

    /// Rings the doorbell, if anything was added.
    PostStatus ring() {
        return batch.size() == 0 ? PostStatus.POSTED : batch.post();
    }

    /// Reads the message that the receive `id` brought, and posts the receive again.
    ControlCodec.Frame take(long id, int lengthBytes) throws MalformedMessageException {
        int slot = (int) id & PLACE_MASK;
        try {
            return ControlCodec.decode(memory.asSlice((long) slot * ControlCodec.MESSAGE_BYTES, lengthBytes));
        } finally {
            // If the queue pair takes it no more, its completions say so.
            postReceive(slot);
        }
    }

    void close() {
        queuePair.close();
    }
}
