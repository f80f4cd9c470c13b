package io.leasehold.rdma.internal.soft;

import io.leasehold.rdma.AsyncEvent;
import io.leasehold.rdma.QueuePairAddress;
import io.leasehold.rdma.QueuePairState;
import io.leasehold.rdma.WorkCompletionStatus;
import io.leasehold.rdma.internal.NicClock;
import java.io.IOException;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/// The link over two rings in shared memory, with a thread that serves the incoming one, and the TCP connection over which the
/// two ends agreed on it: that one stays open, and its end is how each learns that the other is gone.
///
/// **Who serves.** Waking a thread of another core costs a hundred round trips, so nobody sleeps who is about to be needed. The
/// thread looks, yields and looks again for a bounded time, longer where that has proved worth it, and only then sleeps in a
/// futex, having told the peer to wake it. A caller that polls its completion queue takes in answers itself ([#advance]), without
/// another thread in between; while the wire's thread sees somebody do that steadily, it naps and looks now and then whether
/// it is still so. What a poller must not do, it leaves to the thread: running handlers and ending the wire.
///
/// **What the peer can do.** It can write anything into the file at any time. Everything taken from there is checked in
/// [RingInput], [RingOutput], [FrameRequester] and [FrameResponder], and the memory of regions is never mapped into a peer.
///
/// The file is touched under the send lock while `mapped`, and by the wire's thread, which is the one to unmap it.
final class RingWire implements RemoteWire, PolledWire, Runnable {
    private static final System.Logger LOG = System.getLogger(RingWire.class.getName());
    /// For how long to look for something before sleeping: as long as it takes to be woken, give or take.
    private static final long PATIENCE_MIN_NANOS = 20_000;
    private static final long PATIENCE_MAX_NANOS = 200_000;
    /// How often it looks before it yields: for about a microsecond.
    private static final int SPINS_MAX = 64;
    /// How long the thread naps while others poll: longer from nap to nap, for each takes a core from them for a moment.
    private static final long NAP_MIN_NANOS = 100_000;
    private static final long NAP_MAX_NANOS = 400_000;
    /// So many looks of pollers during a nap mean that they poll steadily.
    private static final int STEADY_LOOKS = 16;
    /// Yields after which a frame that still lies there was not taken by the pollers.
    private static final int PATIENT_YIELDS = 8;
    /// How long the thread stays awake beside pollers who did not take a frame.
    private static final long DISTRUST_NANOS = 10_000_000;
    /// How often to look whether there is room.
    private static final long CRAMPED_NANOS = 50_000;
    /// How long a peer may leave everything lying at least.
    private static final long SILENCE_MIN_NANOS = 3_000_000_000L;
    private static final long TICK_MAX_NANOS = 1_000_000_000L;
    private static final long JOIN_NANOS = 1_000_000;

    private static final VarHandle WAITING;

    static {
        try {
            WAITING = MethodHandles.lookup().findVarHandle(RingWire.class, "waiting", boolean.class);
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    private final WorkQueues own;
    private final SocketChannel channel;
    private final QueuePairAddress peer;
    private final byte[] opening;
    private final RingFile file;
    private final RingInput input;
    private final RingOutput output;
    private final FrameRequester requester;
    private final FrameResponder responder;
    private final AtomicReference<@Nullable String> ended = new AtomicReference<>();
    private final Thread thread;
    private final CountDownLatch finished = new CountDownLatch(1);
    private final long responseNanos;
    private final long tickNanos;
    private final BooleanSupplier answerIsLate = this::answerIsLate;
    private final BooleanSupplier receiveIsLate = this::receiveIsLate;
    private final BooleanSupplier mayRest = this::mayRest;

    // Under the send lock.
    private boolean mapped = true;
    // The queue pair has failed: nothing that comes in counts any more, until whoever failed it ends this wire.
    private boolean deaf;

    // Written under the send lock, read by anybody as hints. Not by volatile stores, which hold up those before them.
    private volatile boolean waiting;
    private volatile boolean cramped;
    // Written by pollers, who may overwrite each other's: a hint.
    private int looks;

    // What others leave to the thread.
    private volatile int effects;
    private volatile boolean untold;
    private volatile @Nullable Throwable failure;
    private volatile @Nullable String gone;

    // Of the thread.
    private volatile boolean asleep;
    private volatile boolean napping;
    private int seenLooks;
    private long napNanos = NAP_MIN_NANOS;
    private int spins;
    private long patienceNanos = PATIENCE_MIN_NANOS;
    private long busyNanos;
    private long checkedNanos;
    private long nowNanos;
    private long distrustNanos;
    private long seenTaken = -1;
    private long seenTakenNanos;

    /// A wire over rings that both sides have mapped.
    ///
    /// @param opening bytes to be written to the connection first
    RingWire(WorkQueues own, SocketChannel channel, RingFile file, QueuePairAddress peer, byte[] opening) {
        this.own = own;
        this.channel = channel;
        this.peer = peer;
        this.opening = opening;
        this.file = file;
        responseNanos = NicClock.nanosOf(own.options().responseTimeout());
        tickNanos = Math.clamp(responseNanos / 4, 1, TICK_MAX_NANOS);
        input = new RingInput(file);
        output = new RingOutput(file);
        requester = new FrameRequester(own, output);
        responder = new FrameResponder(own, output);
        thread = own.device().threads().newPlatform("leasehold-nic-" + own.device().attributes().name() + '-' + own.number(), this);
    }

    @Override
    public void start() {
        try {
            own.device().threads().startVirtual(thread.getName() + "-peer", this::watchPeer);
            own.addPolled(this);
            own.device().threads().start(thread);
        } catch (RuntimeException | Error e) {
            own.removePolled(this);
            end("the thread of the link did not start: " + e, AsyncEvent.Type.QP_FATAL);
            release();
            throw e;
        }
    }

    @Override
    public boolean isServedHere() {
        return Thread.currentThread() == thread;
    }

    @Override
    public void discard() {
        ended.compareAndSet(null, "it never began");
        release();
    }

    // ---- on any thread

    @Override
    public int pump(long limit) {
        if (!mapped || ended.get() != null) {
            return NOTHING;
        }
        int left = fail(requester.pump(limit), false);
        publish();
        return left;
    }

    /// Fails the request at the head and all behind it, if `status` says so. Under the send lock.
    private int fail(WorkCompletionStatus status, boolean refused) {
        if (status == WorkCompletionStatus.SUCCESS) {
            return NOTHING;
        }
        own.markError();
        long inDoubt = requester.giveUp();
        own.sends().finish(status);
        // A refused request is the last that the peer has looked at.
        own.sends().flush(refused ? 0 : inDoubt);
        return FAILED;
    }

    /// Shows the peer what was put. Under the send lock.
    private void publish() {
        if (failure == null) {
            output.publish();
        }
        boolean nowWaiting = requester.isWaiting();
        if (waiting != nowWaiting) {
            WAITING.setRelease(this, nowWaiting);
        }
        boolean nowCramped = requester.isCramped() || responder.isCramped();
        if (cramped != nowCramped) {
            cramped = nowCramped;
            wakeThread();
        }
        if (output.wasLiedTo() && failure == null) {
            leaveToThread(new ProtocolViolation("a ring from which more was taken than was put"));
        }
    }

    /// Under the send lock.
    private void leaveToThread(Throwable cause) {
        deaf = true;
        failure = cause;
        wakeThread();
    }

    /// Wakes this end's thread if it rests. Under the send lock, which keeps the file mapped.
    private void wakeThread() {
        if (asleep || napping) {
            wakeMapped();
        }
    }

    @Override
    public void advance() {
        if (!waiting || !own.sendLock().tryLock()) {
            return;
        }
        looks++;
        try {
            if (!mapped || input.isEmpty()) {
                return;
            }
            int left = takeIn();
            if (left != NOTHING) {
                effects |= left;
            }
            if (!untold) {
                untold = true;
            }
            if (asleep) {
                wakeThread();
            }
        } finally {
            own.sendLock().unlock();
        }
    }

    @Override
    public void leave() {
        if (napping) {
            own.sendLock().lock();
            try {
                distrustNanos = NicClock.nanos() + DISTRUST_NANOS;
                wakeThread();
            } finally {
                own.sendLock().unlock();
            }
        }
    }

    @Override
    public void settle(int left) {
        if ((left & FAILED) != 0) {
            own.finishError("a request failed");
        }
    }

    @Override
    public void receivePosted() {
        own.sendLock().lock();
        try {
            if (mapped && ended.get() == null) {
                responder.receivePosted();
                publish();
            }
        } finally {
            own.sendLock().unlock();
        }
    }

    @Override
    public long giveUp() {
        return requester.giveUp();
    }

    @Override
    public void breakOff(String cause) {
        if (ended.compareAndSet(null, cause)) {
            wake();
        }
    }

    private void wake() {
        own.sendLock().lock();
        try {
            wakeMapped();
        } finally {
            own.sendLock().unlock();
        }
    }

    private void wakeMapped() {
        if (mapped) {
            input.wake();
        }
    }

    @Override
    public void awaitEnd(long deadlineNanos) {
        if (isServedHere()) {
            return;
        }
        try {
            // The peer can keep the thread asleep by writing to the word it sleeps on; so it is woken again and again.
            while (!finished.await(JOIN_NANOS, TimeUnit.NANOSECONDS)) {
                if (NicClock.nanos() > deadlineNanos) {
                    LOG.log(System.Logger.Level.WARNING, "{0} still runs", thread.getName());
                    return;
                }
                wake();
            }
            if (thread.getState() != Thread.State.NEW) {
                thread.join(Duration.ofNanos(deadlineNanos - NicClock.nanos()));
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    // ---- the thread that watches the connection

    private void watchPeer() {
        String cause;
        try {
            cause = channel.read(ByteBuffer.allocate(1)) < 0 ? "was closed" : "carried what does not belong there";
        } catch (IOException e) {
            cause = "broke: " + e.getMessage();
        }
        gone = cause;
        wake();
    }

    // ---- the thread that serves

    @Override
    public void run() {
        nowNanos = NicClock.nanos();
        busyNanos = nowNanos;
        distrustNanos = nowNanos;
        try {
            channel.write(ByteBuffer.wrap(opening));
            // What was posted meanwhile.
            handle();
            while (ended.get() == null) {
                turn();
            }
        } catch (ProtocolViolation e) {
            LOG.log(System.Logger.Level.WARNING, "{0}: closing the connection to {1}: {2}", thread.getName(), peer,
                    e.getMessage());
            end("the peer violated the protocol: " + e.getMessage(), AsyncEvent.Type.QP_FATAL);
        } catch (FrameResponder.BrokenOnPurpose e) {
            end("the connection to " + peer + " was broken on purpose", AsyncEvent.Type.PEER_GONE);
        } catch (IOException e) {
            end("the connection to " + peer + ' ' + e.getMessage(), AsyncEvent.Type.PEER_GONE);
        } catch (RuntimeException | Error e) {
            LOG.log(System.Logger.Level.ERROR, thread.getName() + ": closing the connection to " + peer, e);
            end("the connection to " + peer + " failed: " + e, AsyncEvent.Type.QP_FATAL);
        } finally {
            release();
            own.removePolled(this);
            own.tell();
        }
    }

    private void release() {
        unmap();
        closeQuietly();
        finished.countDown();
    }

    private void end(String cause, AsyncEvent.Type event) {
        if (ended.compareAndSet(null, cause)) {
            closeQuietly();
            own.wireBroke(this, event, cause);
        }
    }

    private void unmap() {
        own.sendLock().lock();
        try {
            if (mapped) {
                if (failure == null) {
                    output.publish();
                }
                mapped = false;
                file.close();
            }
        } finally {
            own.sendLock().unlock();
        }
    }

    /// Looks once, and rests if that is in order.
    private void turn() throws IOException {
        // Before the ring: a peer that has gone had put everything into it by then.
        String ending = gone;
        rethrow();
        boolean comes = !input.isEmpty();
        if (comes) {
            handle();
        }
        // Not before: the peer waits for the answer.
        nowNanos = NicClock.nanos();
        if (comes) {
            busyNanos = nowNanos;
        } else if (untold || effects != NOTHING) {
            tidyUp();
        } else if (ending == null) {
            rest();
        }
        if (ending != null) {
            rethrow();
            throw new IOException(ending);
        }
        if (nowNanos - checkedNanos > tickNanos / 2 || requester.isNotReady()) {
            checkedNanos = nowNanos;
            own.failHead(this, WorkCompletionStatus.RETRY_EXC_ERR, answerIsLate);
            own.failHead(this, WorkCompletionStatus.RNR_RETRY_EXC_ERR, receiveIsLate);
        }
    }

    /// What was thrown where nobody could deal with it.
    private void rethrow() throws IOException {
        switch (failure) {
            case null -> { }
            case IOException e -> throw e;
            case Throwable e -> throw new IllegalStateException(e);
        }
    }

    private void handle() throws IOException {
        int left = NOTHING;
        takeLock();
        try {
            if (ended.get() == null) {
                left = takeIn();
            }
        } finally {
            own.sendLock().unlock();
        }
        rethrow();
        settle(left);
        own.tell();
    }

    /// Whoever holds the lock is about to let it go, or takes in what there is itself: parking would cost both more.
    private void takeLock() {
        for (int i = 0; i < PATIENT_YIELDS; i++) {
            if (own.sendLock().tryLock()) {
                return;
            }
            Thread.yield();
        }
        own.sendLock().lock();
    }

    /// Does what pollers left to be done.
    private void tidyUp() {
        untold = false;
        int left;
        own.sendLock().lock();
        try {
            left = effects;
            effects = NOTHING;
        } finally {
            own.sendLock().unlock();
        }
        settle(left);
        own.tell();
    }

    /// Rests as long as there is reason to: not at all, or by yielding, napping or sleeping.
    private void rest() throws IOException {
        if (cramped) {
            demandRoom();
            return;
        }
        seenTaken = -1;
        if (looks - seenLooks >= STEADY_LOOKS && nowNanos - distrustNanos > 0) {
            seenLooks = looks;
            napping = true;
            input.nap(napNanos);
            napping = false;
            napNanos = Math.min(NAP_MAX_NANOS, 2 * napNanos);
            checkPollers();
        } else if (nowNanos - busyNanos < patienceNanos) {
            napNanos = NAP_MIN_NANOS;
            if (spin()) {
                return;
            }
            Thread.yield();
            if (!input.isEmpty()) {
                spins = Math.min(SPINS_MAX, spins + SPINS_MAX / 8);
                patienceNanos = Math.min(PATIENCE_MAX_NANOS, patienceNanos + (patienceNanos >> 3));
            }
        } else {
            patienceNanos = Math.max(PATIENCE_MIN_NANOS, patienceNanos >> 1);
            sleep();
            nowNanos = NicClock.nanos();
            busyNanos = nowNanos;
        }
    }

    /// Looks without giving the core away: a yield is a system call, and half of a peer's round trip. As long as that finds
    /// something.
    ///
    /// @return whether it did
    private boolean spin() {
        for (int i = spins; i > 0; i--) {
            Thread.onSpinWait();
            if (!input.isEmpty()) {
                spins = Math.min(SPINS_MAX, spins + 1);
                return true;
            }
        }
        spins = Math.max(0, spins - 1);
        return false;
    }

    /// Waits a little for room, but not for a peer that takes nothing at all.
    private void demandRoom() throws IOException {
        if (output.taken() != seenTaken) {
            seenTaken = output.taken();
            seenTakenNanos = nowNanos;
        }
        if (nowNanos - seenTakenNanos > Math.max(SILENCE_MIN_NANOS, 2 * responseNanos)) {
            throw new IOException("has no reader: nothing was taken for " + (nowNanos - seenTakenNanos) / 1_000_000 + " ms");
        }
        input.nap(CRAMPED_NANOS);
        handle();
    }

    /// Pollers that leave frames lying are none to rely on.
    private void checkPollers() {
        long before = input.taken();
        for (int i = 0; i < PATIENT_YIELDS && !input.isEmpty(); i++) {
            Thread.yield();
        }
        if (!input.isEmpty() && input.taken() == before) {
            distrustNanos = NicClock.nanos() + DISTRUST_NANOS;
        }
        busyNanos = NicClock.nanos();
    }

    private void sleep() {
        long nanos = tickNanos;
        if (requester.isNotReady()) {
            nanos = Math.clamp(requester.notReadyNanos() + own.receiverNotReadyNanos() - nowNanos, 1, tickNanos);
        }
        asleep = true;
        input.sleep(nanos, mayRest);
        asleep = false;
    }

    private boolean mayRest() {
        return ended.get() == null && gone == null && failure == null && effects == NOTHING && !untold && !cramped;
    }

    /// Handles the frames that have come in, and goes on with what waited for room or for an answer. Under the send lock.
    private int takeIn() {
        // In error, what was on the way is flushed or about to be: an answer would find another request in its place.
        if (deaf || own.state() == QueuePairState.ERR || !own.isOn(this)) {
            return NOTHING;
        }
        int left = NOTHING;
        try {
            left = frames();
            deaf = left != NOTHING;
            responder.acknowledge();
            left |= own.pumpOn(this);
            publish();
        } catch (IOException | RuntimeException | Error e) {
            leaveToThread(e);
        }
        return left;
    }

    private int frames() throws IOException {
        int left = NOTHING;
        input.begin();
        try {
            while (left == NOTHING && input.next()) {
                left = frame();
            }
        } finally {
            requester.rest();
            responder.rest();
            input.giveBack();
        }
        return left;
    }

    private int frame() throws IOException {
        ByteBuffer header = input.header();
        int type = Frame.type(header, 0);
        int payload = Frame.payload(header, 0);
        if (Frame.isRequest(type)) {
            requester.rest();
            return responder.serve(header, 0, type, payload, input.payloadAddress()) == FrameResponder.STOPPED ? FAILED : NOTHING;
        }
        return fail(requester.answer(header, 0, type, payload, input.payloadAddress()), type == Frame.REFUSE);
    }

    private boolean answerIsLate() {
        return requester.isLate(nowNanos, responseNanos);
    }

    private boolean receiveIsLate() {
        return requester.lacksReceive() && nowNanos - requester.notReadyNanos() >= own.receiverNotReadyNanos();
    }

    private void closeQuietly() {
        try {
            channel.close();
        } catch (IOException e) {
            LOG.log(System.Logger.Level.DEBUG, "{0}: closing: {1}", thread.getName(), e);
        }
    }
}
