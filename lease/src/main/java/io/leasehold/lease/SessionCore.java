package io.leasehold.lease;

import io.leasehold.lease.ControlMessage.Beat;
import io.leasehold.lease.ControlMessage.BeatReply;
import io.leasehold.lease.ControlMessage.Done;
import io.leasehold.lease.ControlMessage.Goodbye;
import io.leasehold.lease.ControlMessage.Hello;
import io.leasehold.lease.ControlMessage.Relinquish;
import io.leasehold.lease.ControlMessage.Reply;
import io.leasehold.lease.ControlMessage.Request;
import io.leasehold.lease.ControlMessage.Welcome;
import io.leasehold.lease.LeaseEnding.Loss;
import io.leasehold.lease.SessionState.End;
import io.leasehold.rdma.EndpointAddress;
import io.leasehold.rdma.RdmaDevice;
import io.leasehold.rdma.RdmaException;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/// The parts of a session and its life: connecting, signs of life, recovery of the control connection, the end.
final class SessionCore {
    private static final System.Logger LOG = System.getLogger(SessionCore.class.getName());
    private static final int CLOCK_EXCHANGES = 8;
    /// The clocks' bound widens by drift × this between two exchanges: 50 µs at the default drift.
    private static final long BEAT_MAX_NANOS = 250_000_000;
    private static final long BEAT_MIN_NANOS = 5_000_000;
    private static final int BEATS_PER_TERM = 4;
    private static final int CLOSE_SHARE = 4;
    private static final long CLOSE_POLL_NANOS = 200_000;
    private static final long CLOSE_RETRY_NANOS = 20_000_000;

    private final UUID id;
    private final SessionOptions options;
    private final long timeoutNanos;
    private final SessionState state;
    private final ClusterClock clock;
    private final CallbackQueue callbacks = new CallbackQueue();
    private final Connector connector;
    private final ControlChannel control;
    private final ChainPath path;
    private final ChainFailure failure;
    private final SingleOperations operations;
    private final BatchPool batches;
    private final LeaseTable leases;
    private final Departures departures;
    private final Recovery recovery;
    private final Reconnection reconnection;
    private final AtomicBoolean closing = new AtomicBoolean();
    // Threads that are ending it, and may be closing queue pairs.
    private final AtomicInteger ending = new AtomicInteger();
    private final ReentrantLock freeing = new ReentrantLock();
    private boolean freed;

    // Set while connecting, before anybody else sees the session.
    private Welcome welcome = new Welcome(0, 0, 0, 0, 0, 0, 0, 0, false, LeaseBacking.WINDOW, 0);
    private @Nullable Lease wordRow;
    private @Nullable Future<?> ticking;

    private SessionCore(RdmaDevice device, boolean ownsDevice, EndpointAddress node, SessionOptions options, UUID id) {
        this.id = id;
        this.options = options;
        timeoutNanos = SystemClock.nanosOf(options.requestTimeout());
        state = new SessionState(node);
        clock = new ClusterClock(options.clock(), options.drift());
        connector = new Connector(device, ownsDevice, node, id, options);
        control = new ControlChannel(connector, state, clock, callbacks);
        path = new ChainPath(connector.dataCompletions(), callbacks, state);
        failure = new ChainFailure(state, clock);
        operations = new SingleOperations(path, state, failure, callbacks, connector.scratch(), options.depth(), timeoutNanos);
        batches = new BatchPool(connector, path, state, options.depth());
        leases = new LeaseTable(this);
        departures = new Departures(control, this::deadline);
        recovery = new Recovery(this, connector, control, path, state, options.spareQueuePairs() + 1, timeoutNanos);
        reconnection = new Reconnection(this, control, state, timeoutNanos);
        control.onEvents(reconnection::start,
                () -> end(End.ENDED, "the node does not know it any more: it gave no sign of life for its term", null),
                departures::giveBack);
    }

    /// Connects a session; `id` must be unique and hard to guess.
    static SessionCore connect(RdmaDevice device, boolean ownsDevice, EndpointAddress node, SessionOptions options, UUID id) {
        SessionCore core = new SessionCore(device, ownsDevice, node, options, id);
        long start = SystemClock.NANOS.getAsLong();
        try {
            core.open(start + SystemClock.nanosOf(options.connectTimeout()));
            return core;
        } catch (RuntimeException e) {
            core.state.end(End.UNREACHABLE, "it was never connected", e);
            core.close();
            if (e instanceof RdmaException) {
                long millis = (SystemClock.NANOS.getAsLong() - start) / 1_000_000;
                throw new NodeUnavailableException(node + ": not connected after " + millis + " ms: " + e.getMessage()
                        + "; is the node up, and is this its address?", e);
            }
            throw e;
        }
    }

    private void open(long deadlineNanos) {
        welcome = control.open(hello(), deadlineNanos);
        if (!control.resume()) {
            throw new NodeUnavailableException(
                    state.node() + ": the connection broke right after it was made; is the node closing?");
        }
        wordRow = new Lease(this, welcome.wordRowAddress(), (long) welcome.words() * Long.BYTES, Set.of(AccessRight.ATOMIC), 0);
        recovery.start(deadlineNanos);
        for (int i = 0; i < CLOCK_EXCHANGES; i++) {
            exchangeClocks(deadlineNanos);
        }
        long period = Math.min(Math.min(BEAT_MAX_NANOS, timeoutNanos / BEATS_PER_TERM),
                welcome.sessionTermNanos() / BEATS_PER_TERM);
        ticking = SessionTimer.every(Math.max(BEAT_MIN_NANOS, period), this::tick);
    }

    /// What introduces the session on each of its control queue pairs; names the node that made it, once that is known.
    Hello hello() {
        return new Hello(id, options.principal(), welcome.nodeEpoch());
    }

    private void exchangeClocks(long deadlineNanos) {
        ControlCall call = new ControlCall("beat", new Beat(clock.localNanos()), deadlineNanos, null);
        control.start(List.of(call));
        learnClock(call, control.answer(call));
    }

    private void learnClock(ControlCall call, Object reply) {
        if (reply instanceof BeatReply beat) {
            clock.exchange(call.sentNanos, beat.arrivedNanos(), beat.leftNanos(), call.receivedNanos);
        }
    }

    private void tick() {
        if (!state.isOpen()) {
            return;
        }
        control.send("beat", new Beat(clock.localNanos()), deadline(), this::learnClock);
        control.endOverdue();
        batches.endOverdue(SystemClock.NANOS.getAsLong() - timeoutNanos);
        callbacks.runApart();
        recovery.inspect();
        leases.sweep();
    }

    /// Ends the session without its owner: everything that waits is told, everything later is refused. Freed by [#close()].
    void end(End why, String detail, @Nullable Throwable cause) {
        ending.incrementAndGet();
        if (!state.end(why, detail, cause)) {
            ending.decrementAndGet();
            return;
        }
        LOG.log(System.Logger.Level.DEBUG, "{0}: the session ended: {1}", state.node(), detail);
        Thread.ofVirtual().name("leasehold-session-end").start(() -> {
            try {
                control.close();
                recovery.abort();
                path.close();
                leases.close(Loss.SESSION_LOST);
            } finally {
                ending.decrementAndGet();
            }
        });
    }

    /// Ends the session at the node and frees what it holds here. Closing twice is harmless.
    void close() {
        if (!closing.compareAndSet(false, true)) {
            return;
        }
        boolean reachable = state.end(End.CLOSED, "closed by its owner", null);
        Future<?> timer = ticking;
        if (timer != null) {
            timer.cancel(false);
        }
        leases.close(Loss.SESSION_CLOSED);
        path.close();
        // What is on the way may end by itself; then nothing is in doubt.
        operations.shutWithin(timeoutNanos / CLOSE_SHARE);
        connector.stop();
        recovery.abort();
        if (reachable) {
            control.farewell(new Goodbye(), SystemClock.NANOS.getAsLong() + timeoutNanos / CLOSE_SHARE);
        }
        control.close();
        recovery.close();
        path.close();
        awaitFree(SystemClock.NANOS.getAsLong() + timeoutNanos / CLOSE_SHARE);
    }

    /// Frees the memory as soon as nothing uses it; if that takes too long, because somebody is still at it, the timer goes on
    /// trying.
    private void awaitFree(long deadlineNanos) {
        boolean interrupted = false;
        while (!free() && SystemClock.NANOS.getAsLong() - deadlineNanos < 0) {
            LockSupport.parkNanos(CLOSE_POLL_NANOS);
            interrupted |= Thread.interrupted();
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
        freeLater();
    }

    private void freeLater() {
        if (!free()) {
            SessionTimer.after(CLOSE_RETRY_NANOS, this::freeLater);
        }
    }

    /// Frees the memory if nothing uses it any more.
    ///
    /// @return whether it is freed
    private boolean free() {
        freeing.lock();
        try {
            boolean busy = ending.get() > 0 || reconnection.isBusy() || recovery.isBusy();
            if (!freed && operations.shut() && !busy && batches.close()) {
                freed = true;
                connector.close();
            }
            return freed;
        } finally {
            freeing.unlock();
        }
    }

    /// Sends a request and waits for its answer of type `expected`.
    <R extends Reply> R call(String operation, Request request, Class<R> expected) {
        state.requireOpen(operation);
        ControlCall call = new ControlCall(operation, request, deadline(), null);
        control.start(List.of(call));
        return expect(call, expected);
    }

    /// Waits for the answer of type `expected` of a call that was started.
    <R extends Reply> R expect(ControlCall call, Class<R> expected) {
        Reply reply = control.refuse(call, control.answer(call));
        if (expected.isInstance(reply)) {
            return expected.cast(reply);
        }
        throw control.unexpected(call, reply);
    }

    /// Relinquishes leases and waits until the node has done it; if it cannot be told, they end at their deadlines.
    void relinquish(List<Long> leaving) {
        try {
            for (int from = 0; from < leaving.size() && state.isOpen(); from += ControlCodec.LEASES_MAX) {
                int to = Math.min(leaving.size(), from + ControlCodec.LEASES_MAX);
                call("relinquish", new Relinquish(leaving.subList(from, to)), Done.class);
            }
        } catch (LeaseException | IllegalStateException e) {
            LOG.log(System.Logger.Level.DEBUG, state.node() + ": leases were not relinquished, they end at their deadlines", e);
        }
    }

    void relinquishLater(long lease) {
        if (state.isOpen()) {
            departures.add(lease);
        }
    }

    /// When a request made now must have been answered.
    long deadline() {
        return SystemClock.NANOS.getAsLong() + timeoutNanos;
    }

    Batch batch() {
        return new Batch(this, takeScratch());
    }

    BatchScratch takeScratch() {
        return batches.take();
    }

    void give(BatchScratch batch) {
        batches.give(batch);
    }

    /// The remote address of byte `offset` of the node's memory.
    long remote(long offset) {
        return welcome.dataAddress() + offset;
    }

    /// The remote address of the lease word `word` of the session's row.
    long wordRemote(int word) {
        return welcome.wordRowAddress() + (long) word * Long.BYTES;
    }

    /// The node's number.
    int node() {
        return welcome.node();
    }

    /// The longest that the node lets a lease live.
    long maxTermNanos() {
        return welcome.maxTermNanos();
    }

    /// What leases of the node rest on.
    LeaseBacking backing() {
        return welcome.backing();
    }

    /// How much memory the node has.
    long dataBytes() {
        return welcome.dataBytes();
    }

    Lease wordRow() {
        Lease row = wordRow;
        if (row == null) {
            throw new IllegalStateException("the session is not connected");
        }
        return row;
    }

    int maxTransferBytes() {
        return connector.maxTransferBytes();
    }

    long requestTimeoutNanos() {
        return timeoutNanos;
    }

    SessionState state() {
        return state;
    }

    ClusterClock clock() {
        return clock;
    }

    CallbackQueue callbacks() {
        return callbacks;
    }

    ControlChannel control() {
        return control;
    }

    ChainPath path() {
        return path;
    }

    ChainFailure failure() {
        return failure;
    }

    SingleOperations operations() {
        return operations;
    }

    LeaseTable leases() {
        return leases;
    }

    Recovery recovery() {
        return recovery;
    }
}
