package io.leasehold.rdma.internal.soft;

import io.leasehold.rdma.EndpointAddress;
import io.leasehold.rdma.MemoryRegion;
import io.leasehold.rdma.PostStatus;
import io.leasehold.rdma.QueuePair;
import io.leasehold.rdma.QueuePairAddress;
import io.leasehold.rdma.QueuePairState;
import io.leasehold.rdma.RdmaError;
import io.leasehold.rdma.RdmaException;
import io.leasehold.rdma.SendBatch;
import io.leasehold.rdma.internal.NicClock;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/// The control path of a queue pair: its states and how it is connected. The data path is in [WorkQueues].
///
/// The lock `control` orders the transitions. It is never held while waiting for a peer, and is the outermost of the locks.
final class SoftQueuePair implements QueuePair {
    private static final System.Logger LOG = System.getLogger(SoftQueuePair.class.getName());
    /// How long somebody else may take to close it: longer than it waits for the thread of a link.
    private static final long CLOSE_NANOS = 3_000_000_000L;

    private final SoftDevice device;
    private final WorkQueues queues;
    private final ReentrantLock control = new ReentrantLock();
    private final Condition changed = control.newCondition();
    private final CountDownLatch freed = new CountDownLatch(1);
    private volatile String linkProblem = "";
    private @Nullable PendingConnection pending;

    SoftQueuePair(SoftDevice device, WorkQueues queues) {
        this.device = device;
        this.queues = queues;
    }

    SoftDevice device() {
        return device;
    }

    WorkQueues queues() {
        return queues;
    }

    @Override
    public int number() {
        return queues.number();
    }

    @Override
    public QueuePairState state() {
        return queues.state();
    }

    @Override
    public QueuePairAddress address() {
        return new QueuePairAddress(device.endpoint(), number());
    }

    /// The address as far as it is known, without making the device listen.
    QueuePairAddress identity() {
        return new QueuePairAddress(device.identity(), number());
    }

    @Override
    public @Nullable QueuePairAddress remoteAddress() {
        return queues.remote();
    }

    @Override
    public SendBatch newSendBatch() {
        return new SoftSendBatch(queues);
    }

    @Override
    public PostStatus postReceive(long id, MemoryRegion region, long offset, int lengthBytes) {
        return queues.postReceive(id, region, offset, lengthBytes);
    }

    // ---- states

    @Override
    public void toInit() {
        control.lock();
        try {
            demand("toInit", QueuePairState.RESET);
            queues.change(QueuePairState.RESET, QueuePairState.INIT);
        } finally {
            control.unlock();
        }
    }

    @Override
    public void toReadyToReceive(QueuePairAddress peer) {
        control.lock();
        try {
            demand("toReadyToReceive", QueuePairState.INIT);
            queues.expect(peer);
            linkProblem = "has the peer done toReadyToReceive?";
            queues.change(QueuePairState.INIT, QueuePairState.RTR);
            changed.signalAll();
        } finally {
            control.unlock();
        }
        device.attach(this, peer);
    }

    @Override
    public void toReadyToSend(Duration timeout) {
        long start = NicClock.nanos();
        control.lock();
        try {
            demand("toReadyToSend", QueuePairState.RTR, QueuePairState.SQD);
            long left = NicClock.nanosOf(timeout);
            while (queues.wire() == null) {
                if (left <= 0) {
                    throw new RdmaException(RdmaError.TIMEOUT, "queue pair " + number() + ": waiting for the link to "
                            + queues.remote()
                            + " took more than " + NicClock.millisSince(start) + " ms; " + linkProblem);
                }
                left = changed.awaitNanos(left);
                demand("toReadyToSend", QueuePairState.RTR, QueuePairState.SQD);
            }
            if (!queues.change(QueuePairState.RTR, QueuePairState.RTS)) {
                queues.change(QueuePairState.SQD, QueuePairState.RTS);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new RdmaException(RdmaError.TIMEOUT, "queue pair " + number() + ": interrupted after "
                    + NicClock.millisSince(start) + " ms of waiting for the link to " + queues.remote(), e);
        } finally {
            control.unlock();
        }
        queues.resume();
    }

    @Override
    public void toSendQueueDrained() {
        control.lock();
        try {
            demand("toSendQueueDrained", QueuePairState.RTS);
            queues.drain();
        } finally {
            control.unlock();
        }
    }

    @Override
    public void toError() {
        fail("toError", "the queue pair went to ERR");
        queues.finishError("the peer's queue pair went to ERR");
        queues.gate().awaitEmpty();
    }

    @Override
    public void toReset() {
        fail("toReset", "the queue pair was reset");
        Wire old = queues.wire();
        if (old != null) {
            old.breakOff("the peer's queue pair was reset");
        }
        queues.gate().awaitEmpty();
        control.lock();
        try {
            queues.reset(old);
        } finally {
            control.unlock();
        }
    }

    private void fail(String transition, String cause) {
        control.lock();
        try {
            demandOpen(transition);
            cancelPending(cause);
            queues.markError();
            changed.signalAll();
        } finally {
            control.unlock();
        }
    }

    private void demandOpen(String transition) {
        if (queues.isClosed()) {
            throw new RdmaException(RdmaError.CLOSED,
                    "queue pair " + number() + " is closed; " + transition + " is not possible");
        }
    }

    private void demand(String transition, QueuePairState... from) {
        demandOpen(transition);
        QueuePairState now = queues.state();
        if (pending != null) {
            throw new RdmaException(RdmaError.INVALID_STATE,
                    "queue pair " + number() + " is being connected; " + transition + " is not possible");
        }
        for (QueuePairState allowed : from) {
            if (now == allowed) {
                return;
            }
        }
        throw new RdmaException(RdmaError.INVALID_STATE, "queue pair " + number() + " is in " + now + "; " + transition
                + " is possible from " + List.of(from));
    }

    // ---- connecting

    /// Reserves this fresh queue pair for a connection; [#comeUp] or [#stopConnecting] follows.
    void startConnecting(PendingConnection connection) {
        control.lock();
        try {
            demand("connecting", QueuePairState.RESET, QueuePairState.INIT);
            pending = connection;
        } finally {
            control.unlock();
        }
    }

    /// Joins the queue pair to its peer and makes it ready to send, if it is still reserved for `connection`.
    boolean comeUp(PendingConnection connection, Wire wire, QueuePairAddress peer) {
        control.lock();
        try {
            if (queues.isClosed() || pending != connection) {
                return false;
            }
            pending = null;
            return join(wire, peer, queues.state(), QueuePairState.RTS);
        } finally {
            control.unlock();
        }
    }

    /// Joins a queue pair that went to RTR the raw way to its peer.
    boolean linkUp(Wire wire) {
        control.lock();
        try {
            QueuePairAddress peer = queues.remote();
            return !queues.isClosed() && queues.wire() == null && peer != null
                    && join(wire, peer, QueuePairState.RTR, QueuePairState.RTR);
        } finally {
            control.unlock();
        }
    }

    private boolean join(Wire wire, QueuePairAddress peer, QueuePairState from, QueuePairState to) {
        boolean joined = from != QueuePairState.ERR && queues.join(wire, peer, from, to);
        changed.signalAll();
        return joined;
    }

    /// Gives a reserved queue pair back as it was.
    void stopConnecting(PendingConnection connection) {
        control.lock();
        try {
            if (pending == connection) {
                pending = null;
            }
        } finally {
            control.unlock();
        }
    }

    /// Gives up a connection: the queue pair is in RESET again, unless it was closed.
    void failConnecting(PendingConnection connection) {
        stopConnecting(connection);
        try {
            toReset();
        } catch (RdmaException e) {
            // Closed meanwhile, as its connection says: nothing is left to reset.
            return;
        }
    }

    private void cancelPending(String cause) {
        PendingConnection connection = pending;
        if (connection != null) {
            pending = null;
            connection.cancel(cause);
        }
    }

    /// Whether this queue pair waits, the raw way, for a link to `peer`.
    boolean awaits(QueuePairAddress peer) {
        return awaits(peer.endpoint().device(), peer.number());
    }

    /// Whether this queue pair waits, the raw way, for a link to that queue pair of that device.
    boolean awaits(long deviceId, int queuePairNumber) {
        QueuePairAddress wanted = queues.remote();
        return queues.state() == QueuePairState.RTR && !queues.isClosed() && queues.wire() == null && wanted != null
                && wanted.endpoint().device() == deviceId && wanted.number() == queuePairNumber;
    }

    /// Waits until the queue pair waits for a link to `peer`.
    ///
    /// @return whether it does, before `nanos` have passed
    boolean awaitsWithin(QueuePairAddress peer, long nanos) {
        long left = nanos;
        control.lock();
        try {
            while (!awaits(peer)) {
                if (left <= 0 || !mayBecomeReady()) {
                    return false;
                }
                left = changed.awaitNanos(left);
            }
            return true;
        } catch (InterruptedException e) {
            return false;
        } finally {
            control.unlock();
        }
    }

    /// Whether this queue pair may still go to RTR the raw way: nobody waits for one that has a link, or comes by it otherwise.
    private boolean mayBecomeReady() {
        QueuePairState now = queues.state();
        return !queues.isClosed() && pending == null && queues.wire() == null
                && (now == QueuePairState.RESET || now == QueuePairState.INIT);
    }

    /// Remembers why the link does not come up, for the message of the time-out.
    void linkProblem(String problem) {
        linkProblem = problem;
    }

    @Override
    public byte[] connect(EndpointAddress endpoint, byte[] privateData, Duration timeout) {
        return device.connect(this, endpoint, privateData, timeout);
    }

    @Override
    public void close() {
        if (beginClose()) {
            finishClose();
        } else {
            queues.gate().awaitEmpty();
            awaitClosed();
        }
    }

    /// Waits until whoever was first has freed the queue pair, so that its completion queues and its domain can be closed; not where
    /// that one waits for this thread.
    private void awaitClosed() {
        Wire wire = queues.wire();
        if (wire instanceof RemoteWire remote && remote.isServedHere()) {
            return;
        }
        try {
            if (!freed.await(CLOSE_NANOS, TimeUnit.NANOSECONDS)) {
                LOG.log(System.Logger.Level.WARNING, "queue pair {0} is still being closed", number());
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /// Takes no more requests and breaks the connection off, without waiting for the peer to notice.
    ///
    /// @return whether the caller was the first, and has to call [#finishClose]
    boolean beginClose() {
        boolean first;
        control.lock();
        try {
            first = queues.close();
            cancelPending("the queue pair was closed");
            changed.signalAll();
        } finally {
            control.unlock();
        }
        if (first) {
            queues.breakOff();
        }
        return first;
    }

    /// Waits for the end of the connection, and frees the queue pair.
    void finishClose() {
        queues.finishClose();
        device.remove(this);
        queues.domain().disown();
        freed.countDown();
    }
}
