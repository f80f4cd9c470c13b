package io.leasehold.rdma;

import java.time.Duration;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/// One user's share of a board that lives in this JVM.
final class EmbeddedRendezvous implements Rendezvous {
    /// The boards in use, by cluster id.
    private static final Map<String, Board> BOARDS = new HashMap<>();

    private final Board board;
    private final String clusterId;
    private boolean closed;

    private EmbeddedRendezvous(String clusterId, Board board) {
        this.clusterId = clusterId;
        this.board = board;
    }

    static EmbeddedRendezvous open(String clusterId) {
        synchronized (BOARDS) {
            Board board = BOARDS.computeIfAbsent(clusterId, _ -> new Board());
            board.users++;
            return new EmbeddedRendezvous(clusterId, board);
        }
    }

    @Override
    public void publish(String name, byte[] value) {
        RendezvousLimits.checkValue(name, value);
        board.lock.lock();
        try {
            checkOpen();
            board.values.put(name, value.clone());
            board.changed.signalAll();
        } finally {
            board.lock.unlock();
        }
    }

    @Override
    public byte @Nullable [] lookup(String name) {
        board.lock.lock();
        try {
            checkOpen();
            byte[] value = board.values.get(name);
            return value == null ? null : value.clone();
        } finally {
            board.lock.unlock();
        }
    }

    @Override
    public byte[] await(String name, Duration timeout) {
        Deadline deadline = Deadline.after(timeout);
        board.lock.lock();
        try {
            checkOpen();
            byte[] value;
            while ((value = board.values.get(name)) == null) {
                waitForChange("await " + name, deadline, "nobody has published it");
            }
            return value.clone();
        } finally {
            board.lock.unlock();
        }
    }

    @Override
    public void withdraw(String name) {
        board.lock.lock();
        try {
            checkOpen();
            board.values.remove(name);
        } finally {
            board.lock.unlock();
        }
    }

    @Override
    public void barrier(String name, int parties, Duration timeout) {
        RendezvousLimits.checkParties(parties);
        Deadline deadline = Deadline.after(timeout);
        Gate gate = new Gate(name, parties);
        Object party = new Object();
        board.lock.lock();
        try {
            checkOpen();
            Set<Object> waiting = board.gates.computeIfAbsent(gate, _ -> new LinkedHashSet<>());
            waiting.add(party);
            if (waiting.size() == parties) {
                // The parties see that their set is no longer at the gate.
                board.gates.remove(gate);
                board.changed.signalAll();
                return;
            }
            try {
                while (board.gates.get(gate) == waiting) {
                    waitForChange("barrier " + name, deadline, waiting.size() + " of " + parties + " came");
                }
            } catch (RendezvousException e) {
                if (board.gates.get(gate) != waiting) {
                    return; // It opened while this thread was interrupted.
                }
                waiting.remove(party);
                board.gates.remove(gate, Set.of());
                throw e;
            }
        } finally {
            board.lock.unlock();
        }
    }

    /// Waits, with the lock, for a change of the board.
    private void waitForChange(String phase, Deadline deadline, String detail) {
        long left = deadline.remainingNanos();
        if (closed || left == 0) {
            throw new RendezvousException(server(), phase, deadline.elapsed(), closed ? "it was closed" : detail, null);
        }
        try {
            // How long is left is asked again by the caller's loop.
            board.changed.await(left, TimeUnit.NANOSECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new RendezvousException(server(), phase, deadline.elapsed(), "the thread was interrupted", e);
        }
    }

    private String server() {
        return "embedded rendezvous '" + clusterId + "'";
    }

    private void checkOpen() {
        if (closed) {
            throw new IllegalStateException(server() + " was closed");
        }
    }

    @Override
    public void close() {
        synchronized (BOARDS) {
            board.lock.lock();
            try {
                if (!closed) {
                    closed = true;
                    board.changed.signalAll();
                    if (--board.users == 0) {
                        BOARDS.remove(clusterId);
                    }
                }
            } finally {
                board.lock.unlock();
            }
        }
    }

    /// What the users of one cluster id share.
    private static final class Board {
        final ReentrantLock lock = new ReentrantLock();
        final Condition changed = lock.newCondition();
        final Map<String, byte[]> values = new HashMap<>();
        final Map<Gate, Set<Object>> gates = new HashMap<>();
        int users;
    }

    /// A barrier.
    private record Gate(String name, int parties) {
    }
}
