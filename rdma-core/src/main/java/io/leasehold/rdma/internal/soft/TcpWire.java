package io.leasehold.rdma.internal.soft;

import io.leasehold.rdma.AsyncEvent;
import io.leasehold.rdma.QueuePairAddress;
import io.leasehold.rdma.QueuePairState;
import io.leasehold.rdma.WorkCompletionStatus;
import io.leasehold.rdma.internal.NicClock;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/// The link over one TCP connection, with a thread that reads it.
///
/// **Why it cannot deadlock.** Nobody ever waits for the connection to take bytes. Posters and the reader write what it takes at
/// once; the rest stays in the bounded [TcpOutput], requests that do not fit stay in the send queue, and the reader goes on when
/// the connection is writable again. Answers always fit, because the requester bounds what it asks for. So the reader of each
/// side always comes back to reading, whatever both sides are writing, and a peer that stops reading stops only itself.
///
/// The reader handles a batch of input under the send lock of its queue pair, answers it with one write, and tells the completion
/// queues when it has released the lock.
final class TcpWire implements RemoteWire, Runnable {
    private static final System.Logger LOG = System.getLogger(TcpWire.class.getName());
    /// How long a silent connection lives at least.
    private static final long SILENCE_MIN_NANOS = 3_000_000_000L;
    /// Silence for so many pings means that the peer is gone.
    private static final int PINGS = 3;
    /// How long an ended connection waits for the peer to read the last answers and to close its end.
    private static final long LINGER_NANOS = 500_000_000L;
    private static final int INPUT_MIN = 1 << 13;
    private static final int INPUT_MAX = 2 * (Frame.HEADER_BYTES + Frame.SEGMENT_BYTES);

    private final WorkQueues own;
    private final SocketChannel channel;
    private final Selector selector;
    private final SelectionKey key;
    private final QueuePairAddress peer;
    private final TcpOutput output = new TcpOutput();
    private final FrameRequester requester;
    private final FrameResponder responder;
    private final AtomicReference<@Nullable String> ended = new AtomicReference<>();
    private final Thread thread;
    private final CountDownLatch finished = new CountDownLatch(1);
    private final long responseNanos;
    private final long silenceNanos;
    private ByteBuffer input = TcpOutput.allocate(INPUT_MIN);
    private long inputAddress = MemorySegment.ofBuffer(input).address();
    private volatile boolean writesWanted;
    private final long tickNanos;
    private final BooleanSupplier answerIsLate = this::answerIsLate;
    private final BooleanSupplier receiveIsLate = this::receiveIsLate;
    private int interest = SelectionKey.OP_READ;
    private long nowNanos;
    private long checkedNanos;
    private long heardNanos;
    private long pingedNanos;
    private boolean owesPong;
    // The queue pair has failed: nothing that comes in counts any more, until whoever failed it ends this wire.
    private boolean deaf;

    /// A wire over a connection that both sides agreed on.
    ///
    /// @param opening bytes to be written before the first frame
    TcpWire(WorkQueues own, SocketChannel channel, QueuePairAddress peer, byte[] opening) throws IOException {
        this.own = own;
        this.channel = channel;
        this.peer = peer;
        responseNanos = NicClock.nanosOf(own.options().responseTimeout());
        silenceNanos = Math.max(SILENCE_MIN_NANOS, PINGS * responseNanos);
        tickNanos = Math.min(responseNanos / 4, silenceNanos / (2 * PINGS));
        requester = new FrameRequester(own, output);
        responder = new FrameResponder(own, output);
        output.putOpening(opening);
        channel.configureBlocking(false);
        selector = Selector.open();
        try {
            key = channel.register(selector, SelectionKey.OP_READ);
        } catch (IOException e) {
            selector.close();
            throw e;
        }
        thread = own.device().threads().newPlatform("leasehold-nic-" + own.device().attributes().name() + '-' + own.number(), this);
    }

    @Override
    public void start() {
        try {
            own.device().threads().start(thread);
        } catch (RuntimeException | Error e) {
            end("the thread of the link did not start: " + e, AsyncEvent.Type.QP_FATAL);
            closeQuietly();
            finished.countDown();
            throw e;
        }
    }

    @Override
    public boolean isServedHere() {
        return Thread.currentThread() == thread;
    }

    @Override
    public void discard() {
        closeQuietly();
    }

    // ---- the requester's side, on any thread

    @Override
    public int pump(long limit) {
        if (ended.get() != null) {
            return NOTHING;
        }
        int effects = fail(requester.pump(limit), false);
        flush();
        return effects;
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

    /// Writes what the connection takes; the reader does the rest. Under the send lock.
    private void flush() {
        try {
            if (!output.flush(channel) && !writesWanted) {
                writesWanted = true;
                selector.wakeup();
            }
        } catch (IOException e) {
            // The reader finds the connection broken as well, and can report it without a lock.
            selector.wakeup();
        }
    }

    @Override
    public void settle(int effects) {
        if ((effects & FAILED) != 0) {
            own.finishError("a request failed");
        }
    }

    @Override
    public void receivePosted() {
        own.sendLock().lock();
        try {
            responder.receivePosted();
            flush();
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
            selector.wakeup();
        }
    }

    @Override
    public void awaitEnd(long deadlineNanos) {
        if (isServedHere()) {
            return;
        }
        try {
            // Whoever made the wire may be about to start the thread: one cannot join it before.
            boolean over = finished.await(deadlineNanos - NicClock.nanos(), TimeUnit.NANOSECONDS)
                    && thread.join(Duration.ofNanos(deadlineNanos - NicClock.nanos()));
            if (!over) {
                LOG.log(System.Logger.Level.WARNING, "{0} still runs", thread.getName());
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    // ---- the reader

    @Override
    public void run() {
        heardNanos = NicClock.nanos();
        pingedNanos = heardNanos;
        try {
            // The opening must not wait for the first frame of a peer that waits for it.
            handle(false);
            while (ended.get() == null) {
                turn();
            }
        } catch (ProtocolViolation e) {
            LOG.log(System.Logger.Level.WARNING, "{0}: closing the connection to {1}: {2}", thread.getName(), peer,
                    e.getMessage());
            end("the peer violated the protocol: " + e.getMessage(), AsyncEvent.Type.QP_FATAL);
        } catch (FrameResponder.BrokenOnPurpose e) {
            closeQuietly();
            end("the connection to " + peer + " was broken on purpose", AsyncEvent.Type.PEER_GONE);
        } catch (ClosedChannelException e) {
            end("the connection to " + peer + " was closed", AsyncEvent.Type.PEER_GONE);
        } catch (IOException e) {
            end("the connection to " + peer + " broke: " + e.getMessage(), AsyncEvent.Type.PEER_GONE);
        } catch (RuntimeException | Error e) {
            LOG.log(System.Logger.Level.ERROR, thread.getName() + ": closing the connection to " + peer, e);
            end("the connection to " + peer + " failed: " + e, AsyncEvent.Type.QP_FATAL);
        } finally {
            linger();
            closeQuietly();
            finished.countDown();
        }
    }

    private void end(String cause, AsyncEvent.Type event) {
        if (ended.compareAndSet(null, cause)) {
            own.wireBroke(this, event, cause);
        }
    }

    /// Waits for input or for room, handles what there is, and looks at the clock.
    private void turn() throws IOException {
        showInterest(writesWanted);
        selector.select(selected -> { }, tickMillis());
        if (ended.get() != null) {
            return;
        }
        int read = channel.read(input);
        if (read < 0) {
            throw new ClosedChannelException();
        }
        nowNanos = NicClock.nanos();
        if (read > 0) {
            heardNanos = nowNanos;
        }
        boolean filled = !input.hasRemaining();
        handle(read > 0);
        if (filled) {
            growFor(input.capacity() + 1);
        }
        if (nowNanos - checkedNanos > tickNanos / 2 || requester.isNotReady()) {
            checkedNanos = nowNanos;
            checkClock();
        }
    }

    private void showInterest(boolean writing) {
        int wanted = writing ? SelectionKey.OP_READ | SelectionKey.OP_WRITE : SelectionKey.OP_READ;
        if (wanted != interest) {
            key.interestOps(wanted);
            interest = wanted;
        }
    }

    private long tickMillis() {
        long nanos = tickNanos;
        if (requester.isNotReady()) {
            nanos = Math.min(nanos, requester.notReadyNanos() + own.receiverNotReadyNanos() - NicClock.nanos());
        }
        return Math.clamp(nanos / 1_000_000 + 1, 1, 1000);
    }

    /// Handles the frames that have come in, and goes on with what waited for room or for an answer.
    private void handle(boolean hasInput) throws IOException {
        int effects = NOTHING;
        own.sendLock().lock();
        try {
            // In error, what was on the way is flushed or about to be: an answer would find another request in its place.
            if (deaf || ended.get() != null || own.state() == QueuePairState.ERR || !own.isOn(this)) {
                input.clear();
                return;
            }
            writesWanted = false;
            if (hasInput) {
                effects = frames();
                deaf = effects != NOTHING;
            }
            responder.acknowledge();
            if (owesPong && output.put(Frame.PONG, 0, 0, 0)) {
                owesPong = false;
            }
            effects |= own.pumpOn(this);
            output.flush(channel);
            writesWanted = !output.isEmpty();
        } finally {
            own.sendLock().unlock();
        }
        settle(effects);
        own.tell();
    }

    /// Handles whole frames and keeps the rest. Under the send lock.
    private int frames() throws IOException {
        int end = input.position();
        int at = 0;
        int effects = NOTHING;
        try {
            while (effects == NOTHING && end - at >= Frame.HEADER_BYTES) {
                int payload = Frame.payload(input, at);
                int type = Frame.type(input, at);
                if (payload < 0 || payload > Frame.SEGMENT_BYTES || payload > 0 && !Frame.mayCarry(type)) {
                    throw new ProtocolViolation("a frame of type " + type + " with " + Integer.toUnsignedString(payload) + " bytes");
                }
                int bytes = Frame.HEADER_BYTES + payload;
                if (end - at < bytes) {
                    growFor(bytes);
                    break;
                }
                effects = frame(at, type, payload);
                at += bytes;
            }
        } finally {
            requester.rest();
            responder.rest();
        }
        input.limit(end).position(at);
        input.compact();
        return effects;
    }

    private int frame(int at, int type, int payload) throws IOException {
        long payloadAddress = inputAddress + at + Frame.HEADER_BYTES;
        if (Frame.isRequest(type)) {
            requester.rest();
            return responder.serve(input, at, type, payload, payloadAddress) == FrameResponder.STOPPED ? FAILED : NOTHING;
        }
        if (type == Frame.PING) {
            owesPong = true;
            return NOTHING;
        }
        if (type == Frame.PONG) {
            return NOTHING;
        }
        return fail(requester.answer(input, at, type, payload, payloadAddress), type == Frame.REFUSE);
    }

    /// Makes the input as large as it gets, if it has not room for so many bytes.
    private void growFor(int bytes) {
        if (input.capacity() < Math.min(bytes, INPUT_MAX)) {
            ByteBuffer old = input;
            input = TcpOutput.allocate(INPUT_MAX);
            inputAddress = MemorySegment.ofBuffer(input).address();
            input.put(0, old, 0, old.position());
            input.position(old.position());
        }
    }

    private void checkClock() throws IOException {
        long now = nowNanos;
        if (now - heardNanos > silenceNanos) {
            throw new IOException("no sign of life for " + (now - heardNanos) / 1_000_000 + " ms");
        }
        own.sendLock().lock();
        try {
            if (!output.isEmpty() && now - output.flushedNanos() > silenceNanos) {
                throw new IOException("the peer has read nothing for " + (now - output.flushedNanos()) / 1_000_000 + " ms");
            }
            if (now - heardNanos > silenceNanos / PINGS && now - pingedNanos > silenceNanos / PINGS
                    && output.put(Frame.PING, 0, 0, 0)) {
                pingedNanos = now;
                output.flush(channel);
                writesWanted = !output.isEmpty();
            }
        } finally {
            own.sendLock().unlock();
        }
        own.failHead(this, WorkCompletionStatus.RETRY_EXC_ERR, answerIsLate);
        own.failHead(this, WorkCompletionStatus.RNR_RETRY_EXC_ERR, receiveIsLate);
    }

    private boolean answerIsLate() {
        return requester.isLate(nowNanos, responseNanos);
    }

    private boolean receiveIsLate() {
        return requester.lacksReceive() && nowNanos - requester.notReadyNanos() >= own.receiverNotReadyNanos();
    }

    /// Gets the last answers to the peer: an end that closes with input unread would have them thrown away.
    private void linger() {
        long deadline = NicClock.nanos() + LINGER_NANOS;
        boolean shut = false;
        try {
            while (channel.isOpen() && NicClock.nanos() < deadline) {
                if (!shut) {
                    shut = flushLast();
                }
                input.clear();
                if (channel.read(input) < 0) {
                    return;
                }
                showInterest(!shut);
                selector.select(selected -> { }, Math.max(1, (deadline - NicClock.nanos()) / 1_000_000));
            }
        } catch (IOException | RuntimeException e) {
            // The peer closed its end first, or broke: there is nobody to linger for.
            LOG.log(System.Logger.Level.DEBUG, "{0}: {1}", thread.getName(), e);
        }
    }

    private boolean flushLast() throws IOException {
        own.sendLock().lock();
        try {
            if (!output.flush(channel)) {
                return false;
            }
        } finally {
            own.sendLock().unlock();
        }
        channel.shutdownOutput();
        return true;
    }

    private void closeQuietly() {
        try (channel) {
            selector.close();
        } catch (IOException e) {
            LOG.log(System.Logger.Level.DEBUG, "{0}: closing: {1}", thread.getName(), e);
        }
    }
}
