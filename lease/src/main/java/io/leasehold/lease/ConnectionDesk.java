package io.leasehold.lease;

import io.leasehold.lease.ControlCodec.Frame;
import io.leasehold.lease.ControlMessage.Request;
import io.leasehold.lease.TimingWheel.Timer;
import io.leasehold.rdma.ConnectionRequest;
import io.leasehold.rdma.RdmaException;
import io.leasehold.rdma.WorkCompletion;
import io.leasehold.rdma.WorkCompletionOpcode;
import java.lang.System.Logger.Level;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.CompletionException;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.LongSupplier;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/// The queue pairs that clients connect: lets them in, takes what arrives on the control queue pairs, and drops those that fail.
///
/// [#onRequest] runs on threads of the device, which wait for peers and make queue pairs; it asks the control thread, which alone
/// decides and touches state, for everything else.
final class ConnectionDesk {
    /// How long a client may take from connecting its control queue pair to introducing itself, and an ended session's last
    /// answer to leave.
    private static final Duration INTRODUCTION_TIMEOUT = Duration.ofSeconds(5);
    private static final int COMPLETIONS_A_TURN = 256;
    private static final byte[] NOTHING = {};
    private static final String CLOSING = "the node is closing";

    private static final System.Logger LOG = System.getLogger(ConnectionDesk.class.getName());

    private final NodeFabric fabric;
    private final ControlLoop loop;
    private final SessionTable sessions;
    private final RequestDesk requests;
    private final TimingWheel<Runnable> wheel;
    private final LongSupplier clock;
    private final Closer closer;
    private final AtomicLong serials = new AtomicLong();
    private final Map<Long, ControlConnection> connections = new HashMap<>();
    private final Map<ControlConnection, Timer<Runnable>> timers = new HashMap<>();
    // Connections that something was sent on, or that have failed, since the last flush.
    private final ArrayDeque<ControlConnection> touched = new ArrayDeque<>();
    private final WorkCompletion completion = new WorkCompletion();
    private long taken;
    private int closing;
    private boolean closed;

    ConnectionDesk(NodeFabric fabric, ControlLoop loop, SessionTable sessions, RequestDesk requests, TimingWheel<Runnable> wheel,
            LongSupplier clock, Closer closer) {
        this.closer = closer;
        this.fabric = fabric;
        this.loop = loop;
        this.sessions = sessions;
        this.requests = requests;
        this.wheel = wheel;
        this.clock = clock;
    }

    // ---- on threads of the device

    /// Answers a connection request.
    void onRequest(ConnectionRequest request) {
        try {
            ConnectionHello hello = ConnectionHello.decode(request.privateData());
            switch (hello.role()) {
                case CONTROL -> connectControl(request, hello);
                case DATA -> connectData(request, hello);
            }
        } catch (MalformedMessageException e) {
            reject(request, String.valueOf(e.getMessage()));
        } catch (RdmaException e) {
            reject(request, "the node has no room for another queue pair: " + e.getMessage());
        }
    }

    private void connectControl(ConnectionRequest request, ConnectionHello hello) {
        ControlConnection connection = fabric.newControlConnection(serials.incrementAndGet(), hello.session(), touched::add);
        String refusal = decide(() -> add(connection));
        if (refusal != null) {
            connection.close();
            reject(request, refusal);
            return;
        }
        try {
            request.accept(connection.queuePair(), NOTHING);
        } catch (RdmaException e) {
            LOG.log(Level.DEBUG, "a client gave up while its control queue pair was connected", e);
            loop.tell(() -> drop(connection));
        }
    }

    private void connectData(ConnectionRequest request, ConnectionHello hello) {
        if (hello.index() >= NodeSession.PATHS_MAX) {
            reject(request,
                    "data queue pair " + hello.index() + " is one too many; a session has at most " + NodeSession.PATHS_MAX);
            return;
        }
        DataDomain domain = domain(hello.session());
        if (domain == null) {
            reject(request, "the node does not know the session; introduce it on a control queue pair first");
            return;
        }
        DataPath path = fabric.newDataPath(hello.session(), hello.index(), domain);
        String refusal = decide(() -> closed ? CLOSING : sessions.add(path));
        if (refusal != null) {
            path.close();
            reject(request, refusal);
            return;
        }
        boolean connected = false;
        try {
            request.accept(path.queuePair(), NOTHING);
            connected = true;
        } catch (RdmaException e) {
            LOG.log(Level.DEBUG, "a client gave up while a data queue pair was connected", e);
        }
        boolean settled = connected;
        loop.tell(() -> sessions.settled(path, settled));
    }

    /// Asks the control thread where queue pairs of a session are to be made; `null` if it does not know the session.
    private @Nullable DataDomain domain(UUID session) {
        try {
            return loop.ask(() -> Optional.ofNullable(sessions.domain(session))).join().orElse(null);
        } catch (CompletionException e) {
            return null;
        }
    }

    /// Asks the control thread for a decision: a refusal, or `null`.
    private @Nullable String decide(Supplier<@Nullable String> question) {
        try {
            return loop.ask(() -> new Decision(question.get())).join().refusal;
        } catch (CompletionException e) {
            return CLOSING;
        }
    }

    private record Decision(@Nullable String refusal) {
    }

    private static void reject(ConnectionRequest request, String reason) {
        try {
            request.reject(reason);
        } catch (RdmaException e) {
            LOG.log(Level.DEBUG, "a client gave up before it was refused: " + reason, e);
        }
    }

    // ---- on the control thread

    private @Nullable String add(ControlConnection connection) {
        if (closed) {
            return CLOSING;
        }
        // One that is being closed may still leave completions.
        if (connections.size() + closing >= fabric.connectionsMax()) {
            return "all " + fabric.connectionsMax() + " control connections of the node are in use; raise maxSessions of its "
                    + "NodeOptions";
        }
        connections.put(connection.serial(), connection);
        Timer<Runnable> timer = new Timer<>(() -> timeOver(connection));
        timers.put(connection, timer);
        wheel.set(timer, clock.getAsLong() + INTRODUCTION_TIMEOUT.toNanos());
        return null;
    }

    private void timeOver(ControlConnection connection) {
        if (connection.session() == null || connection.isLeaving()) {
            connection.fail();
        }
    }

    private void drop(ControlConnection connection) {
        if (connections.remove(connection.serial()) == null) {
            return;
        }
        Timer<Runnable> timer = timers.remove(connection);
        if (timer != null) {
            wheel.cancel(timer);
        }
        NodeSession session = connection.session();
        if (session != null && session.connection == connection) {
            session.connection = null;
        }
        connection.fail();
        closing++;
        closer.close(connection, () -> loop.tell(() -> closing--));
    }

    /// Takes what has arrived, and what was sent.
    ///
    /// @return whether there may be more
    boolean poll() {
        int served = 0;
        while (served < COMPLETIONS_A_TURN) {
            if (!fabric.controlCompletions().poll(completion)) {
                return false;
            }
            taken++;
            // A connection that has failed leaves completions behind. They do not count, or whoever connects and breaks off
            // faster than they are taken could fill the queue.
            ControlConnection connection = connections.get(ControlConnection.serialOf(completion.id()));
            if (connection != null && !connection.isFailed()) {
                take(connection);
                served++;
            }
        }
        return true;
    }

    /// How many completions were taken since the node was started.
    long taken() {
        return taken;
    }

    private void take(ControlConnection connection) {
        if (!completion.succeeded()) {
            LOG.log(Level.DEBUG, "a control queue pair failed: {0}", completion);
            connection.fail();
        } else if (completion.opcode() == WorkCompletionOpcode.SEND) {
            connection.sent(completion.id());
        } else if (completion.opcode() == WorkCompletionOpcode.RECV) {
            long arrivedNanos = clock.getAsLong();
            try {
                Frame frame = connection.receive(completion.id(), completion.byteLength());
                if (!(frame.message() instanceof Request request)) {
                    throw new MalformedMessageException("a reply, where a request was expected");
                }
                requests.serve(connection, frame.requestId(), request, arrivedNanos);
            } catch (MalformedMessageException e) {
                LOG.log(Level.WARNING, "a client sent what is no request; its control queue pair is closed: {0}", e.getMessage());
                connection.fail();
            }
        } else {
            LOG.log(Level.WARNING, "a client wrote where it may only send; its control queue pair is closed: {0}", completion);
            connection.fail();
        }
    }

    /// Sends what is to be sent, and drops the connections that have failed or are done.
    void flush() {
        for (ControlConnection connection = touched.poll(); connection != null; connection = touched.poll()) {
            connection.flush();
            if (connection.isFailed() || connection.isLeaving() && connection.hasSentAll()) {
                drop(connection);
            } else if (connection.isLeaving()) {
                Timer<Runnable> timer = timers.get(connection);
                if (timer != null && !timer.isSet()) {
                    wheel.set(timer, clock.getAsLong() + INTRODUCTION_TIMEOUT.toNanos());
                }
            }
        }
    }

    /// Whether something that was sent is not out yet.
    boolean isSending() {
        return connections.values().stream().anyMatch(connection -> !connection.hasSentAll());
    }

    /// Lets nobody in any more, and drops all connections.
    void close() {
        closed = true;
        List.copyOf(connections.values()).forEach(this::drop);
        touched.clear();
    }
}
