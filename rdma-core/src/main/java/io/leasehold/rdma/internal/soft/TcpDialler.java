package io.leasehold.rdma.internal.soft;

import io.leasehold.rdma.EndpointAddress;
import io.leasehold.rdma.QueuePairAddress;
import io.leasehold.rdma.RdmaError;
import io.leasehold.rdma.RdmaException;
import io.leasehold.rdma.internal.NicClock;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.SocketTimeoutException;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.SocketChannel;
import java.nio.channels.UnresolvedAddressException;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/// Opens a TCP connection for one queue pair, and gives up when told or in time.
final class TcpDialler implements PendingConnection {
    private static final System.Logger LOG = System.getLogger(TcpDialler.class.getName());
    private static final Duration ATTACH_PATIENCE = Duration.ofSeconds(5);
    private static final int RETRY_MIN_MILLIS = 20;
    private static final int RETRY_MAX_MILLIS = 1000;

    private final SoftQueuePair queuePair;
    private final EndpointAddress remote;
    private final long startNanos = NicClock.nanos();
    private volatile @Nullable SocketChannel channel;
    private @Nullable RingFile rings;
    private volatile @Nullable String cancelled;
    private String phase = "connect";

    TcpDialler(SoftQueuePair queuePair, EndpointAddress remote) {
        this.queuePair = queuePair;
        this.remote = remote;
    }

    /// Asks the listener at the address, and brings the queue pair up.
    ///
    /// @return the private data of the answer
    byte[] request(byte[] privateData, Duration timeout) {
        long deadline = NicClock.deadline(timeout);
        boolean up = false;
        try {
            Answer answer = dial(hello(Hello.REQUEST, timeout, 0, privateData), deadline);
            var peer = new QueuePairAddress(new EndpointAddress(SoftProvider.NAME, remote.host(), remote.port(), answer.device()),
                    answer.number());
            phase = "bring up";
            RemoteWire wire = opened().wire(queuePair.queues(), peer, new byte[0]);
            up = true;
            if (!queuePair.comeUp(this, wire, peer)) {
                wire.discard();
                throw new ClosedChannelException();
            }
            wire.start();
            return answer.data();
        } catch (IOException | UnresolvedAddressException e) {
            throw failure(e);
        } finally {
            if (!up) {
                closeAll();
            }
        }
    }

    /// Joins the queue pair to the one that waits for it, the raw way; tries until that succeeds or the queue pair waits no more.
    /// Runs on a thread of its own.
    void attach(QueuePairAddress target) {
        int retryMillis = RETRY_MIN_MILLIS;
        while (queuePair.awaits(target)) {
            try {
                // The acceptor is to give up first: its answer says why.
                dial(hello(Hello.ATTACH, ATTACH_PATIENCE, target.number(), new byte[0]),
                        NicClock.deadline(ATTACH_PATIENCE.multipliedBy(2)));
                RemoteWire wire = opened().wire(queuePair.queues(), target, new byte[0]);
                if (queuePair.linkUp(wire)) {
                    wire.start();
                } else {
                    wire.discard();
                }
                return;
            } catch (IOException | UnresolvedAddressException | RdmaException e) {
                closeAll();
                queuePair.linkProblem(String.valueOf(e.getMessage()));
                LOG.log(System.Logger.Level.DEBUG, "attaching to {0}: {1}", target, e);
            }
            try {
                Thread.sleep(retryMillis);
                retryMillis = Math.min(2 * retryMillis, RETRY_MAX_MILLIS);
            } catch (InterruptedException e) {
                return;
            }
        }
    }

    private Hello hello(int kind, Duration patience, int targetNumber, byte[] privateData) {
        int millis = Math.clamp(NicClock.nanosOf(patience) / 1_000_000, 1, Integer.MAX_VALUE);
        return new Hello(kind, device().dialledLinks(), millis, queuePair.identity(), remote.device(), targetNumber, privateData);
    }

    private Answer dial(Hello hello, long deadline) throws IOException {
        SocketChannel opening = SocketChannel.open();
        channel = opening;
        if (cancelled != null) {
            throw new ClosedChannelException();
        }
        opening.setOption(StandardSocketOptions.TCP_NODELAY, true);
        phase = "connect";
        opening.socket().connect(new InetSocketAddress(remote.host(), remote.port()), millisUntil(deadline));
        phase = "hello";
        opening.write(ByteBuffer.wrap(hello.encode()));
        phase = "await the answer";
        Answer answer = Answer.read(opening, deadline);
        if (answer.isOffer()) {
            phase = "share memory";
            rings = share(opening, answer.reason());
            phase = "await the answer";
            answer = Answer.read(opening, deadline);
        }
        if (answer.isOffer() || answer.link() == Hello.SHARED_MEMORY && rings == null) {
            throw new ProtocolViolation("an answer for a link that was not agreed on");
        }
        if (answer.link() == Hello.TCP) {
            dropRings();
        }
        RdmaError refusal = answer.refusal();
        if (refusal != null) {
            throw new RdmaException(refusal, describe(answer.reason()));
        }
        return answer;
    }

    private static int millisUntil(long deadline) throws SocketTimeoutException {
        long millis = (deadline - NicClock.nanos()) / 1_000_000;
        if (millis <= 0) {
            throw new SocketTimeoutException("no time left");
        }
        return (int) Math.min(millis, Integer.MAX_VALUE);
    }

    private @Nullable RingFile share(SocketChannel opening, String name) throws IOException {
        RingDirectory directory = device().ringDirectory();
        if (directory == null) {
            throw new ProtocolViolation("an offer of shared memory that nobody asked for");
        }
        return PeerConnection.take(opening, directory, name);
    }

    private SoftDevice device() {
        return queuePair.device();
    }

    private PeerConnection opened() throws ClosedChannelException {
        SocketChannel current = channel;
        if (current == null) {
            throw new ClosedChannelException();
        }
        return new PeerConnection(current, rings);
    }

    private RdmaException failure(Exception e) {
        RdmaError error = switch (e) {
            case Exception _ when cancelled != null -> RdmaError.CLOSED;
            case ProtocolViolation _ -> RdmaError.PROTOCOL;
            case SocketTimeoutException _ -> RdmaError.TIMEOUT;
            default -> RdmaError.UNREACHABLE;
        };
        String told = cancelled;
        return new RdmaException(error, describe(told != null ? told : String.valueOf(e.getMessage())), e);
    }

    private String describe(String what) {
        return "connecting to " + remote + ": " + what + " (phase: " + phase + ", " + NicClock.millisSince(startNanos) + " ms)";
    }

    @Override
    public void cancel(String cause) {
        cancelled = cause;
        close();
    }

    /// By the dialling thread, when there is no wire.
    private void closeAll() {
        dropRings();
        close();
    }

    private void dropRings() {
        RingFile dropped = rings;
        if (dropped != null) {
            rings = null;
            dropped.close();
        }
    }

    private void close() {
        SocketChannel current = channel;
        if (current != null) {
            try {
                current.close();
            } catch (IOException e) {
                LOG.log(System.Logger.Level.DEBUG, "closing a connection to {0}: {1}", remote, e);
            }
        }
    }
}
