package io.leasehold.lease;

import io.leasehold.lease.ControlCodec.Frame;
import io.leasehold.lease.ControlMessage.Reply;
import io.leasehold.rdma.AccessFlag;
import io.leasehold.rdma.CompletionQueue;
import io.leasehold.rdma.MemoryRegion;
import io.leasehold.rdma.PostStatus;
import io.leasehold.rdma.ProtectionDomain;
import io.leasehold.rdma.QueuePair;
import io.leasehold.rdma.QueuePairOptions;
import io.leasehold.rdma.RdmaError;
import io.leasehold.rdma.RdmaException;
import io.leasehold.rdma.SendBatch;
import java.lang.foreign.Arena;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.EnumSet;
import java.util.UUID;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/// The node's end of a control queue pair, with its buffers.
///
/// Sending never waits: answers go to free buffers, what finds none waits in a bounded queue, and whatever goes wrong only makes
/// the connection [#isFailed]. A client that posts no receives fails its own connection when the device's patience with it is
/// over. Made on any thread; from then on for the control thread alone.
final class ControlConnection implements AutoCloseable {
    /// Completions that its queue pair can have at one time.
    static final int COMPLETIONS_MAX = ControlCodec.RECEIVES + ControlConnection.SENDS;

    private static final int SENDS = 32;
    private static final int WAITING_MAX = 4 * ControlCodec.RECEIVES;
    private static final int SLOT_BITS = 8;
    private static final int SLOT_MASK = (1 << SLOT_BITS) - 1;
    private static final Duration RESPONSE_TIMEOUT = Duration.ofSeconds(5);
    private static final Duration RECEIVER_NOT_READY_TIMEOUT = Duration.ofSeconds(1);

    private final long serial;
    private final UUID claimed;
    private final Consumer<ControlConnection> onTouched;
    private final Arena arena = Arena.ofShared();
    private final MemoryRegion region;
    private final QueuePair queuePair;
    private final SendBatch batch;
    private final int[] freeSends = new int[SENDS];
    private int free;
    private final ArrayDeque<Frame> waiting = new ArrayDeque<>();
    private @Nullable NodeSession session;
    private boolean failed;
    private boolean leaving;
    private boolean touched;

    /// @param serial a number that no other connection of the node has
    /// @param claimed the session that the client has named
    /// @param onTouched told, on the control thread, when there is something to flush or it has failed
    ControlConnection(long serial, UUID claimed, Consumer<ControlConnection> onTouched, ProtectionDomain domain,
            CompletionQueue completions) {
        this.serial = serial;
        this.claimed = claimed;
        this.onTouched = onTouched;
        long bytes = (long) (ControlCodec.RECEIVES + SENDS) * ControlCodec.MESSAGE_BYTES;
        try {
            region = domain.register(arena.allocate(bytes, ControlCodec.MESSAGE_BYTES), EnumSet.of(AccessFlag.LOCAL_WRITE));
        } catch (RuntimeException | Error e) {
            arena.close();
            throw e;
        }
        try {
            queuePair = domain.createQueuePair(QueuePairOptions.of(completions, completions)
                    .withDepth(SENDS, ControlCodec.RECEIVES).withMaxInlineBytes(0)
                    .withTimeouts(RESPONSE_TIMEOUT, RECEIVER_NOT_READY_TIMEOUT));
        } catch (RuntimeException | Error e) {
            region.close();
            arena.close();
            throw e;
        }
        try {
            batch = queuePair.newSendBatch();
            prepare();
        } catch (RuntimeException | Error e) {
            close();
            throw e;
        }
    }

    private void prepare() {
        for (int i = 0; i < SENDS; i++) {
            freeSends[free++] = ControlCodec.RECEIVES + i;
        }
        queuePair.toInit();
        for (int slot = 0; slot < ControlCodec.RECEIVES; slot++) {
            PostStatus status = repost(slot);
            if (status != PostStatus.POSTED) {
                throw new RdmaException(RdmaError.OUT_OF_RESOURCES, "a receive for messages was not posted: " + status);
            }
        }
    }

    /// The serial number of the connection that the request with this work-request id belongs to.
    static long serialOf(long id) {
        return id >>> SLOT_BITS;
    }

    long serial() {
        return serial;
    }

    QueuePair queuePair() {
        return queuePair;
    }

    /// The session that the client named when it connected.
    UUID claimed() {
        return claimed;
    }

    /// The session that it belongs to, after the Hello.
    @Nullable NodeSession session() {
        return session;
    }

    void attach(@Nullable NodeSession owner) {
        session = owner;
    }

    /// Whether it is of no further use.
    boolean isFailed() {
        return failed;
    }

    void fail() {
        if (!failed) {
            failed = true;
            touch();
        }
    }

    private void touch() {
        if (!touched) {
            touched = true;
            onTouched.accept(this);
        }
    }

    /// Nothing more is said on this connection: it can go when all answers are out.
    void leave() {
        leaving = true;
        touch();
    }

    boolean isLeaving() {
        return leaving;
    }

    boolean hasSentAll() {
        return waiting.isEmpty() && free == SENDS;
    }

    /// Reads the message that a receive of `lengthBytes` with work-request id `id` has brought, and posts the receive again.
    Frame receive(long id, int lengthBytes) throws MalformedMessageException {
        int slot = (int) id & SLOT_MASK;
        try {
            return ControlCodec.decode(region.memory().asSlice(offset(slot), lengthBytes));
        } finally {
            if (repost(slot) != PostStatus.POSTED) {
                fail();
            }
        }
    }

    private PostStatus repost(int slot) {
        return queuePair.postReceive(serial << SLOT_BITS | slot, region, offset(slot), ControlCodec.MESSAGE_BYTES);
    }

    /// Sends an answer with the next [#flush].
    void send(long requestId, Reply reply) {
        if (failed) {
            return;
        }
        if (free == 0) {
            waiting.add(new Frame(requestId, reply));
            if (waiting.size() > WAITING_MAX) {
                // A client that asks, and does not take the answers.
                fail();
            }
            return;
        }
        touch();
        int slot = freeSends[--free];
        int length = ControlCodec.encode(requestId, reply,
                region.memory().asSlice(offset(slot), ControlCodec.MESSAGE_BYTES));
        batch.send(serial << SLOT_BITS | slot, region, offset(slot), length);
    }

    /// Rings the doorbell for what was sent.
    void flush() {
        touched = false;
        if (!failed && batch.size() > 0) {
            failed = batch.post() != PostStatus.POSTED;
        }
    }

    /// The send with work-request id `id` is out.
    void sent(long id) {
        freeSends[free++] = (int) id & SLOT_MASK;
        if (leaving) {
            touch();
        }
        Frame next = waiting.pollFirst();
        if (next != null) {
            send(next.requestId(), (Reply) next.message());
        }
    }

    private static long offset(int slot) {
        return (long) slot * ControlCodec.MESSAGE_BYTES;
    }

    /// Frees it, on any thread; it has failed, or was never used.
    @Override
    public void close() {
        queuePair.close();
        region.close();
        arena.close();
    }
}
