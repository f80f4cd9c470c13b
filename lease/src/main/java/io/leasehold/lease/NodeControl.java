package io.leasehold.lease;

import io.leasehold.lease.ControlMessage.Failed;
import io.leasehold.lease.ControlMessage.Reason;
import io.leasehold.rdma.ConnectionRequest;
import java.lang.System.Logger.Level;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.locks.LockSupport;
import java.util.function.LongSupplier;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;

/// The parts of a node, put together, and what its control thread does in a turn: takes messages, notices what is due, carries
/// out what both have queued for the device in one commit, sends the answers, and tidies up if nothing else is to be done.
final class NodeControl implements ControlLoop.Turns {
    // A close does not wait longer for clients to take their last answers.
    private static final int FAREWELL_POLLS_MAX = 200;
    private static final long FAREWELL_POLL_NANOS = 1_000_000;

    private static final System.Logger LOG = System.getLogger(NodeControl.class.getName());

    private final NodeFabric fabric;
    private final LongSupplier clock;
    private final TimingWheel<Runnable> wheel;
    private final LeaseRegister leases;
    private final LeaseCommit commit;
    private final MemoryDesk memory;
    private final SessionTable sessions;
    private final RequestDesk requests;
    private final ConnectionDesk connections;
    private final ControlLoop loop;
    private final Closer closer = new Closer();
    private final List<Runnable> due = new ArrayList<>();

    /// @param epoch a number that no other run of this node has; not 0
    /// @param chance unknown to clients
    NodeControl(NodeOptions options, long epoch, RandomGenerator chance, NodeFabric fabric) {
        this.fabric = fabric;
        clock = options.clock();
        wheel = new TimingWheel<>(clock.getAsLong());
        leases = new LeaseRegister(options, wheel, chance);
        // Sessions need memory, and memory that is freed needs sessions: the one reference that goes backwards.
        memory = new MemoryDesk(options, new NodeMemory(fabric.memory()), fabric.leaseBytesMax(), this::evict);
        Leftovers leftovers = new Leftovers(wheel, clock);
        commit = new LeaseCommit(options, leases, fabric, leftovers, memory::leaseEnded);
        sessions = new SessionTable(options, epoch, fabric, wheel, leases, commit, memory, leftovers, closer, this::tell);
        loop = new ControlLoop("leasehold-node-" + options.node(), clock, this);
        requests = new RequestDesk(options, fabric.backing(), sessions, leases, memory);
        connections = new ConnectionDesk(fabric, loop, sessions, requests, wheel, clock, closer);
    }

    private void tell(Runnable task) {
        loop.tell(task);
    }

    private void evict(Allocation space) {
        sessions.evict(space);
    }

    /// Begins to work.
    void start() {
        fabric.controlCompletions().onCompletion(loop::wake);
        fabric.device().onAsyncEvent(event -> loop.tell(() -> sessions.mayHaveFailed(event.number())));
        loop.start();
    }

    /// Answers a connection request, on a thread of the device.
    void onRequest(ConnectionRequest request) {
        connections.onRequest(request);
    }

    /// Has the control thread look at the clock.
    void tick() {
        loop.wake();
    }

    /// Ends everything but the device's objects.
    ///
    /// @return whether it has ended in time
    boolean stop(long timeoutMillis) {
        return loop.stop(timeoutMillis);
    }

    /// Completed when everything has ended but the device's objects; exceptionally, if because of a failure.
    CompletableFuture<Void> whenEnded() {
        return loop.whenEnded();
    }

    /// Has what was asked for before take effect.
    CompletableFuture<Boolean> catchUp() {
        return loop.ask(this::turn);
    }

    /// Waits until the connections are closed that have ended.
    ///
    /// @return whether they are, in time
    boolean awaitClosed(long timeoutMillis) {
        return closer.awaitIdle(timeoutMillis);
    }

    /// What is in use.
    CompletableFuture<NodeCounts> counts() {
        return loop.ask(() -> {
            turn();
            memory.reclaimAll();
            NodeMemory space = memory.memory();
            return new NodeCounts(sessions.all().size(), leases.size(), fabric.backing().inUse(),
                    sessions.all().stream().mapToInt(session -> session.row.inUse()).sum(), leases.claims(),
                    space.bytesOf(AccessPolicy.Kind.SESSION), space.bytesOf(AccessPolicy.Kind.NAMED),
                    space.bytesOf(AccessPolicy.Kind.HEAP), memory.quarantinedBytes(), space.freeBytes(),
                    fabric.device().resources());
        });
    }

    @Override
    public boolean turn() {
        boolean more = connections.poll();
        sessions.looked(more, connections.taken());
        wheel.expire(clock.getAsLong(), due);
        due.forEach(Runnable::run);
        due.clear();
        more |= sessions.activateNext();
        commit.run();
        connections.flush();
        boolean untidy = memory.tidy();
        requests.retry();
        connections.flush();
        return more || untidy;
    }

    @Override
    public long nextNanos() {
        return wheel.nextNanos();
    }

    @Override
    public void end(@Nullable Throwable failure) {
        String why = failure == null ? "the node is closing" : "the node has failed";
        if (failure != null) {
            // What is half done cannot be relied on: no key opens anything from here on, whatever else fails.
            sessions.all().forEach(sessions::fence);
        }
        attempt("listening", () -> fabric.listener().close());
        // All are refused before the first session ends: what it held is granted to nobody any more.
        for (NodeSession session : sessions.all()) {
            leases.refuseAll(session, null, Reason.UNAVAILABLE, why);
            for (long requestId : session.replies.unanswered()) {
                session.answer(requestId, new Failed(Reason.UNAVAILABLE, why));
            }
        }
        for (NodeSession session : List.copyOf(sessions.all())) {
            if (!attempt("a session", () -> sessions.end(session, why))) {
                sessions.fence(session);
            }
        }
        connections.flush();
        for (int i = 0; i < FAREWELL_POLLS_MAX && connections.isSending(); i++) {
            LockSupport.parkNanos(FAREWELL_POLL_NANOS);
            connections.poll();
            connections.flush();
        }
        connections.close();
    }

    /// Has one thing end; what fails must not keep the rest from ending.
    private static boolean attempt(String what, Runnable ending) {
        try {
            ending.run();
            return true;
        } catch (RuntimeException | Error e) {
            LOG.log(Level.WARNING, "a memory node could not end " + what + " in order; the rest ends all the same", e);
            return false;
        }
    }
}
