package io.leasehold.rdma.internal.soft;

import io.leasehold.rdma.AsyncEvent;
import io.leasehold.rdma.MemoryRegion;
import io.leasehold.rdma.PostStatus;
import io.leasehold.rdma.QueuePairAddress;
import io.leasehold.rdma.QueuePairOptions;
import io.leasehold.rdma.QueuePairState;
import io.leasehold.rdma.WorkCompletionStatus;
import io.leasehold.rdma.internal.NicClock;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/// The data path of a queue pair: its two work queues, its state, and the wire they work over.
///
/// Locks, outermost first: the queue pair's `control` (see [SoftQueuePair]), `sendLock` (the send queue and what the wire
/// transmits), then leaves: the receive queue's monitor, window and region monitors, a completion queue's lock. No handler of the
/// user runs, and no second queue pair's lock is taken, while one of them is held.
///
/// The state may fall to ERR at any moment without a lock ([#markError]): that stops service at once, and whoever marked it sees
/// to it that [#finishError] flushes the queues when it holds no lock.
final class WorkQueues {
    /// How long closing waits for the thread of a link.
    private static final long END_NANOS = 2_000_000_000L;

    private final SoftDevice device;
    private final SoftProtectionDomain domain;
    private final int number;
    private final QueuePairOptions options;
    private final SoftCompletionQueue sendCompletions;
    private final SoftCompletionQueue receiveCompletions;
    private final SendQueue sends;
    private final ReceiveQueue receives;
    private final Responder responder;
    private final Mischief sendMischief;
    private final Mischief receiveMischief;
    private final Gate gate = new Gate();
    private final AtomicReference<QueuePairState> state = new AtomicReference<>(QueuePairState.RESET);
    private final ReentrantLock sendLock = new ReentrantLock();
    private volatile @Nullable Wire wire;
    private volatile @Nullable QueuePairAddress remote;
    private volatile boolean closed;
    private long drainLimit;

    /// The work queues of a new queue pair.
    ///
    /// @param ordinal which queue pair of its device this is, for the decisions of the hostile fabric
    WorkQueues(SoftDevice device, SoftProtectionDomain domain, int number, QueuePairOptions options,
            SoftCompletionQueue sendCompletions, SoftCompletionQueue receiveCompletions, int ordinal) {
        this.device = device;
        this.domain = domain;
        this.number = number;
        this.options = options;
        this.sendCompletions = sendCompletions;
        this.receiveCompletions = receiveCompletions;
        sends = new SendQueue(this, sendCompletions, options.maxSendRequests(), options.maxInlineBytes());
        receives = new ReceiveQueue(this, receiveCompletions, options.maxReceiveRequests());
        responder = new Responder(this, device.keys(), new Mischief(device.hostility(), ordinal, Mischief.OF_REQUESTS));
        sendMischief = new Mischief(device.hostility(), ordinal, Mischief.OF_SENDS);
        receiveMischief = new Mischief(device.hostility(), ordinal, Mischief.OF_RECEIVES);
    }

    SoftDevice device() {
        return device;
    }

    SoftProtectionDomain domain() {
        return domain;
    }

    int number() {
        return number;
    }

    QueuePairOptions options() {
        return options;
    }

    SendQueue sends() {
        return sends;
    }

    ReceiveQueue receives() {
        return receives;
    }

    Responder responder() {
        return responder;
    }

    Gate gate() {
        return gate;
    }

    ReentrantLock sendLock() {
        return sendLock;
    }

    QueuePairState state() {
        return state.get();
    }

    boolean isClosed() {
        return closed;
    }

    @Nullable Wire wire() {
        return wire;
    }

    @Nullable QueuePairAddress remote() {
        return remote;
    }

    int maxInlineBytes() {
        return options.maxInlineBytes();
    }

    long receiverNotReadyNanos() {
        return NicClock.nanosOf(options.receiverNotReadyTimeout());
    }

    /// What happens to completions of a queue on the hostile fabric.
    Mischief mischief(boolean ofReceive) {
        return ofReceive ? receiveMischief : sendMischief;
    }

    // ---- requests

    /// Whether a request may name this local range.
    boolean isLocalRange(MemoryRegion region, long offset, int lengthBytes) {
        return region instanceof SoftMemoryRegion own && own.domain() == domain && !own.isClosed() && offset >= 0
                && lengthBytes >= 0 && offset <= own.lengthBytes() - lengthBytes
                && lengthBytes <= SoftDevice.MAX_MESSAGE_BYTES;
    }

    /// Posts what a batch holds.
    PostStatus post(SoftSendBatch batch) {
        int effects = Wire.NOTHING;
        Wire current;
        sendLock.lock();
        try {
            PostStatus status = admit(batch);
            if (status != PostStatus.POSTED) {
                return status;
            }
            sends.append(batch.requests(), batch.size());
            current = wire;
            effects = pump(current);
        } finally {
            sendLock.unlock();
        }
        settle(current, effects);
        return PostStatus.POSTED;
    }

    private PostStatus admit(SoftSendBatch batch) {
        if (closed) {
            return PostStatus.CLOSED;
        }
        QueuePairState now = state.get();
        if (now != QueuePairState.RTS && now != QueuePairState.SQD && now != QueuePairState.ERR) {
            return PostStatus.INVALID_STATE;
        }
        if (batch.verdict() != PostStatus.POSTED) {
            return batch.verdict();
        }
        return sends.hasRoomFor(batch.size()) ? PostStatus.POSTED : PostStatus.QUEUE_FULL;
    }

    /// Carries on with the send queue, or flushes it. The caller holds the send lock.
    private int pump(@Nullable Wire current) {
        int effects = Wire.NOTHING;
        QueuePairState now = state.get();
        if (current != null && (now == QueuePairState.RTS || now == QueuePairState.SQD)) {
            effects = current.pump(now == QueuePairState.SQD ? drainLimit : sends.tail());
        }
        if (state.get() == QueuePairState.ERR) {
            flushSends(current);
        }
        return effects;
    }

    private void flushSends(@Nullable Wire current) {
        sends.flush(current == null ? 0 : current.giveUp());
    }

    private void settle(@Nullable Wire current, int effects) {
        if (current != null) {
            current.settle(effects);
        }
        tell();
    }

    /// Carries on with the send queue after something it waited for. The caller holds no lock.
    void resume() {
        int effects;
        Wire current;
        sendLock.lock();
        try {
            current = wire;
            effects = pump(current);
        } finally {
            sendLock.unlock();
        }
        settle(current, effects);
    }

    /// Runs the handlers of the completion queues, if there is something new. The caller holds no lock.
    void tell() {
        sendCompletions.tell();
        if (receiveCompletions != sendCompletions) {
            receiveCompletions.tell();
        }
    }

    /// Posts a receive.
    PostStatus postReceive(long id, MemoryRegion region, long offset, int lengthBytes) {
        if (closed) {
            return PostStatus.CLOSED;
        }
        if (state.get() == QueuePairState.RESET) {
            return PostStatus.INVALID_STATE;
        }
        if (!isLocalRange(region, offset, lengthBytes)) {
            return PostStatus.INVALID_REQUEST;
        }
        PostStatus status = receives.post(id, region.address() + offset, region.localKey(), lengthBytes);
        if (status == PostStatus.POSTED) {
            Wire current = wire;
            if (state.get() == QueuePairState.ERR) {
                finishError("a receive was posted after the failure");
            } else if (current != null && receives.takeWaitingSender()) {
                current.receivePosted();
            }
        }
        return status;
    }

    /// Whether a local range may be touched so, as far as can be told from outside: a request that does so for certain enters.
    boolean looksLocal(int key, long address, int length, boolean write) {
        KeyEntry entry = device.keys().find(key);
        return entry != null && entry.isInForce(key) && entry.allowsLocal(domain, address, length, write);
    }

    /// Enters the entry of a local range, or answers `null` if it may not be touched so.
    @Nullable KeyEntry enterLocal(int key, long address, int length, boolean write) {
        KeyEntry entry = device.keys().find(key);
        if (entry == null || !entry.enter(key)) {
            return null;
        }
        if (!entry.allowsLocal(domain, address, length, write)) {
            entry.leave();
            return null;
        }
        return entry;
    }

    /// Carries out a bind or a local invalidation.
    WorkCompletionStatus carryOutLocally(WorkRequests requests, int slot) {
        int key = (int) requests.get(slot, WorkRequests.EXTRA);
        if (requests.opcode(slot) == WorkRequests.INVALIDATE) {
            return device.invalidate(this, key) ? WorkCompletionStatus.SUCCESS : WorkCompletionStatus.LOC_QP_OP_ERR;
        }
        boolean bound = requests.window(slot).bind(this, key, requests.region(slot), requests.get(slot, WorkRequests.REMOTE),
                requests.get(slot, WorkRequests.OPERAND), (int) requests.get(slot, WorkRequests.SWAP));
        return bound ? WorkCompletionStatus.SUCCESS : WorkCompletionStatus.MW_BIND_ERR;
    }

    /// Gives back places of a queue; see [SendQueue#reclaim].
    void reclaim(boolean ofReceive, long place) {
        if (ofReceive) {
            receives.reclaim(place);
        } else {
            sends.reclaim(place);
        }
    }

    // ---- failure

    /// Makes the state ERR and lets no more requests in. Takes no lock.
    ///
    /// @return whether it was another state before; then [#finishError] must follow once no lock is held
    boolean markError() {
        gate.shut();
        boolean first = state.getAndSet(QueuePairState.ERR) != QueuePairState.ERR;
        if (first && state.get() == QueuePairState.ERR) {
            // A connection that came up in between has opened it again.
            gate.shut();
        }
        return first;
    }

    /// Flushes both queues and ends the connection. The caller holds no lock; without effect if the queue pair was reset
    /// meanwhile.
    void finishError(String cause) {
        if (state.get() != QueuePairState.ERR) {
            return;
        }
        // What is under way completes before what is flushed.
        gate.awaitEmpty();
        Wire current;
        sendLock.lock();
        try {
            if (state.get() != QueuePairState.ERR || closed) {
                return;
            }
            current = wire;
            flushSends(current);
            responder.abandonReceive(WorkCompletionStatus.WR_FLUSH_ERR);
            receives.flush();
        } finally {
            sendLock.unlock();
        }
        if (current != null) {
            current.breakOff(cause);
        }
        tell();
    }

    /// Fails the oldest request with `status`, if `still` holds under the send lock; of no account if `from` is a wire of a former
    /// life. The caller holds no lock.
    void failHead(Wire from, WorkCompletionStatus status, BooleanSupplier still) {
        sendLock.lock();
        try {
            QueuePairState now = state.get();
            boolean works = now == QueuePairState.RTS || now == QueuePairState.SQD;
            if (wire != from || !works || sends.done() == sends.tail() || !still.getAsBoolean()) {
                return;
            }
            markError();
            // A peer that is silent may have done the rest as well; one that has no receive has done nothing.
            long inDoubt = from.giveUp();
            sends.finish(status);
            sends.flush(status == WorkCompletionStatus.RETRY_EXC_ERR ? inDoubt : 0);
        } finally {
            sendLock.unlock();
        }
        finishError("the peer did not serve a request: " + status);
    }

    /// The peer disconnected, or the link broke; of no account if `from` is a link of a former life. The caller holds no lock.
    void wireBroke(Wire from, AsyncEvent.Type event, String cause) {
        sendLock.lock();
        try {
            if (wire != from || closed) {
                return;
            }
            if (markError()) {
                raise(event, cause);
            }
        } finally {
            sendLock.unlock();
        }
        finishError(cause);
    }

    /// Whether `candidate` is the wire of this queue pair now.
    boolean isOn(Wire candidate) {
        return wire == candidate;
    }

    /// Carries on with the send queue over `current`; the caller holds the send lock and settles.
    int pumpOn(Wire current) {
        return pump(current);
    }

    void raise(AsyncEvent.Type type, String detail) {
        device.raise(new AsyncEvent(type, number, detail));
    }

    // ---- life; the caller holds the control lock of the queue pair, but for #finishClose

    /// Lets those who poll the completion queues carry on a wire themselves.
    void addPolled(PolledWire polled) {
        sendCompletions.addPolled(polled);
        if (receiveCompletions != sendCompletions) {
            receiveCompletions.addPolled(polled);
        }
    }

    /// Undoes [#addPolled].
    void removePolled(PolledWire polled) {
        sendCompletions.removePolled(polled);
        receiveCompletions.removePolled(polled);
    }

    /// Makes a state follow another, unless it is a third by now.
    boolean change(QueuePairState from, QueuePairState to) {
        return state.compareAndSet(from, to);
    }

    /// Says who the peer will be.
    void expect(QueuePairAddress peer) {
        remote = peer;
    }

    /// Begins to work over a new wire.
    ///
    /// @return `false` if the state is not `from` any more
    boolean join(Wire newWire, QueuePairAddress peer, QueuePairState from, QueuePairState to) {
        remote = peer;
        wire = newWire;
        gate.open();
        if (state.compareAndSet(from, to)) {
            return true;
        }
        // A completion queue overflowed just now, and whoever marked the error flushes.
        gate.shut();
        wire = null;
        return false;
    }

    /// Has what is posted from now on wait.
    void drain() {
        sendLock.lock();
        try {
            drainLimit = sends.tail();
            state.compareAndSet(QueuePairState.RTS, QueuePairState.SQD);
        } finally {
            sendLock.unlock();
        }
    }

    /// Starts over after an error, if the wire is still `old`, which was broken off.
    void reset(@Nullable Wire old) {
        sendLock.lock();
        try {
            if (state.get() == QueuePairState.ERR && wire == old && !closed) {
                sends.drop();
                receives.drop();
                responder.forget();
                wire = null;
                remote = null;
                state.set(QueuePairState.RESET);
            }
        } finally {
            sendLock.unlock();
        }
    }

    /// Takes no more requests from either side.
    ///
    /// @return whether it did until now
    boolean close() {
        boolean first = !closed;
        closed = true;
        markError();
        return first;
    }

    /// Begins to end the connection after [#close], and drops what is outstanding, without completions. The caller holds no lock.
    void breakOff() {
        sendLock.lock();
        try {
            sends.drop();
        } finally {
            sendLock.unlock();
        }
        Wire last = wire;
        if (last != null) {
            last.breakOff("the peer closed its queue pair");
        }
    }

    /// Waits for the end of the connection after [#breakOff]. When it returns, no request of the peer can take effect any more.
    void finishClose() {
        gate.awaitEmpty();
        Wire last = wire;
        if (last != null) {
            last.awaitEnd(NicClock.nanos() + END_NANOS);
        }
        receives.drop();
        sendCompletions.unuse(this);
        receiveCompletions.unuse(this);
    }
}
