package io.leasehold.rdma.internal.verbs;

import io.leasehold.rdma.ConnectionHandler;
import io.leasehold.rdma.EndpointAddress;
import io.leasehold.rdma.Listener;
import io.leasehold.rdma.QueuePairAddress;
import io.leasehold.rdma.RdmaError;
import io.leasehold.rdma.RdmaException;
import io.leasehold.rdma.internal.NicClock;
import java.io.DataInputStream;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.time.Duration;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/// Joins the queue pairs of a device to those of others: a TCP port, whose connections are [Exchange]s.
final class Connections {
    static final int PRIVATE_DATA_MAX = 512;
    /// What a stranger may take to say what it wants.
    private static final Duration OPENING = Duration.ofSeconds(10);
    /// What a queue pair waits, the raw way, before it asks its peer once more.
    private static final Duration MEETING = Duration.ofSeconds(5);
    /// What it waits when it was refused, at first and at most.
    private static final Duration ASKING_AGAIN = Duration.ofMillis(50);
    private static final Duration ASKING_AGAIN_MAX = Duration.ofSeconds(1);
    private static final int BACKLOG = 1024;
    /// Connections that have not said what they want, or wait for an answer.
    static final int PENDING_MAX = 256;
    /// For no longer does a stranger make anybody wait.
    static final Duration PATIENCE_MAX = Duration.ofSeconds(60);
    /// What a peer may take to bring its queue pair up.
    private static final Duration COMING_UP = Duration.ofSeconds(10);
    private static final Duration ACCEPTING_AGAIN = Duration.ofMillis(50);

    private final VerbsDevice device;
    private final String host;
    private final long deviceId;
    private final int wantedPort;
    private final AtomicReference<@Nullable ActiveListener> listener = new AtomicReference<>();
    private final Semaphore pending = new Semaphore(PENDING_MAX);
    private @Nullable ServerSocket server;
    private boolean closed;

    Connections(VerbsDevice device, String host, int port, long deviceId) {
        this.device = device;
        this.host = host;
        wantedPort = port;
        this.deviceId = deviceId;
    }

    /// Where this device can be reached. Opens the port when it is first asked for.
    synchronized EndpointAddress endpoint() {
        ServerSocket open = server;
        if (open == null) {
            if (closed) {
                throw new RdmaException(RdmaError.CLOSED, "the device is closed");
            }
            open = open();
            ServerSocket accepting = open;
            server = open;
            device.threads().startVirtual("leasehold-verbs-port", () -> accept(accepting));
        }
        return new EndpointAddress(VerbsProvider.NAME, host, open.getLocalPort(), deviceId);
    }

    /// Who this device is, with port 0 unless it can be reached already.
    synchronized EndpointAddress identity() {
        ServerSocket open = server;
        return new EndpointAddress(VerbsProvider.NAME, host, open == null ? 0 : open.getLocalPort(), deviceId);
    }

    private ServerSocket open() {
        try {
            var opened = new ServerSocket();
            opened.setReuseAddress(true);
            opened.bind(new InetSocketAddress(host, wantedPort), BACKLOG);
            return opened;
        } catch (IOException e) {
            throw new RdmaException(RdmaError.BUSY, "listening at " + host + ":" + wantedPort + ": " + e.getMessage()
                    + "; give an address of this machine and a free port", e);
        }
    }

    private void accept(ServerSocket accepting) {
        while (!accepting.isClosed()) {
            try {
                admit(accepting.accept());
            } catch (IOException | RuntimeException | Error e) {
                if (!accepting.isClosed()) {
                    // As when the process has too many files or threads: others may go away.
                    device.handlerThrew("accepting connections", e);
                    if (!paused(ACCEPTING_AGAIN)) {
                        return;
                    }
                }
            }
        }
    }

    /// @return whether the thread was not interrupted, as it is when the device is closed
    private static boolean paused(Duration pause) {
        try {
            Thread.sleep(pause);
            return true;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return false;
        }
    }

    private void admit(Socket socket) {
        boolean admitted = pending.tryAcquire();
        boolean served = false;
        try {
            if (admitted) {
                device.threads().startVirtual("leasehold-verbs-exchange", () -> serve(socket));
                served = true;
            } else {
                device.dropped(socket, new ExchangeException(PENDING_MAX + " others wait for an answer"));
            }
        } finally {
            if (!served) {
                close(socket);
                if (admitted) {
                    pending.release();
                }
            }
        }
    }

    /// Answers what a stranger wants. The exchange lives on if a queue pair was connected by it.
    private void serve(Socket socket) {
        boolean kept = false;
        try {
            var exchange = new Exchange(socket);
            Exchange.Frame frame = exchange.receive(NicClock.deadline(OPENING));
            long wanted = frame.body().readLong();
            if (wanted != 0 && wanted != deviceId) {
                exchange.send(Exchange.REJECT, "the device that listened here before is gone; look its address up again");
            } else {
                kept = switch (frame.type()) {
                    case Exchange.REQUEST -> request(exchange, frame.body());
                    case Exchange.ASK -> tell(exchange, frame.body());
                    case Exchange.JOIN -> meet(exchange, frame.body());
                    default -> throw new ExchangeException("a frame of type " + frame.type() + " opens no exchange");
                };
            }
        } catch (IOException e) {
            device.dropped(socket, e);
        } finally {
            pending.release();
            if (!kept) {
                close(socket);
            }
        }
    }

    private static void close(Socket socket) {
        try {
            socket.close();
        } catch (IOException e) {
            // It is of no further use either way.
            return;
        }
    }

    // ---- listening

    /// The listener of the device, while it listens.
    private final class ActiveListener implements Listener {
        private final ConnectionHandler handler;
        private final EndpointAddress address;

        ActiveListener(ConnectionHandler handler, EndpointAddress address) {
            this.handler = handler;
            this.address = address;
        }

        @Override
        public EndpointAddress address() {
            return address;
        }

        @Override
        public void close() {
            listener.compareAndSet(this, null);
        }
    }

    Listener listen(ConnectionHandler handler) {
        var added = new ActiveListener(handler, endpoint());
        if (!listener.compareAndSet(null, added)) {
            throw new RdmaException(RdmaError.BUSY,
                    "device " + device.attributes().name() + " is listening already; close that listener first");
        }
        return added;
    }

    private boolean request(Exchange exchange, DataInputStream body) throws IOException {
        PeerInfo peer = PeerInfo.read(body);
        int patienceMillis = body.readInt();
        byte[] privateData = readPrivateData(body);
        ActiveListener active = listener.get();
        if (active == null) {
            exchange.send(Exchange.REJECT, "the device does not listen");
            return false;
        }
        long deadline = NicClock.deadline(patience(patienceMillis));
        var request = new IncomingRequest(device, exchange, peer, privateData, deadline, COMING_UP);
        try {
            active.handler.onRequest(request);
        } catch (RuntimeException | Error e) {
            device.handlerThrew("a connection handler", e);
            request.rejectUnanswered("the listener's handler failed: " + e);
        }
        return request.awaitAnswer();
    }

    /// How long a stranger that would wait so long is waited for.
    static Duration patience(int millis) {
        return Duration.ofMillis(Math.clamp(millis, 0, PATIENCE_MAX.toMillis()));
    }

    static byte[] readPrivateData(DataInputStream body) throws IOException {
        int length = body.readUnsignedShort();
        if (length > PRIVATE_DATA_MAX) {
            throw new ExchangeException("private data of " + length + " bytes");
        }
        byte[] data = body.readNBytes(length);
        if (data.length != length) {
            throw new ExchangeException("private data that end early");
        }
        return data;
    }

    static void checkPrivateData(byte[] privateData) {
        if (privateData.length > PRIVATE_DATA_MAX) {
            throw new RdmaException(RdmaError.INVALID_ARGUMENT,
                    "private data of " + privateData.length + " bytes; at most " + PRIVATE_DATA_MAX + " are possible");
        }
    }

    // ---- connecting

    /// A connection on its way: closing its socket is how whoever waits is made to fail.
    private static final class Dial implements PendingConnection {
        private final Socket socket = new Socket();
        private volatile @Nullable String broken;

        @Override
        public void cancel(String cause) {
            broken = cause;
            close(socket);
        }
    }

    byte[] connect(VerbsQueuePair queuePair, EndpointAddress remote, byte[] privateData, Duration timeout) {
        checkPrivateData(privateData);
        check(remote);
        long start = NicClock.nanos();
        long deadline = NicClock.deadline(timeout);
        var dial = new Dial();
        queuePair.startConnecting(dial);
        String phase = "reaching it";
        boolean up = false;
        try {
            Exchange exchange = Exchange.dial(dial.socket, remote.host(), remote.port(), deadline);
            phase = "waiting for its answer";
            PeerInfo own = queuePair.infoOfWhoAsks();
            exchange.send(Exchange.REQUEST, body -> {
                body.writeLong(remote.device());
                own.write(body);
                body.writeInt(NicClock.millisUntil(deadline));
                body.writeShort(privateData.length);
                body.write(privateData);
            });
            Exchange.Frame answer = expect(exchange.receive(deadline), Exchange.ACCEPT, remote);
            PeerInfo peer = PeerInfo.read(answer.body());
            byte[] data = readPrivateData(answer.body());
            phase = "bringing the queue pair up";
            queuePair.serve(dial, peer);
            queuePair.send(dial);
            exchange.send(Exchange.READY, _ -> { });
            // Before that the peer could receive what we send, and not answer it.
            expect(exchange.receive(deadline), Exchange.UP, remote);
            queuePair.comeUp(dial, exchange);
            up = true;
            return data;
        } catch (IOException e) {
            String broken = dial.broken;
            RdmaError error = broken != null ? RdmaError.INVALID_STATE : error(e, phase);
            throw failed(error, remote, phase, start, broken != null ? broken : e.getMessage(), e);
        } catch (RdmaException e) {
            throw failed(e.error(), remote, phase, start, sentence(e), e);
        } finally {
            if (!up) {
                close(dial.socket);
                giveUp(queuePair, dial);
            }
        }
    }

    private static RdmaException failed(RdmaError error, EndpointAddress remote, String phase, long start, @Nullable String why,
            Exception cause) {
        return new RdmaException(error, "connecting to " + remote + ", " + phase + ", after " + NicClock.millisSince(start)
                + " ms: " + why, cause);
    }

    /// The caller hears why it could not be connected, and not what this meets.
    private void giveUp(VerbsQueuePair queuePair, PendingConnection connection) {
        try {
            queuePair.failConnecting(connection);
        } catch (RdmaException e) {
            device.handlerThrew("giving up the connection of queue pair " + queuePair.number(), e);
        }
    }

    private static void check(EndpointAddress remote) {
        if (!remote.provider().equals(VerbsProvider.NAME)) {
            throw new RdmaException(RdmaError.INVALID_ARGUMENT,
                    "connecting to " + remote + ": that address is of provider '" + remote.provider() + "', this device 'verbs'");
        }
    }

    private static RdmaError error(IOException failure, String phase) {
        if (failure instanceof SocketTimeoutException) {
            return RdmaError.TIMEOUT;
        }
        return failure instanceof ExchangeException ? RdmaError.PROTOCOL
                : phase.equals("reaching it") ? RdmaError.UNREACHABLE : RdmaError.REJECTED;
    }

    private static Exchange.Frame expect(Exchange.Frame frame, int type, EndpointAddress remote) throws IOException {
        if (frame.type() == Exchange.REJECT) {
            throw new RdmaException(RdmaError.REJECTED, "it says: " + frame.body().readUTF());
        }
        if (frame.type() != type) {
            throw new ExchangeException("a frame of type " + frame.type() + " where " + type + " was due");
        }
        return frame;
    }

    // ---- the raw way

    /// What is to know of a queue pair whose address its owner gave us.
    PeerInfo ask(QueuePairAddress address, Duration timeout) {
        EndpointAddress remote = address.endpoint();
        check(remote);
        VerbsQueuePair near = remote.device() == deviceId ? device.queuePair(address.number()) : null;
        if (near != null) {
            return near.info();
        }
        long deadline = NicClock.deadline(timeout);
        try (Socket socket = new Socket()) {
            Exchange exchange = Exchange.dial(socket, remote.host(), remote.port(), deadline);
            exchange.send(Exchange.ASK, body -> {
                body.writeLong(remote.device());
                body.writeInt(address.number());
            });
            return PeerInfo.read(expect(exchange.receive(deadline), Exchange.TELL, remote).body());
        } catch (IOException e) {
            throw asking(error(e, "reaching it"), address, e.getMessage(), e);
        } catch (RdmaException e) {
            throw asking(e.error(), address, sentence(e), e);
        }
    }

    /// Its message without the error, which that of another begins with.
    private static String sentence(RdmaException e) {
        return String.valueOf(e.getMessage()).substring((e.error() + ": ").length());
    }

    private static RdmaException asking(RdmaError error, QueuePairAddress address, @Nullable String why, Exception cause) {
        return new RdmaException(error, "asking " + address.endpoint() + " for queue pair " + address.number() + ": " + why, cause);
    }

    private boolean tell(Exchange exchange, DataInputStream body) throws IOException {
        int number = body.readInt();
        VerbsQueuePair asked = device.queuePair(number);
        if (asked == null) {
            exchange.send(Exchange.REJECT, "there is no queue pair " + number);
        } else {
            exchange.send(Exchange.TELL, asked.info()::write);
        }
        return false;
    }

    /// Makes a queue pair in RTR meet its peer; of two the one whose address is the smaller dials.
    void join(VerbsQueuePair queuePair, QueuePairAddress peer) {
        int order = Long.compareUnsigned(deviceId, peer.endpoint().device());
        if (order < 0 || order == 0 && queuePair.number() < peer.number()) {
            device.threads().startVirtual("leasehold-verbs-join", () -> dial(queuePair, peer));
        }
    }

    private void dial(VerbsQueuePair queuePair, QueuePairAddress peer) {
        EndpointAddress remote = peer.endpoint();
        Duration pause = ASKING_AGAIN;
        while (queuePair.awaits(remote.device(), peer.number())) {
            long deadline = NicClock.deadline(MEETING.multipliedBy(2));
            boolean met = false;
            Socket socket = new Socket();
            try {
                Exchange exchange = Exchange.dial(socket, remote.host(), remote.port(), deadline);
                exchange.send(Exchange.JOIN, body -> {
                    body.writeLong(remote.device());
                    body.writeInt(peer.number());
                    body.writeLong(deviceId);
                    body.writeInt(queuePair.number());
                });
                expect(exchange.receive(deadline), Exchange.JOINED, remote);
                met = queuePair.meet(remote.device(), peer.number(), exchange);
                if (met) {
                    return;
                }
            } catch (IOException | RdmaException e) {
                queuePair.linkProblem(String.valueOf(e.getMessage()));
            } finally {
                if (!met) {
                    close(socket);
                }
            }
            // It may come yet, or be there again; its owner says how long to wait.
            if (!paused(pause)) {
                return;
            }
            pause = pause.multipliedBy(2).compareTo(ASKING_AGAIN_MAX) < 0 ? pause.multipliedBy(2) : ASKING_AGAIN_MAX;
        }
    }

    private boolean meet(Exchange exchange, DataInputStream body) throws IOException {
        int number = body.readInt();
        long fromDevice = body.readLong();
        int fromNumber = body.readInt();
        VerbsQueuePair wanted = device.queuePair(number);
        if (wanted == null || !wanted.awaitsBefore(fromDevice, fromNumber, NicClock.deadline(MEETING))) {
            exchange.send(Exchange.REJECT, "queue pair " + number + " does not wait for queue pair " + fromNumber);
            return false;
        }
        exchange.send(Exchange.JOINED, _ -> { });
        return wanted.meet(fromDevice, fromNumber, exchange);
    }

    /// Stops listening for good.
    void close() {
        listener.set(null);
        ServerSocket closing;
        synchronized (this) {
            closed = true;
            closing = server;
            server = null;
        }
        if (closing != null) {
            try {
                closing.close();
            } catch (IOException e) {
                device.handlerThrew("closing the port", e);
            }
        }
    }
}
