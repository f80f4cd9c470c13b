package io.leasehold.lease;

import io.leasehold.lease.ControlMessage.Failed;
import io.leasehold.lease.ControlMessage.Hello;
import io.leasehold.lease.ControlMessage.Reason;
import io.leasehold.lease.ControlMessage.Reply;
import io.leasehold.lease.ControlMessage.Request;
import io.leasehold.lease.ControlMessage.Welcome;
import io.leasehold.rdma.PostStatus;
import io.leasehold.rdma.WorkCompletion;
import io.leasehold.rdma.WorkCompletionOpcode;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.BiConsumer;
import org.jspecify.annotations.Nullable;

/// Requests and replies between a session and its node, over one control queue pair at a time.
///
/// A request takes one of [ControlCodec#REQUESTS_MAX] places until it is answered; what finds none waits its turn. Requests that
/// the node may hold back for long leave [#PLACES_FOR_IMPATIENT] places free, so that a lease can always be relinquished and a
/// session can always recover, whatever it waits for. When the queue pair breaks, [#onBroken] is run, and after [#resume] the
/// unanswered requests are sent again with their ids, which the node answers once.
///
/// Completions are never taken by a thread that holds the lock: it might be inside the doorbell, whose send batch the taking
/// uses. Who lets the lock go takes them.
final class ControlChannel {
    private static final System.Logger LOG = System.getLogger(ControlChannel.class.getName());

    private final SessionState state;
    private final ClusterClock clock;
    private final CallbackQueue callbacks;
    private final ReentrantLock lock = new ReentrantLock();
    private final AtomicInteger draining = new AtomicInteger();
    private final WorkCompletion completion = new WorkCompletion();

    // Guarded by the lock.
    private final ControlPlaces places = new ControlPlaces();
    private @Nullable ControlLine line;
    /// A line that broke and has to be closed.
    private @Nullable ControlLine retired;
    private boolean ready;
    private boolean closed;

    private final ControlLine.Source source;
    private Runnable onBroken = () -> { };
    private Runnable onEnded = () -> { };
    private BiConsumer<Request, Reply> onUnwanted = (_, _) -> { };

    ControlChannel(ControlLine.Source source, SessionState state, ClusterClock clock, CallbackQueue callbacks) {
        this.source = source;
        this.state = state;
        this.clock = clock;
        this.callbacks = callbacks;
        source.completions().onCompletion(this::deliver);
    }

    /// Has `broken` run when a queue pair that worked does no more, `ended` when the node says that it does not know the session,
    /// and `unwanted` with each request that was answered when nobody waited for it any more. None may wait.
    void onEvents(Runnable broken, Runnable ended, BiConsumer<Request, Reply> unwanted) {
        onBroken = broken;
        onEnded = ended;
        onUnwanted = unwanted;
    }

    /// Connects a queue pair and introduces the session through it; others use it after [#resume].
    ///
    /// @throws io.leasehold.rdma.RdmaException if there is no connection by `deadlineNanos`
    /// @throws NodeUnavailableException if the node does not answer
    Welcome open(Hello hello, long deadlineNanos) {
        closeLines();
        ControlLine fresh = source.connect(deadlineNanos);
        ControlCall call = new ControlCall("introduction", hello, deadlineNanos, null);
        if (!introduce(fresh, call)) {
            fresh.close();
            throw state.exception(call.operation());
        }
        Reply reply = answer(call);
        if (reply instanceof Welcome welcome) {
            clock.exchange(call.sentNanos, welcome.nodeNanos(), welcome.nodeNanos(), call.receivedNanos);
            return welcome;
        }
        throw unexpected(call, refuse(call, reply));
    }

    private boolean introduce(ControlLine fresh, ControlCall call) {
        lock.lock();
        try {
            if (closed) {
                return false;
            }
            line = fresh;
            places.put(ControlPlaces.HELLO, call);
            send(fresh, ControlPlaces.HELLO, call);
            ring(fresh);
            return true;
        } finally {
            unlock();
        }
    }

    /// Lets requests pass: first those on the way when the queue pair broke, then those that wait.
    ///
    /// @return whether the queue pair still works, as far as is known
    boolean resume() {
        lock.lock();
        try {
            ControlLine now = line;
            if (now != null) {
                ready = true;
                places.forEachOnTheWay((place, call) -> send(now, place, call));
                fill(now);
            }
            return now != null;
        } finally {
            unlock();
        }
    }

    /// Sends a request and waits for its answer.
    ///
    /// @throws NodeUnavailableException if there is none by `deadlineNanos`
    /// @throws OutcomeUnknownException likewise, if the node may have changed something
    /// @throws LeaseException as the node's refusal says
    Reply call(String operation, Request request, long deadlineNanos) {
        ControlCall call = new ControlCall(operation, request, deadlineNanos, null);
        start(List.of(call));
        return refuse(call, answer(call));
    }

    /// Sends a request that nobody waits for.
    void send(String operation, Request request, long deadlineNanos, BiConsumer<ControlCall, Object> onEnd) {
        start(List.of(new ControlCall(operation, request, deadlineNanos, onEnd)));
    }

    /// Sends the last request of a session that has ended here, and waits for its answer as long as there is hope for one.
    void farewell(Request request, long deadlineNanos) {
        ControlCall call = new ControlCall("farewell", request, deadlineNanos, null);
        lock.lock();
        try {
            ControlLine now = line;
            if (now == null || !ready) {
                return;
            }
            places.add(call);
            fill(now);
        } finally {
            unlock();
        }
        call.await(this::deliver);
    }

    /// Sends `calls` with as few doorbells as there is room for: one, normally.
    void start(List<ControlCall> calls) {
        lock.lock();
        try {
            if (!state.isOpen()) {
                calls.forEach(call -> call.end(state.exception(call.operation()), callbacks));
                return;
            }
            for (ControlCall call : calls) {
                places.add(call);
            }
            ControlLine now = line;
            if (now != null && ready) {
                fill(now);
            }
        } finally {
            unlock();
        }
    }

    /// Waits for the answer of a call that was started.
    Reply answer(ControlCall call) {
        if (!call.await(this::deliver)) {
            giveUp(call);
        }
        return call.reply();
    }

    /// The reply, unless it is a refusal.
    Reply refuse(ControlCall call, Reply reply) {
        if (reply instanceof Failed failed) {
            throw state.exception(call.operation(), failed, call.elapsedNanos());
        }
        return reply;
    }

    /// The exception for a reply of a kind that does not answer the call.
    RuntimeException unexpected(ControlCall call, Reply reply) {
        String message = state.node() + ": answered " + call.operation() + " with " + reply.getClass().getSimpleName()
                + "; is it a node of another version?";
        return call.isInDoubt() ? new OutcomeUnknownException(message) : new NodeUnavailableException(message);
    }

    private void giveUp(ControlCall call) {
        lock.lock();
        try {
            abandon(call);
        } finally {
            unlock();
        }
    }

    /// Ends the calls whose time is over, for futures that nobody waits on.
    void endOverdue() {
        long now = SystemClock.NANOS.getAsLong();
        lock.lock();
        try {
            for (ControlCall call : places.all()) {
                if (now - call.deadlineNanos() > 0) {
                    abandon(call);
                }
            }
        } finally {
            unlock();
        }
    }

    /// A place stays taken until the node answers: the node's receives are counted by it.
    private void abandon(ControlCall call) {
        if (call.hasEnded()) {
            return;
        }
        boolean waited = places.withdraw(call);
        call.abandoned = !waited;
        String message = state.node() + ": " + call.operation() + ": no answer after " + call.elapsedNanos() / 1_000_000 + " ms";
        call.end(call.isInDoubt()
                ? new OutcomeUnknownException(message + "; it was sent, and the node may have done it or do it yet: look before"
                        + " trying again, or raise requestTimeout")
                : new NodeUnavailableException(message + (waited ? ", it waited to be sent" : "")
                        + "; the node is busy or gone: try again, or raise requestTimeout"),
                callbacks);
    }

    /// How a call ends that the session's end leaves without an answer.
    private RuntimeException ended(ControlCall call) {
        RuntimeException end = state.exception(call.operation());
        return call.isInDoubt() ? new OutcomeUnknownException(state.node() + ": " + call.operation() + ": it was sent, and the node may"
                + " have done it, but the session ended before the answer came: " + end.getMessage(), end) : end;
    }

    /// Ends all calls with what `state` says, and closes the queue pair.
    void close() {
        lock.lock();
        try {
            closed = true;
            for (ControlCall call : places.all()) {
                call.end(ended(call), callbacks);
            }
            places.clear();
        } finally {
            unlock();
        }
        closeLines();
    }

    /// Closes what there is of queue pairs; without the lock, for closing waits for what the device is at.
    private void closeLines() {
        List<ControlLine> lines = new ArrayList<>(2);
        lock.lock();
        try {
            for (ControlLine one : Arrays.asList(line, retired)) {
                if (one != null) {
                    lines.add(one);
                }
            }
            line = null;
            retired = null;
            ready = false;
        } finally {
            lock.unlock();
        }
        lines.forEach(ControlLine::close);
    }

    /// Lets the lock go, then does what must not be done under it.
    private void unlock() {
        lock.unlock();
        if (!lock.isHeldByCurrentThread()) {
            drain();
            callbacks.run();
        }
    }

    /// Sends what waits, as far as there are places, with one doorbell.
    private void fill(ControlLine now) {
        places.fill((place, call) -> send(now, place, call));
        ring(now);
    }

    private void send(ControlLine now, int place, ControlCall call) {
        // A request that is sent again may have arrived the first time: the exchange of clocks began then.
        if (call.sentNanos == 0) {
            call.sentNanos = clock.localNanos();
        }
        try {
            now.add(place, call.id, call.toSend(SystemClock.NANOS.getAsLong()));
        } catch (IllegalArgumentException e) {
            // The request does not fit a message: the caller's fault, and the node never sees it.
            places.free(place);
            call.end(e, callbacks);
        }
    }

    private void ring(ControlLine now) {
        PostStatus status = now.ring();
        if (status != PostStatus.POSTED) {
            broken(now, "the doorbell answered " + status);
        }
    }

    private void deliver() {
        if (!lock.isHeldByCurrentThread()) {
            drain();
            callbacks.runApart();
        }
    }

    /// Takes what has completed. One thread at a time; a second one has the first look again.
    void drain() {
        if (lock.isHeldByCurrentThread() || draining.getAndIncrement() != 0) {
            return;
        }
        int seen;
        do {
            seen = draining.get();
            while (source.completions().poll(completion)) {
                complete(completion);
            }
        } while (!draining.compareAndSet(seen, 0));
    }

    private void complete(WorkCompletion entry) {
        lock.lock();
        try {
            ControlLine now = line;
            if (now == null || !now.owns(entry.id())) {
                return; // Of a queue pair that was closed.
            }
            if (!entry.succeeded()) {
                broken(now, entry.toString());
            } else if (entry.opcode() == WorkCompletionOpcode.RECV) {
                received(now, entry);
            }
        } finally {
            lock.unlock();
        }
    }

    private void received(ControlLine now, WorkCompletion entry) {
        ControlCodec.Frame frame;
        try {
            frame = now.take(entry.id(), entry.byteLength());
        } catch (MalformedMessageException e) {
            LOG.log(System.Logger.Level.WARNING, state.node() + ": sent a reply that is none", e);
            broken(now, "malformed reply: " + e.getMessage());
            return;
        }
        ControlCall call = places.answered(frame.requestId());
        if (call == null || !(frame.message() instanceof Reply reply)) {
            return; // The second answer to a request that was sent twice.
        }
        call.receivedNanos = clock.localNanos();
        if (reply instanceof Failed failed && failed.reason() == Reason.SESSION_ENDED) {
            callbacks.add(onEnded);
        }
        if (call.abandoned) {
            callbacks.add(() -> onUnwanted.accept(call.request(), reply));
        }
        call.end(reply, callbacks);
        if (ready && places.isSomethingWaiting()) {
            fill(now);
        }
    }

    /// The line is of no more use: everything that still completes on it says so again, and is passed over.
    private void broken(ControlLine which, String cause) {
        if (line != which) {
            return;
        }
        LOG.log(System.Logger.Level.DEBUG, "{0}: the control connection broke: {1}", state.node(), cause);
        line = null;
        retired = which;
        ControlCall hello = places.free(ControlPlaces.HELLO);
        if (hello != null) {
            hello.end(new NodeUnavailableException(
                    state.node() + ": the connection broke while the session was introduced: " + cause), callbacks);
        }
        if (ready) {
            ready = false;
            callbacks.add(onBroken);
        }
    }
}
