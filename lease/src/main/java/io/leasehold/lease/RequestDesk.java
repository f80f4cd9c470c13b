package io.leasehold.lease;

import io.leasehold.lease.ControlMessage.Acquire;
import io.leasehold.lease.ControlMessage.Activate;
import io.leasehold.lease.ControlMessage.Allocate;
import io.leasehold.lease.ControlMessage.AllocateExtent;
import io.leasehold.lease.ControlMessage.Beat;
import io.leasehold.lease.ControlMessage.BeatReply;
import io.leasehold.lease.ControlMessage.DestroyHeap;
import io.leasehold.lease.ControlMessage.Done;
import io.leasehold.lease.ControlMessage.Free;
import io.leasehold.lease.ControlMessage.FreeNamed;
import io.leasehold.lease.ControlMessage.Goodbye;
import io.leasehold.lease.ControlMessage.Hello;
import io.leasehold.lease.ControlMessage.MoreKeys;
import io.leasehold.lease.ControlMessage.OpenHeap;
import io.leasehold.lease.ControlMessage.OpenNamed;
import io.leasehold.lease.ControlMessage.Reason;
import io.leasehold.lease.ControlMessage.Relinquish;
import io.leasehold.lease.ControlMessage.Reply;
import io.leasehold.lease.ControlMessage.Request;
import io.leasehold.lease.ControlMessage.Retire;
import io.leasehold.lease.ControlMessage.Unprotect;
import java.lang.System.Logger.Level;
import java.util.ArrayDeque;
import java.util.LinkedHashSet;
import java.util.Set;
import java.util.function.LongSupplier;

/// Serves the requests of clients. Leases are only queued here, for the next commit; everything else is done at once. For the
/// control thread.
final class RequestDesk {
    // No request waits longer; a client asks anew.
    private static final long PATIENCE_MAX_NANOS = 3_600_000_000_000L;
    private static final int RETRIES_A_TURN = 256;

    private static final System.Logger LOG = System.getLogger(RequestDesk.class.getName());

    private final NodeOptions options;
    private final Backing backing;
    private final SessionTable sessions;
    private final LeaseRegister leases;
    private final MemoryDesk memory;
    private final LongSupplier clock;
    // Requests for memory that is free, but was not zeroed yet.
    private final ArrayDeque<Waiting> waiting = new ArrayDeque<>();

    private record Waiting(NodeSession session, long requestId, Request request, MemoryDesk.Horizon until) {
    }

    RequestDesk(NodeOptions options, Backing backing, SessionTable sessions, LeaseRegister leases, MemoryDesk memory) {
        this.options = options;
        this.backing = backing;
        this.sessions = sessions;
        this.leases = leases;
        this.memory = memory;
        clock = options.clock();
    }

    /// Serves a request that arrived on `connection` at `arrivedNanos`; a client that breaks the protocol fails its connection.
    void serve(ControlConnection connection, long requestId, Request request, long arrivedNanos) {
        if (request instanceof Hello hello) {
            introduce(connection, requestId, hello);
            return;
        }
        NodeSession session = connection.session();
        if (session == null) {
            connection.fail();
            return;
        }
        if (session.ended) {
            connection.send(requestId, new ControlMessage.Failed(Reason.SESSION_ENDED, "the session has ended"));
            return;
        }
        sessions.seen(session);
        switch (request) {
            // Carried out again when they are repeated: a clock's answer must be fresh, and keys are too long to remember.
            case Beat(long clientNanos) -> {
                connection.send(requestId, new BeatReply(clientNanos, arrivedNanos, clock.getAsLong()));
                connection.flush();
            }
            case MoreKeys more -> connection.send(requestId, answer(session, more));
            default -> serveOnce(connection, session, requestId, request);
        }
    }

    private void introduce(ControlConnection connection, long requestId, Hello hello) {
        try {
            connection.send(requestId, sessions.hello(connection, hello));
        } catch (RefusedException e) {
            connection.send(requestId, e.reply());
        }
    }

    private void serveOnce(ControlConnection connection, NodeSession session, long requestId, Request request) {
        switch (session.replies.see(requestId)) {
            case NEW -> serveNew(session, requestId, request);
            case ANSWERED -> connection.send(requestId, session.replies.reply(requestId));
            case UNANSWERED -> { }
            case TOO_MANY -> connection.fail();
        }
    }

    private void serveNew(NodeSession session, long requestId, Request request) {
        switch (request) {
            case Activate activate -> sessions.activate(session, requestId, activate);
            case Acquire acquire -> acquire(session, requestId, acquire);
            case Relinquish relinquish -> relinquish(session, requestId, relinquish);
            case Goodbye() -> {
                session.answer(requestId, new Done());
                sessions.end(session, "the session said goodbye");
            }
            default -> {
                if (memory.mustWait(request)) {
                    waiting.add(new Waiting(session, requestId, request, memory.horizon(request)));
                } else {
                    session.answer(requestId, answer(session, request));
                }
            }
        }
    }

    /// Looks whether requests that wait for memory to be tidied can be served, some of them, each as far as possible in the order
    /// they came. One that must wait holds nobody up.
    void retry() {
        for (int i = Math.min(waiting.size(), RETRIES_A_TURN); i > 0; i--) {
            Waiting next = waiting.removeFirst();
            if (next.session.ended) {
                continue;
            }
            if (memory.mustWait(next.request, next.until)) {
                waiting.addLast(next);
            } else {
                next.session.answer(next.requestId, answer(next.session, next.request));
            }
        }
    }

    private void acquire(NodeSession session, long requestId, Acquire request) {
        try {
            if (session.generation == 0 && session.asked == null) {
                throw new RefusedException(Reason.BAD_REQUEST, "the session has never activated a data queue pair");
            }
            Allocation space = memory.spaceOf(session, request);
            leases.request(session, requestId, space, memory.termsOf(request, space),
                    Math.min(request.patienceNanos(), PATIENCE_MAX_NANOS));
        } catch (RefusedException e) {
            session.answer(requestId, e.reply());
        }
    }

    private void relinquish(NodeSession session, long requestId, Relinquish request) {
        Set<NodeLease> ending = new LinkedHashSet<>();
        for (long id : request.leases()) {
            // Only the session's own: the ids of others mean nothing here.
            NodeLease lease = session.leases.get(id);
            if (lease != null) {
                ending.add(lease);
            }
        }
        if (ending.isEmpty()) {
            session.answer(requestId, new Done());
            return;
        }
        int[] left = {ending.size()};
        for (NodeLease lease : ending) {
            leases.end(lease, () -> {
                if (--left[0] == 0) {
                    session.answer(requestId, new Done());
                }
            });
        }
    }

    /// The answer to a request that needs no wait.
    private Reply answer(NodeSession session, Request request) {
        try {
            return switch (request) {
                case MoreKeys more -> sessions.moreKeys(session, more);
                case Allocate allocate -> memory.allocate(session, allocate);
                case Free free -> memory.free(session, free);
                case OpenNamed open -> memory.openNamed(session, open);
                case FreeNamed free -> memory.freeNamed(session, free);
                case OpenHeap open -> memory.openHeap(session, open);
                case AllocateExtent allocate -> memory.allocateExtent(session, allocate);
                case Retire retire -> memory.retire(session, retire);
                case DestroyHeap destroy -> memory.destroyHeap(session, destroy);
                case Unprotect _ -> unprotect(session);
                case Hello _, Beat _, Activate _, Acquire _, Relinquish _, Goodbye _ ->
                    throw new IllegalArgumentException(request + " is not served here");
            };
        } catch (RefusedException e) {
            return e.reply();
        }
    }

    private Reply unprotect(NodeSession session) throws RefusedException {
        if (!options.unprotected()) {
            throw new RefusedException(Reason.NOT_PERMITTED,
                    "the node protects its memory; start it with NodeOptions.allowingUnprotected()");
        }
        int key = backing.unprotectedKey(session);
        LOG.log(Level.DEBUG, "a session has taken the key to all memory");
        return new ControlMessage.Unprotected(key);
    }
}
