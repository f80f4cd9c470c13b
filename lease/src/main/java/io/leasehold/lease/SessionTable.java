package io.leasehold.lease;

import io.leasehold.lease.ControlMessage.Activate;
import io.leasehold.lease.ControlMessage.Failed;
import io.leasehold.lease.ControlMessage.Hello;
import io.leasehold.lease.ControlMessage.Keys;
import io.leasehold.lease.ControlMessage.MoreKeys;
import io.leasehold.lease.ControlMessage.Reason;
import io.leasehold.lease.ControlMessage.Welcome;
import io.leasehold.lease.NodeSession.AskedActivation;
import io.leasehold.rdma.RdmaException;
import java.lang.System.Logger.Level;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.UUID;
import java.util.function.Consumer;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/// The sessions of a node: how they begin, which of their data queue pairs is active, and how they end, with all that they hold.
/// For the control thread.
final class SessionTable {
    private static final long BEHIND_NANOS = 1_000_000;

    private static final System.Logger LOG = System.getLogger(SessionTable.class.getName());

    private final NodeOptions options;
    private final long epoch;
    private final LongSupplier clock;
    private final NodeFabric fabric;
    private final Backing backing;
    private final TimingWheel<Runnable> wheel;
    private final LeaseRegister leases;
    private final LeaseCommit commit;
    private final Activation activation;
    private final MemoryDesk memory;
    private final Leftovers leftovers;
    private final Closer closer;
    private final Consumer<Runnable> whenClosed;
    private final Map<UUID, NodeSession> sessions = new LinkedHashMap<>();
    // Those whose activation is to be carried out, if its queue pair is connected, in the order they asked.
    private final LinkedHashSet<NodeSession> activating = new LinkedHashSet<>();
    private boolean behind;
    private long taken;

    /// @param epoch a number that no other run of this node has; not 0
    /// @param whenClosed has a task run on the control thread, from any other
    SessionTable(NodeOptions options, long epoch, NodeFabric fabric, TimingWheel<Runnable> wheel, LeaseRegister leases,
            LeaseCommit commit, MemoryDesk memory, Leftovers leftovers, Closer closer, Consumer<Runnable> whenClosed) {
        this.options = options;
        this.epoch = epoch;
        this.fabric = fabric;
        this.wheel = wheel;
        this.leases = leases;
        this.commit = commit;
        this.memory = memory;
        this.leftovers = leftovers;
        this.closer = closer;
        this.whenClosed = whenClosed;
        backing = fabric.backing();
        activation = new Activation(fabric);
        clock = options.clock();
    }

    Collection<NodeSession> all() {
        return Collections.unmodifiableCollection(sessions.values());
    }

    @Nullable NodeSession find(UUID id) {
        return sessions.get(id);
    }

    // ---- beginning

    /// Makes a session, or goes on with it on a new control connection.
    Welcome hello(ControlConnection connection, Hello hello) throws RefusedException {
        if (!hello.session().equals(connection.claimed())) {
            throw new RefusedException(Reason.BAD_REQUEST, "the session is not the one of the connection request");
        }
        NodeSession session = sessions.get(hello.session());
        if (session == null) {
            session = begin(hello);
        } else if (!session.principal.equals(hello.principal())) {
            throw new RefusedException(Reason.NOT_PERMITTED, "the session belongs to another principal");
        } else if (hello.nodeEpochExpected() != 0 && hello.nodeEpochExpected() != epoch) {
            throw sessionEnded();
        }
        ControlConnection old = session.connection;
        if (old != null && old != connection) {
            old.fail();
        }
        session.connection = connection;
        connection.attach(session);
        seen(session);
        return new Welcome(epoch, options.node(), options.sessionTerm().toNanos(), options.maxTerm().toNanos(),
                fabric.memory().address(), fabric.memory().byteSize(), session.row.memory().address(),
                options.maxLeasesPerSession(), options.unprotected(), backing.kind(), clock.getAsLong());
    }

    private NodeSession begin(Hello hello) throws RefusedException {
        if (hello.nodeEpochExpected() != 0) {
            throw sessionEnded();
        }
        if (sessions.size() == options.maxSessions()) {
            throw new RefusedException(Reason.OUT_OF_SESSIONS,
                    "all " + options.maxSessions() + " sessions of the node are in use; raise maxSessions of its NodeOptions");
        }
        WordRow row;
        try {
            row = fabric.newRow(options.maxLeasesPerSession());
        } catch (RdmaException e) {
            throw new RefusedException(Reason.OUT_OF_SESSIONS, "no lease words for another session: " + e.getMessage());
        }
        NodeSession session = new NodeSession(hello.session(), hello.principal(), row, this::termOver);
        try {
            backing.enter(session);
        } catch (RdmaException e) {
            row.close();
            throw new RefusedException(Reason.OUT_OF_SESSIONS, "no protection for another session: " + e.getMessage());
        }
        sessions.put(session.id, session);
        session.seenNanos = clock.getAsLong();
        wheel.set(session.term, session.seenNanos + options.sessionTerm().toNanos());
        return session;
    }

    private static RefusedException sessionEnded() {
        return new RefusedException(Reason.SESSION_ENDED,
                "the node does not know the session: it has ended, or the node was restarted");
    }

    /// Says how far the node is with what has arrived; while a sign of life may be among it, no session ends for its silence.
    ///
    /// @param isBehind whether there may be messages that were not looked at
    /// @param completionsTaken how many completions were taken since the node was started
    void looked(boolean isBehind, long completionsTaken) {
        behind = isBehind;
        taken = completionsTaken;
    }

    /// The session gave a sign of life.
    void seen(NodeSession session) {
        session.seenNanos = clock.getAsLong();
        session.silentSince = -1;
    }

    /// Whether a sign of life may have arrived before the silence was noticed, and was not looked at yet. All that had arrived was,
    /// when as many completions were taken since as their queue can hold: a flood keeps nobody alive.
    private boolean mayHaveSpoken(NodeSession session) {
        if (session.silentSince < 0) {
            session.silentSince = taken;
        }
        return behind && taken - session.silentSince < fabric.controlCompletions().capacity();
    }

    private void termOver(NodeSession session) {
        if (session.ended) {
            return;
        }
        long ends = session.seenNanos + options.sessionTerm().toNanos();
        long now = clock.getAsLong();
        if (ends - now > 0) {
            // Signs of life do not touch the timer: it looks for them when it is due.
            wheel.set(session.term, ends);
        } else if (mayHaveSpoken(session)) {
            wheel.set(session.term, now + BEHIND_NANOS);
        } else {
            LOG.log(Level.DEBUG, "session {0} gave no sign of life for {1}; it ends", session.id, options.sessionTerm());
            end(session, "the session gave no sign of life for " + options.sessionTerm());
        }
    }

    // ---- data queue pairs

    /// Where the data queue pairs of a session are to be made; `null` if the node does not know it.
    @Nullable DataDomain domain(UUID id) {
        NodeSession session = sessions.get(id);
        return session == null ? null : backing.domain(session);
    }

    /// Takes a data queue pair of a session, which is about to be connected; it replaces what had its index.
    ///
    /// @return why it is not taken, or `null`
    @Nullable String add(DataPath path) {
        NodeSession session = sessions.get(path.session());
        if (session == null) {
            return "the node does not know the session; introduce it on a control queue pair first";
        }
        if (session.pathsClosing >= NodeSession.PATHS_MAX) {
            return session.pathsClosing + " earlier data queue pairs of the session are still being closed; close your end of them";
        }
        remove(session, path.index());
        session.paths[path.index()] = path;
        return null;
    }

    /// The client of `path` was connected, or could not be.
    void settled(DataPath path, boolean connected) {
        NodeSession session = sessions.get(path.session());
        if (session == null || session.paths[path.index()] != path) {
            return;
        }
        if (connected) {
            path.markConnected();
        } else {
            remove(session, path.index());
        }
        if (session.asked != null) {
            activating.add(session);
        }
    }

    private void remove(NodeSession session, int index) {
        DataPath old = session.paths[index];
        if (old != null) {
            commit.run();
            if (session.active == old) {
                activation.drop(session);
            }
            session.paths[index] = null;
            session.pathsClosing++;
            closer.close(old, () -> whenClosed.accept(() -> session.pathsClosing--));
        }
    }

    /// A queue pair may have failed: an event has named its number.
    void mayHaveFailed(int queuePair) {
        for (NodeSession session : sessions.values()) {
            if (session.active != null && session.active.number() == queuePair && session.active.hasFailed()) {
                session.active.markBroken();
            }
        }
    }

    /// Takes an activation; it is carried out by [#activateNext]. Of two of one session the later one counts.
    void activate(NodeSession session, long requestId, Activate request) {
        AskedActivation before = session.asked;
        session.asked = new AskedActivation(requestId, request);
        activating.add(session);
        if (before != null) {
            session.answer(before.requestId(),
                    new Failed(Reason.UNAVAILABLE, "a later activation was asked for before it was carried out"));
        }
    }

    /// Carries out the activation that comes next, one only: it takes a session with many leases tens of milliseconds, and leases
    /// of others end meanwhile.
    ///
    /// @return whether there are more
    boolean activateNext() {
        NodeSession session = activating.isEmpty() ? null : activating.removeFirst();
        AskedActivation asked = session == null ? null : session.asked;
        if (session != null && asked != null) {
            int index = asked.request().index();
            DataPath path = index >= 0 && index < NodeSession.PATHS_MAX ? session.paths[index] : null;
            // The client knows that it is connected a moment before the thread that has accepted it can say so here.
            if (path == null || path.isConnected()) {
                session.asked = null;
                activate(session, asked, path);
            }
        }
        return !activating.isEmpty();
    }

    private void activate(NodeSession session, AskedActivation asked, @Nullable DataPath path) {
        try {
            session.answer(asked.requestId(), activate(session, asked.request(), path));
            leases.resume(session);
        } catch (RefusedException e) {
            session.answer(asked.requestId(), e.reply());
        }
    }

    private Keys activate(NodeSession session, Activate request, @Nullable DataPath path) throws RefusedException {
        if (path == null || !path.isUsable()) {
            throw new RefusedException(Reason.UNAVAILABLE,
                    "data queue pair " + request.index() + " is not connected or has failed");
        }
        if (request.generation() <= session.generation) {
            throw new RefusedException(Reason.BAD_REQUEST,
                    "generation " + request.generation() + " is not after " + session.generation);
        }
        if (path == session.active) {
            // Who wants new keys without need only keeps the node busy.
            throw new RefusedException(Reason.BAD_REQUEST, "data queue pair " + request.index() + " is active, and has not failed");
        }
        commit.run();
        DataPath old = session.active;
        if (old != null) {
            remove(session, old.index());
        }
        return activation.activate(session, path, request.generation());
    }

    /// More of the keys of the last activation.
    Keys moreKeys(NodeSession session, MoreKeys request) throws RefusedException {
        if (request.generation() != session.generation || session.rowOpening == null || request.from() < 0
                || request.from() > session.keys.size()) {
            throw new RefusedException(Reason.BAD_REQUEST, "generation " + request.generation() + " with " + request.from()
                    + " keys is not the last activation");
        }
        return Activation.keys(session, request.from());
    }

    // ---- ending

    /// Ends a session: its leases, then its queue pairs, its lease words and its memory.
    ///
    /// @param why what requests are told that were not answered yet
    void end(NodeSession session, String why) {
        commit.run();
        leases.refuseAll(session, null, Reason.SESSION_ENDED, why);
        session.ended = true;
        // First, so that no extension succeeds of a lease whose range may be another's already.
        activation.dropWords(session);
        leases.endAll(new ArrayList<>(session.leases.keySet()));
        commit.run();
        activation.drop(session);
        for (int index = 0; index < NodeSession.PATHS_MAX; index++) {
            remove(session, index);
        }
        leftovers.untilDone(() -> vacate(session));
        memory.freeAll(session);
        wheel.cancel(session.term);
        activating.remove(session);
        sessions.remove(session.id);
        for (long requestId : session.replies.unanswered()) {
            session.answer(requestId, new Failed(Reason.SESSION_ENDED, ControlCodec.detail(why)));
        }
        if (session.connection != null) {
            session.connection.leave();
        }
    }

    /// Frees what an ended session had of the device.
    private boolean vacate(NodeSession session) {
        boolean vacant = activation.drop(session) && backing.leave(session);
        if (vacant) {
            session.row.close();
        }
        return vacant;
    }

    /// Has no key of a session open anything any more, by the end of its data queue pairs. For one that cannot be ended in order,
    /// or not yet.
    void fence(NodeSession session) {
        session.ended = true;
        session.active = null;
        for (int index = 0; index < NodeSession.PATHS_MAX; index++) {
            DataPath path = session.paths[index];
            if (path != null) {
                session.paths[index] = null;
                try {
                    path.abandon();
                } catch (RuntimeException e) {
                    LOG.log(Level.WARNING, "data queue pair " + path.number() + " cannot be taken to ERR; it is closed", e);
                }
                closer.close(path, () -> { });
            }
        }
    }

    /// Ends all leases on `space`, and refuses all requests for it: it is about to be freed.
    void evict(Allocation space) {
        commit.run();
        for (NodeSession session : sessions.values()) {
            leases.refuseAll(session, space, Reason.OUT_OF_BOUNDS, "the memory was freed");
        }
        leases.endAll(new ArrayList<>(space.leases()));
        commit.run();
    }
}
