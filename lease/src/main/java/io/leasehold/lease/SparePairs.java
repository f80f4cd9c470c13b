package io.leasehold.lease;

import io.leasehold.rdma.QueuePair;
import io.leasehold.rdma.QueuePairState;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/// The data queue pairs of a session that are connected and not active, by their index, and the threads that connect what is
/// missing, each until it has succeeded or the session has ended.
final class SparePairs {
    private static final long BACKOFF_MIN_NANOS = 1_000_000;
    private static final long BACKOFF_MAX_NANOS = 200_000_000;
    private static final System.Logger LOG = System.getLogger(SparePairs.class.getName());

    private final Connector connector;
    private final SessionState state;
    private final long connectNanos;
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition changed = lock.newCondition();
    // Guarded by the lock.
    private final @Nullable QueuePair[] spares;
    private final boolean[] connecting;
    private int taken = -1;
    private boolean closed;

    /// @param count how many data queue pairs the session has, the active one included
    /// @param connectNanos how long one attempt to connect may take
    SparePairs(Connector connector, SessionState state, int count, long connectNanos) {
        this.connector = connector;
        this.state = state;
        this.connectNanos = connectNanos;
        spares = new QueuePair[count];
        connecting = new boolean[count];
    }

    /// Connects all, at the start of a session.
    void connectAll(long deadlineNanos) {
        for (int index = 0; index < spares.length; index++) {
            QueuePair queuePair = connector.connectData(index, deadlineNanos);
            lock.lock();
            try {
                spares[index] = queuePair;
            } finally {
                lock.unlock();
            }
        }
    }

    /// A spare that is taken and has left the spares.
    record Taken(int index, QueuePair queuePair) {
    }

    /// Takes a spare, and has all that are missing connected, in the background: the one taken before among them.
    ///
    /// @throws NodeUnavailableException if there is none by `deadlineNanos`
    Taken take(long deadlineNanos) {
        boolean first = true;
        while (state.isOpen()) {
            Taken spare = poll();
            if (spare != null) {
                return spare;
            }
            long left = deadlineNanos - SystemClock.NANOS.getAsLong();
            if (!first && left <= 0) {
                throw new NodeUnavailableException(state.node() + ": no spare data queue pair could be connected in time; is the node up?");
            }
            first = false;
            connectMissing();
            awaitChange(left);
        }
        throw state.exception("recovery");
    }

    private @Nullable Taken poll() {
        lock.lock();
        try {
            for (int index = 0; index < spares.length; index++) {
                QueuePair queuePair = spares[index];
                if (queuePair != null && queuePair.state() == QueuePairState.RTS) {
                    spares[index] = null;
                    taken = index;
                    return new Taken(index, queuePair);
                }
            }
            return null;
        } finally {
            lock.unlock();
        }
    }

    private void awaitChange(long nanos) {
        lock.lock();
        try {
            for (QueuePair spare : spares) {
                if (spare != null) {
                    return;
                }
            }
            // Bounded: what broke while it was idle is found by looking.
            changed.awaitNanos(Math.min(nanos, BACKOFF_MAX_NANOS));
        } catch (InterruptedException _) {
            // Nobody interrupts this thread; if somebody does, its loop looks the sooner.
        } finally {
            lock.unlock();
        }
    }

    /// The pair that was taken last is of no more use.
    void release() {
        lock.lock();
        try {
            taken = -1;
        } finally {
            lock.unlock();
        }
    }

    /// Has what is missing or broke while it was idle connected in the background.
    void connectMissing() {
        lock.lock();
        try {
            for (int index = 0; index < spares.length && !closed; index++) {
                QueuePair broken = spares[index];
                boolean missing = broken == null || broken.state() == QueuePairState.ERR;
                if (missing && !connecting[index] && taken != index) {
                    spares[index] = null;
                    connecting[index] = true;
                    int of = index;
                    Thread.ofVirtual().name("leasehold-reconnect-" + index).start(() -> connect(of, broken));
                }
            }
        } finally {
            lock.unlock();
        }
    }

    private void connect(int index, @Nullable QueuePair broken) {
        if (broken != null) {
            broken.close();
        }
        long backoff = BACKOFF_MIN_NANOS;
        QueuePair queuePair = null;
        while (queuePair == null && state.isOpen()) {
            try {
                queuePair = connector.connectData(index, SystemClock.NANOS.getAsLong() + connectNanos);
            } catch (RuntimeException e) {
                LOG.log(System.Logger.Level.DEBUG, state.node() + ": data queue pair " + index + " was not connected", e);
                pause(backoff);
                backoff = Math.min(BACKOFF_MAX_NANOS, backoff * 2);
            }
        }
        if (!add(index, queuePair)) {
            // Closed first: until then this counts as busy, and nobody frees what the queue pair uses.
            if (queuePair != null) {
                queuePair.close();
            }
            stopConnecting(index);
        }
    }

    /// Keeps a new spare, unless all are closed.
    private boolean add(int index, @Nullable QueuePair queuePair) {
        lock.lock();
        try {
            if (closed) {
                return false;
            }
            spares[index] = queuePair;
            connecting[index] = false;
            changed.signalAll();
            return true;
        } finally {
            lock.unlock();
        }
    }

    private void stopConnecting(int index) {
        lock.lock();
        try {
            connecting[index] = false;
            changed.signalAll();
        } finally {
            lock.unlock();
        }
    }

    private static void pause(long nanos) {
        try {
            TimeUnit.NANOSECONDS.sleep(nanos);
        } catch (InterruptedException _) {
            // As above.
        }
    }

    /// Wakes whoever waits for a spare, to see that the session has ended.
    void wake() {
        lock.lock();
        try {
            changed.signalAll();
        } finally {
            lock.unlock();
        }
    }

    /// Closes all spares; none are made any more.
    void close() {
        List<QueuePair> open = new ArrayList<>();
        lock.lock();
        try {
            closed = true;
            for (int index = 0; index < spares.length; index++) {
                QueuePair queuePair = spares[index];
                if (queuePair != null) {
                    open.add(queuePair);
                    spares[index] = null;
                }
            }
            changed.signalAll();
        } finally {
            lock.unlock();
        }
        open.forEach(QueuePair::close);
    }

    /// Whether a thread is connecting one.
    boolean isBusy() {
        lock.lock();
        try {
            boolean busy = false;
            for (boolean one : connecting) {
                busy |= one;
            }
            return busy;
        } finally {
            lock.unlock();
        }
    }
}
