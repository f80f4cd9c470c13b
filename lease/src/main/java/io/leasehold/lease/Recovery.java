package io.leasehold.lease;

import io.leasehold.lease.ControlMessage.Activate;
import io.leasehold.lease.ControlMessage.Keys;
import io.leasehold.lease.ControlMessage.LeaseKey;
import io.leasehold.lease.ControlMessage.MoreKeys;
import io.leasehold.lease.ControlMessage.Reply;
import io.leasehold.lease.ControlMessage.Request;
import io.leasehold.rdma.QueuePairState;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/// Replaces the active data queue pair when it breaks.
///
/// When nothing is on the way on it any more: a spare is activated, the node re-binds the session's windows to it and tells their
/// new keys, what the broken pair flushed is posted again in its old order, and the broken pair is connected anew in the background
/// to be a spare. One thread recovers at a time; it exists while there is something to recover.
final class Recovery {
    /// Of the time that a request may take: recovery goes on trying so long, and callers are still told in time that it failed.
    private static final int BUDGET_SHARE = 2;
    /// Of the same time: how long the completions of a broken pair may take before the pair is closed without them.
    private static final int SILENCE_SHARE = 4;
    private static final System.Logger LOG = System.getLogger(Recovery.class.getName());

    private final SessionCore session;
    private final Connector connector;
    private final ControlChannel control;
    private final ChainPath path;
    private final SessionState state;
    private final SparePairs spares;
    private final long timeoutNanos;

    private final ReentrantLock lock = new ReentrantLock();
    // Guarded by the lock.
    private final Deque<DataPair> broken = new ArrayDeque<>();
    private boolean running;
    private volatile @Nullable DataPair current;
    private volatile boolean closed;

    // Touched by the recovering thread alone.
    private int generation;

    /// @param pairs how many data queue pairs there are, the active one included
    Recovery(SessionCore session, Connector connector, ControlChannel control, ChainPath path, SessionState state, int pairs,
            long timeoutNanos) {
        this.session = session;
        this.connector = connector;
        this.control = control;
        this.path = path;
        this.state = state;
        this.timeoutNanos = timeoutNanos;
        spares = new SparePairs(connector, state, pairs, timeoutNanos / BUDGET_SHARE);
        path.onDrained(this::recover);
    }

    /// Connects all pairs and activates the first.
    void start(long deadlineNanos) {
        spares.connectAll(deadlineNanos);
        activate(deadlineNanos);
    }

    /// Recovers from the breakdown of a pair that nothing is on the way on any more; does not wait for it.
    private void recover(DataPair pair) {
        lock.lock();
        try {
            broken.add(pair);
            if (running) {
                return;
            }
            running = true;
        } finally {
            lock.unlock();
        }
        Thread.ofVirtual().name("leasehold-recovery").start(this::recoverAll);
    }

    private void recoverAll() {
        for (DataPair pair = nextBroken(); pair != null; pair = nextBroken()) {
            List<WorkChain> replays = new ArrayList<>(pair.flushed);
            replays.sort(Comparator.comparingLong(chain -> chain.flushOrder));
            path.replay(replays);
            pair.queuePair.close();
            spares.release();
            LOG.log(System.Logger.Level.DEBUG, "{0}: data queue pair {1} broke in generation {2}; {3} batches are to be posted again",
                    state.node(), pair.index, pair.generation, replays.size());
            try {
                if (state.isOpen()) {
                    replace();
                }
            } catch (RuntimeException e) {
                session.end(SessionState.End.UNREACHABLE, "no data queue pair could be activated: " + e.getMessage(), e);
            }
            if (!state.isOpen()) {
                path.close();
            }
        }
    }

    private @Nullable DataPair nextBroken() {
        lock.lock();
        try {
            DataPair pair = broken.poll();
            running = pair != null;
            return pair;
        } finally {
            lock.unlock();
        }
    }

    private void replace() {
        long deadline = SystemClock.NANOS.getAsLong() + timeoutNanos / BUDGET_SHARE;
        boolean active = false;
        while (!active && state.isOpen()) {
            active = tryActivate(deadline);
        }
        spares.connectMissing();
    }

    private boolean tryActivate(long deadlineNanos) {
        try {
            activate(deadlineNanos);
            return true;
        } catch (NodeUnavailableException | AccessDeniedException | IllegalArgumentException e) {
            if (!state.isOpen() || SystemClock.NANOS.getAsLong() - deadlineNanos >= 0) {
                throw e;
            }
            LOG.log(System.Logger.Level.DEBUG, state.node() + ": a data queue pair was not activated; another is tried", e);
            return false;
        }
    }

    private void activate(long deadlineNanos) {
        SparePairs.Taken spare = spares.take(deadlineNanos);
        generation++;
        try {
            List<LeaseKey> keys = new ArrayList<>();
            Keys first = keys(new Activate(spare.index(), generation), deadlineNanos);
            keys.addAll(first.keys());
            while (keys.size() < first.total()) {
                keys.addAll(keys(new MoreKeys(generation, keys.size()), deadlineNanos).keys());
            }
            session.wordRow().bind(generation, first.wordKey());
            session.leases().install(generation, keys);
        } catch (RuntimeException e) {
            spare.queuePair().close();
            spares.release();
            throw e;
        }
        DataPair pair = new DataPair(spare.queuePair(), spare.index(), generation, connector.sendDepth());
        current = pair;
        path.open(pair);
        if (closed) {
            // Whoever closed may have looked for the pair before it was there.
            closeCurrent();
        }
    }

    private Keys keys(Request request, long deadlineNanos) {
        Reply reply = control.call("recovery", request, deadlineNanos);
        if (reply instanceof Keys keys && keys.generation() == generation && (keys.total() == 0 || !keys.keys().isEmpty())) {
            return keys;
        }
        throw new NodeUnavailableException(state.node() + ": answered an activation with " + reply);
    }

    /// Finds what broke while nobody used it, and what broke and does not tell how its requests ended.
    void inspect() {
        spares.connectMissing();
        DataPair pair = current;
        if (pair == null) {
            return;
        }
        if (!pair.isBroken()) {
            if (pair.queuePair.state() == QueuePairState.ERR) {
                path.breakPair(pair);
            }
        } else if (!pair.isDrained()
                && SystemClock.NANOS.getAsLong() - pair.brokenAtNanos() > timeoutNanos / SILENCE_SHARE) {
            pair.queuePair.close();
            path.silence(pair);
        }
    }

    /// Breaks the active pair, so that all that is on the way ends.
    void abort() {
        spares.wake();
        DataPair pair = current;
        if (pair != null && path.breakPair(pair)) {
            pair.flush();
        }
    }

    /// Closes all queue pairs; what was on the way and did not end is ended.
    void close() {
        closed = true;
        spares.close();
        closeCurrent();
    }

    private void closeCurrent() {
        DataPair pair = current;
        if (pair != null) {
            pair.queuePair.close();
            path.breakPair(pair);
            path.silence(pair);
        }
    }

    /// Whether a background thread is at work, which holds queue pairs or chains.
    boolean isBusy() {
        lock.lock();
        try {
            return running || spares.isBusy();
        } finally {
            lock.unlock();
        }
    }
}
