package io.leasehold.rdma.internal.verbs;

import io.leasehold.rdma.AsyncEvent;
import io.leasehold.rdma.EndpointAddress;
import io.leasehold.rdma.MemoryRegion;
import io.leasehold.rdma.PostStatus;
import io.leasehold.rdma.QueuePair;
import io.leasehold.rdma.QueuePairAddress;
import io.leasehold.rdma.QueuePairOptions;
import io.leasehold.rdma.QueuePairState;
import io.leasehold.rdma.RdmaError;
import io.leasehold.rdma.RdmaException;
import io.leasehold.rdma.SendBatch;
import io.leasehold.rdma.WorkCompletion;
import io.leasehold.rdma.WorkCompletionStatus;
import io.leasehold.rdma.internal.NicClock;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/// An `ibv_qp` of type RC: its states and its connection. What is posted and completed is the business of [WorkQueues].
///
/// `control` guards the states. It is taken before the locks of the work queues, and never held while waiting for a peer to answer;
/// but the system may have to find out, in RTR, where the peer's address leads, and whoever asks for the state then waits as long.
public final class VerbsQueuePair implements QueuePair {
    private static final Duration ASKING = Duration.ofSeconds(10);

    private final VerbsDevice device;
    private final long pointer;
    private final int kernelNumber;
    private final WorkQueues queues;
    private final QueuePairOptions options;
    private final PairTransitions transitions;
    private final ReentrantLock control = new ReentrantLock();
    private final Condition changed = control.newCondition();
    private @Nullable PendingConnection pending;
    private @Nullable PeerInfo peer;
    private @Nullable Bond bond;
    private volatile @Nullable QueuePairAddress remote;
    private String linkProblem = "";
    private boolean refusalTold;
    private boolean endTold;
    private int psn;

    VerbsQueuePair(VerbsDevice device, long pointer, WorkQueues queues, QueuePairOptions options) {
        this.device = device;
        this.pointer = pointer;
        kernelNumber = RawMemory.getInt(pointer + Abi.Handle.PAIR_KERNEL_NUMBER);
        this.queues = queues;
        this.options = options;
        transitions = new PairTransitions(device.library(), device.port(), pointer, queues.number());
        psn = device.newSequenceNumber();
    }

    /// The device that it belongs to.
    public VerbsDevice device() {
        return device;
    }

    /// The domain that it belongs to.
    public VerbsProtectionDomain domain() {
        return queues.domain();
    }

    /// `ibv_qp *`.
    long pointer() {
        return pointer;
    }

    WorkQueues queues() {
        return queues;
    }

    /// What the kernel calls it.
    public int kernelNumber() {
        return kernelNumber;
    }

    int maxInlineBytes() {
        return options.maxInlineBytes();
    }

    long maxMessageBytes() {
        return device.attributes().maxMessageBytes();
    }

    long maxWindowBytes() {
        return device.attributes().maxWindowBytes();
    }

    @Override
    public int number() {
        return queues.number();
    }

    @Override
    public QueuePairState state() {
        QueuePairState known = queues.state();
        if (queues.isClosed() || known != QueuePairState.RTR && known != QueuePairState.RTS && known != QueuePairState.SQD) {
            return known;
        }
        control.lock();
        try {
            // A device fails a queue pair on its own, and need not say so.
            if (!queues.isClosed() && transitions.query() == QueuePairState.ERR) {
                queues.markError();
                brokeDown(queues.generation(), Bond.Cause.GONE, "the peer's queue pair went to ERR");
            }
            return queues.state();
        } finally {
            control.unlock();
        }
    }

    @Override
    public QueuePairAddress address() {
        return new QueuePairAddress(device.connections().endpoint(), number());
    }

    @Override
    public @Nullable QueuePairAddress remoteAddress() {
        return remote;
    }

    /// What a peer must know.
    PeerInfo info() {
        return info(address());
    }

    /// The same of one that asks for a connection, and need not be reached itself.
    PeerInfo infoOfWhoAsks() {
        return info(new QueuePairAddress(device.connections().identity(), number()));
    }

    private PeerInfo info(QueuePairAddress address) {
        control.lock();
        try {
            VerbsPort port = device.port();
            return new PeerInfo(address, psn, port.lid(), port.gid(), port.mtu(), options.maxReadAtomic(),
                    Math.min(255, device.attributes().maxReadAtomic()),
                    Patience.receiverNotReadyMicros(options.receiverNotReadyTimeout()));
        } finally {
            control.unlock();
        }
    }

    @Override
    public SendBatch newSendBatch() {
        return new VerbsSendBatch(this);
    }

    PostStatus post(RequestChain chain) {
        PostStatus status = queues.post(this, chain);
        queues.sends().tellOfRefused();
        return status;
    }

    PostStatus post(ReceiveChain chain) {
        return flushed(queues.postReceive(pointer, chain));
    }

    @Override
    public PostStatus postReceive(long id, MemoryRegion region, long offset, int lengthBytes) {
        return flushed(queues.postReceive(pointer, id, region, offset, lengthBytes));
    }

    /// rxe flushes what is outstanding when a queue pair goes to ERR, and not surely the receives that are posted later.
    private PostStatus flushed(PostStatus status) {
        if (status == PostStatus.POSTED && queues.state() == QueuePairState.ERR && device.isRxe()) {
            control.lock();
            try {
                if (!queues.isClosed() && queues.state() == QueuePairState.ERR) {
                    failDevice();
                }
            } finally {
                control.unlock();
            }
        }
        return status;
    }

    /// Takes the device's queue pair to ERR, if that can be done. Under `control` or the send lock, so that it exists and has this
    /// life.
    void failDevice() {
        try {
            transitions.to(QueuePairState.ERR);
        } catch (RdmaException e) {
            device.handlerThrew("failing queue pair " + number(), e);
        }
    }

    // ---- completions

    /// Whether a tag is of this life of this queue pair.
    boolean isOf(long tag) {
        return queues.isOf(tag);
    }

    /// Whether the request with that tag is of no interest to the user.
    boolean isNudge(long tag) {
        return queues.isNudge(tag);
    }

    int ahead(long tag) {
        return queues.ahead(tag);
    }

    boolean retire(long tag, long completion, WorkCompletion into) {
        return queues.retire(this, tag, completion, into);
    }

    boolean retireRefused(long tag, WorkCompletionStatus status, WorkCompletion into) {
        return queues.retireRefused(this, tag, status, into);
    }

    /// The device will say nothing more of what it was given: this life of the queue pair ends. On a thread without locks.
    void lose(String detail) {
        Bond ending;
        control.lock();
        try {
            if (queues.isClosed() || queues.state() == QueuePairState.RESET) {
                return;
            }
            cancelPending(detail);
            queues.fail(this::failDevice);
            queues.loseOutstanding(this);
            ending = detach();
        } finally {
            control.unlock();
        }
        queues.sends().tellOfRefused();
        end(ending, "the peer's queue pair was lost: " + detail);
    }

    /// A completion, or the device, said that this life of the queue pair is over: the peer is told. The caller may hold any lock.
    void brokeDown(int generation, Bond.Cause cause, String detail) {
        device.announcements().later(() -> {
            Bond told;
            control.lock();
            try {
                if (queues.isClosed() || queues.generation() != generation) {
                    return;
                }
                queues.fail(device.isRxe() ? this::failDevice : () -> { });
                told = bond;
                changed.signalAll();
            } finally {
                control.unlock();
            }
            if (told != null) {
                told.say(cause, detail);
            }
        });
    }

    /// The device says that a request of the peer broke the queue pair.
    void refusedPeer(AsyncEvent.Type type, String detail) {
        control.lock();
        try {
            if (queues.isClosed() || refusalTold) {
                return;
            }
            refusalTold = true;
            device.raise(new AsyncEvent(type, number(), detail));
            brokeDown(queues.generation(), Bond.Cause.GONE, "the peer's queue pair refused a request");
        } finally {
            control.unlock();
        }
    }

    // ---- states

    @Override
    public void toInit() {
        control.lock();
        try {
            demand("toInit", QueuePairState.RESET);
            transitions.toInit();
            queues.change(QueuePairState.RESET, QueuePairState.INIT);
        } finally {
            control.unlock();
        }
    }

    @Override
    public void toReadyToReceive(QueuePairAddress address) {
        control.lock();
        try {
            demand("toReadyToReceive", QueuePairState.INIT);
        } finally {
            control.unlock();
        }
        PeerInfo asked = device.connections().ask(address, ASKING);
        control.lock();
        try {
            demand("toReadyToReceive", QueuePairState.INIT);
            serve(asked);
        } finally {
            control.unlock();
        }
        device.connections().join(this, address);
    }

    /// INIT to RTR. Under the lock.
    private void serve(PeerInfo asked) {
        transitions.toReadyToReceive(asked, Math.min(asked.initiates(), Math.min(255, device.attributes().maxReadAtomic())));
        peer = asked;
        remote = asked.address();
        queues.change(QueuePairState.INIT, QueuePairState.RTR);
        changed.signalAll();
    }

    @Override
    public void toReadyToSend(Duration timeout) {
        long start = NicClock.nanos();
        long left = NicClock.nanosOf(timeout);
        control.lock();
        try {
            demand("toReadyToSend", QueuePairState.RTR, QueuePairState.SQD);
            while (queues.state() == QueuePairState.RTR && bond == null) {
                if (left <= 0) {
                    throw new RdmaException(RdmaError.TIMEOUT, "queue pair " + number() + ": its peer " + remote
                            + " was not ready after " + NicClock.millisSince(start) + " ms; " + linkProblem);
                }
                left = changed.awaitNanos(left);
                demand("toReadyToSend", QueuePairState.RTR, QueuePairState.SQD);
            }
            send();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new RdmaException(RdmaError.TIMEOUT, "queue pair " + number() + ": interrupted after "
                    + NicClock.millisSince(start) + " ms of waiting for " + remote, e);
        } finally {
            control.unlock();
        }
    }

    /// RTR or SQD to RTS. Under the lock.
    private void send() {
        PeerInfo connected = peer;
        if (queues.state() == QueuePairState.SQD) {
            transitions.to(QueuePairState.RTS);
            queues.change(QueuePairState.SQD, QueuePairState.RTS);
            if (device.isRxe()) {
                queues.nudge(this);
            }
        } else if (connected != null) {
            transitions.toReadyToSend(psn, Patience.timeoutExponent(options.responseTimeout()),
                    Math.min(options.maxReadAtomic(), connected.serves()));
            queues.change(QueuePairState.RTR, QueuePairState.RTS);
        }
    }

    @Override
    public void toSendQueueDrained() {
        control.lock();
        try {
            demand("toSendQueueDrained", QueuePairState.RTS);
            transitions.to(QueuePairState.SQD);
            queues.change(QueuePairState.RTS, QueuePairState.SQD);
        } finally {
            control.unlock();
        }
    }

    @Override
    public void toError() {
        Bond ending;
        control.lock();
        try {
            demandOpen("toError");
            cancelPending("the queue pair went to ERR");
            ending = fail();
        } finally {
            control.unlock();
        }
        end(ending, "the peer's queue pair went to ERR");
    }

    /// Any state to ERR. Under the lock.
    private @Nullable Bond fail() {
        if (queues.state() == QueuePairState.RESET) {
            // There is no way from RESET to ERR.
            transitions.toInit();
        }
        queues.fail(() -> transitions.to(QueuePairState.ERR));
        return detach();
    }

    private @Nullable Bond detach() {
        Bond ending = bond;
        bond = null;
        changed.signalAll();
        return ending;
    }

    private static void end(@Nullable Bond ending, String detail) {
        if (ending != null) {
            ending.end(detail);
        }
    }

    @Override
    public void toReset() {
        Bond ending;
        control.lock();
        try {
            demandOpen("toReset");
            cancelPending("the queue pair was reset");
            ending = reset();
        } finally {
            control.unlock();
        }
        end(ending, "the peer's queue pair was reset");
    }

    /// Any state to RESET. Under the lock.
    private @Nullable Bond reset() {
        queues.reset(() -> {
            // Some devices refuse to reset what is reset.
            if (queues.state() != QueuePairState.RESET) {
                transitions.to(QueuePairState.RESET);
            }
        });
        psn = device.newSequenceNumber();
        peer = null;
        remote = null;
        linkProblem = "";
        refusalTold = false;
        endTold = false;
        return detach();
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

    @Override
    public byte[] connect(EndpointAddress endpoint, byte[] privateData, Duration timeout) {
        return device.connections().connect(this, endpoint, privateData, timeout);
    }

    /// Reserves this fresh queue pair for a connection; [#comeUp] or [#failConnecting] follows.
    void startConnecting(PendingConnection connection) {
        control.lock();
        try {
            demand("connecting", QueuePairState.RESET, QueuePairState.INIT);
            pending = connection;
        } finally {
            control.unlock();
        }
    }

    /// Makes the queue pair serve the peer's requests, if it is still reserved for `connection`.
    void serve(PendingConnection connection, PeerInfo asking) {
        control.lock();
        try {
            demandPending(connection);
            if (queues.state() == QueuePairState.RESET) {
                transitions.toInit();
                queues.change(QueuePairState.RESET, QueuePairState.INIT);
            }
            serve(asking);
        } finally {
            control.unlock();
        }
    }

    /// Makes it ready to send.
    void send(PendingConnection connection) {
        control.lock();
        try {
            demandPending(connection);
            send();
        } finally {
            control.unlock();
        }
    }

    /// Makes it ready to send, if it is not yet: the connection lasts as long as `exchange`.
    void comeUp(PendingConnection connection, Exchange exchange) {
        control.lock();
        try {
            demandPending(connection);
            if (queues.state() == QueuePairState.RTR) {
                send();
            }
            pending = null;
            attach(exchange);
        } finally {
            control.unlock();
        }
    }

    private void attach(Exchange exchange) {
        var attached = new Attachment(this, exchange);
        bond = attached;
        changed.signalAll();
        device.threads().startVirtual("leasehold-verbs-attachment", attached::watch);
    }

    /// Takes the queue pair to a state with attributes that a connection manager has filled in, if it is still reserved for
    /// `connection`.
    void follow(PendingConnection connection, QueuePairState to, long attributes, int mask) {
        control.lock();
        try {
            demandPending(connection);
            QueuePairState from = queues.state();
            transitions.follow(to, attributes, mask);
            queues.change(from, to);
        } finally {
            control.unlock();
        }
    }

    /// The connection manager says that the queue pair, which is ready to send, is connected.
    void comeUp(PendingConnection connection, Bond managed, @Nullable QueuePairAddress peerAddress) {
        control.lock();
        try {
            demandPending(connection);
            pending = null;
            bond = managed;
            remote = peerAddress;
            changed.signalAll();
        } finally {
            control.unlock();
        }
    }

    private void demandPending(PendingConnection connection) {
        demandOpen("connecting");
        if (pending != connection) {
            throw new RdmaException(RdmaError.INVALID_STATE, "queue pair " + number() + ": connecting was broken off");
        }
    }

    /// Joins two fresh queue pairs of one device to each other, without an exchange.
    static void joinWithin(VerbsQueuePair one, VerbsQueuePair other) {
        var nowhere = new EndpointAddress(VerbsProvider.NAME, "nowhere", 0, 0);
        PeerInfo ofOne = one.info(new QueuePairAddress(nowhere, one.number()));
        PeerInfo ofOther = other.info(new QueuePairAddress(nowhere, other.number()));
        one.joinWithin(ofOther);
        other.joinWithin(ofOne);
    }

    private void joinWithin(PeerInfo with) {
        control.lock();
        try {
            toInit();
            serve(with);
            send();
        } finally {
            control.unlock();
        }
    }

    /// Gives up a connection: the queue pair is in RESET again, unless it was closed.
    void failConnecting(PendingConnection connection) {
        control.lock();
        try {
            if (pending == connection) {
                pending = null;
                if (!queues.isClosed()) {
                    reset();
                }
            }
        } finally {
            control.unlock();
        }
    }

    private void cancelPending(String cause) {
        PendingConnection connection = pending;
        if (connection != null) {
            pending = null;
            connection.cancel(cause);
        }
    }

    /// Whether this queue pair waits, the raw way, to meet that queue pair of that device.
    boolean awaits(long deviceId, int queuePairNumber) {
        QueuePairAddress wanted = remote;
        return queues.state() == QueuePairState.RTR && wanted != null && wanted.endpoint().device() == deviceId
                && wanted.number() == queuePairNumber;
    }

    /// Waits until it does.
    ///
    /// @return whether it does, before `deadlineNanos`
    boolean awaitsBefore(long deviceId, int queuePairNumber, long deadlineNanos) {
        control.lock();
        try {
            while (!awaits(deviceId, queuePairNumber)) {
                long left = deadlineNanos - NicClock.nanos();
                if (left <= 0 || queues.isClosed()) {
                    return false;
                }
                changed.awaitNanos(left);
            }
            return true;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return false;
        } finally {
            control.unlock();
        }
    }

    /// The peer that this queue pair waits for, the raw way, has come.
    ///
    /// @return whether it still waits
    boolean meet(long deviceId, int queuePairNumber, Exchange exchange) {
        control.lock();
        try {
            boolean waits = !queues.isClosed() && bond == null && awaits(deviceId, queuePairNumber);
            if (waits) {
                attach(exchange);
            }
            return waits;
        } finally {
            control.unlock();
        }
    }

    /// Remembers why the peer does not come, for the message of the time-out.
    void linkProblem(String problem) {
        control.lock();
        try {
            linkProblem = problem;
        } finally {
            control.unlock();
        }
    }

    /// The peer says, by the exchange that accompanies the connection or by its end, that the connection is over.
    void told(Bond by, Bond.Cause cause, String detail) {
        control.lock();
        try {
            if (queues.isClosed() || bond != by) {
                return;
            }
            if (queues.state() != QueuePairState.ERR) {
                queues.fail(this::failDevice);
            }
            changed.signalAll();
            boolean refused = cause != Bond.Cause.GONE;
            if (refused ? !refusalTold : !endTold) {
                refusalTold |= refused;
                endTold = true;
                device.raise(new AsyncEvent(switch (cause) {
                    case GONE -> AsyncEvent.Type.PEER_GONE;
                    case ACCESS_REFUSED -> AsyncEvent.Type.QP_ACCESS_ERR;
                    case REQUEST_REFUSED -> AsyncEvent.Type.QP_REQ_ERR;
                }, number(), detail));
            }
        } finally {
            control.unlock();
        }
    }

    @Override
    public void close() {
        Bond ending;
        NativeFailure failure = null;
        control.lock();
        try {
            if (queues.isClosed()) {
                return;
            }
            cancelPending("the queue pair was closed");
            // The device serves nothing through it from here on, whatever the rest takes; if it refuses, it may destroy it yet.
            if (queues.state() != QueuePairState.RESET) {
                queues.fail(this::failDevice);
            }
            ending = detach();
            device.leaveWindows(this);
            queues.close();
            try {
                device.library().destroyQp(pointer);
            } catch (NativeFailure e) {
                failure = e;
            }
        } finally {
            control.unlock();
        }
        end(ending, "the peer's queue pair was closed");
        device.remove(this);
        queues.domain().disown();
        if (failure != null) {
            throw failure.toRdmaException("freeing queue pair " + number());
        }
    }
}
