package io.leasehold.rdma.internal.soft;

import io.leasehold.rdma.RdmaError;
import io.leasehold.rdma.RdmaException;
import io.leasehold.rdma.internal.NicClock;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.time.Duration;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicBoolean;

/// The listening socket of a device. Whatever a connection does, it costs that connection alone.
final class TcpPort {
    private static final System.Logger LOG = System.getLogger(TcpPort.class.getName());
    /// Connections that have not said hello, or wait for an answer.
    private static final int PENDING_MAX = 256;
    private static final int BACKLOG = 256;
    private static final Duration HELLO_PATIENCE = Duration.ofSeconds(5);
    private static final int PATIENCE_MAX_MILLIS = 60_000;
    private static final int RETRY_MILLIS = 50;

    private final SoftDevice device;
    private final ServerSocketChannel server;
    private final int port;
    private final Thread thread;
    private final Semaphore pending = new Semaphore(PENDING_MAX);

    private TcpPort(SoftDevice device, ServerSocketChannel server) throws IOException {
        this.device = device;
        this.server = server;
        port = ((InetSocketAddress) server.getLocalAddress()).getPort();
        thread = device.threads().newPlatform("leasehold-nic-" + device.attributes().name() + "-accept", this::accept);
    }

    /// Listens.
    static TcpPort open(SoftDevice device, String host, int port) {
        ServerSocketChannel server = null;
        try {
            server = ServerSocketChannel.open();
            server.setOption(StandardSocketOptions.SO_REUSEADDR, true);
            server.bind(new InetSocketAddress(host, port), BACKLOG);
            var opened = new TcpPort(device, server);
            device.threads().start(opened.thread);
            return opened;
        } catch (IOException | RuntimeException e) {
            if (server != null) {
                closeQuietly(server);
            }
            throw new RdmaException(RdmaError.INVALID_ARGUMENT,
                    "cannot listen at " + host + ':' + port + ": " + e.getMessage() + "; choose another address", e);
        }
    }

    /// The port, if any was asked for the one that was found.
    int port() {
        return port;
    }

    private void accept() {
        try {
            while (server.isOpen()) {
                try {
                    admit(server.accept());
                } catch (IOException | RuntimeException | Error e) {
                    if (server.isOpen()) {
                        // As when the process has too many files or threads: others may go away.
                        LOG.log(System.Logger.Level.WARNING, "accepting a connection failed; going on", e);
                        Thread.sleep(RETRY_MILLIS);
                    }
                }
            }
        } catch (InterruptedException e) {
            LOG.log(System.Logger.Level.WARNING, "{0} was interrupted and ends", thread.getName());
        }
    }

    private void admit(SocketChannel channel) {
        if (!pending.tryAcquire()) {
            LOG.log(System.Logger.Level.WARNING, "dropping a connection: {0} others wait for an answer", PENDING_MAX);
            closeQuietly(channel);
            return;
        }
        var released = new AtomicBoolean();
        Runnable release = () -> {
            if (released.compareAndSet(false, true)) {
                pending.release();
            }
        };
        try {
            device.threads().startVirtual("leasehold-nic-hello", () -> greet(channel, release));
        } catch (RuntimeException | Error e) {
            release.run();
            closeQuietly(channel);
            throw e;
        }
    }

    private void greet(SocketChannel channel, Runnable release) {
        boolean handedOver = false;
        var connection = new PeerConnection(channel, null);
        try {
            channel.setOption(StandardSocketOptions.TCP_NODELAY, true);
            Hello hello = Hello.read(channel, NicClock.deadline(HELLO_PATIENCE));
            long patienceNanos = Math.clamp(hello.patienceMillis(), 1, PATIENCE_MAX_MILLIS) * 1_000_000L;
            if (hello.targetDevice() != 0 && hello.targetDevice() != device.id()) {
                refuse(channel, RdmaError.UNREACHABLE, "another device listens here now");
                return;
            }
            connection = agree(channel, hello);
            if ((hello.links() & device.dialledLinks() & connection.link()) == 0) {
                refuse(channel, RdmaError.UNREACHABLE, "the peers have no link in common, or shared memory alone on two hosts");
            } else if (hello.kind() == Hello.ATTACH) {
                handedOver = attach(connection, hello, patienceNanos);
                release.run();
            } else {
                handedOver = request(connection, hello, patienceNanos, release);
            }
        } catch (ProtocolViolation e) {
            LOG.log(System.Logger.Level.WARNING, "dropping a connection that sent {0}", e.getMessage());
            refuse(channel, RdmaError.PROTOCOL, e.getMessage());
        } catch (IOException | RuntimeException e) {
            LOG.log(System.Logger.Level.DEBUG, "dropping a connection that did not say hello: {0}", e.toString());
        } finally {
            if (!handedOver) {
                release.run();
                closeQuietly(connection);
            }
        }
    }

    /// Finds out whether the peer can share memory with this process, if both want that.
    private PeerConnection agree(SocketChannel channel, Hello hello) throws IOException {
        RingDirectory directory = device.ringDirectory();
        boolean wanted = directory != null && (hello.links() & Hello.SHARED_MEMORY) != 0 && PeerConnection.isToItself(channel);
        return new PeerConnection(channel,
                wanted ? PeerConnection.offer(channel, directory, NicClock.deadline(HELLO_PATIENCE)) : null);
    }

    private boolean request(PeerConnection connection, Hello hello, long patienceNanos, Runnable release) {
        SoftListener listener = device.listener();
        if (listener == null) {
            refuse(connection.channel(), RdmaError.UNREACHABLE, "the device does not listen");
            return false;
        }
        listener.dispatch(TcpRequest.waiting(device, connection, hello, patienceNanos, release));
        return true;
    }

    /// Joins the dialler's queue pair to ours as soon as that waits for it.
    private boolean attach(PeerConnection connection, Hello hello, long patienceNanos) throws IOException {
        SoftQueuePair target = device.queuePair(hello.targetNumber());
        if (target == null) {
            refuse(connection.channel(), RdmaError.UNREACHABLE, "there is no queue pair " + hello.targetNumber());
            return false;
        }
        if (!target.awaitsWithin(hello.source(), patienceNanos)) {
            refuse(connection.channel(), RdmaError.TIMEOUT,
                    "queue pair " + hello.targetNumber() + " did not become ready to receive from this peer");
            return false;
        }
        RemoteWire wire = connection.wire(target.queues(), hello.source(),
                Answer.accepting(device.id(), target.number(), connection.link(), new byte[0]).encode());
        if (!target.linkUp(wire)) {
            wire.discard();
            return true;
        }
        wire.start();
        return true;
    }

    private static void refuse(SocketChannel channel, RdmaError why, String reason) {
        try {
            channel.write(ByteBuffer.wrap(Answer.refusing(why, reason).encode()));
            channel.shutdownOutput();
        } catch (IOException e) {
            LOG.log(System.Logger.Level.DEBUG, "refusing a connection: {0}", e.toString());
        }
    }

    private static void closeQuietly(AutoCloseable closing) {
        try {
            closing.close();
        } catch (Exception e) {
            LOG.log(System.Logger.Level.DEBUG, "closing: {0}", e.toString());
        }
    }

    /// Stops listening.
    void stop() {
        closeQuietly(server);
    }

    /// Waits until the thread has ended, after [#stop].
    void join() {
        try {
            thread.join(Duration.ofSeconds(1));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
