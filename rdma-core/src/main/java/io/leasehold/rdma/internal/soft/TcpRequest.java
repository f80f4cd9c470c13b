package io.leasehold.rdma.internal.soft;

import io.leasehold.rdma.ConnectionRequest;
import io.leasehold.rdma.QueuePair;
import io.leasehold.rdma.QueuePairAddress;
import io.leasehold.rdma.RdmaError;
import io.leasehold.rdma.RdmaException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/// A connection request from another process: an open connection whose dialler waits for an [Answer].
final class TcpRequest implements ConnectionRequest, PendingConnection {
    private static final System.Logger LOG = System.getLogger(TcpRequest.class.getName());

    private final SoftDevice device;
    private final PeerConnection connection;
    private final Hello hello;
    private final Runnable onAnswer;
    private final AtomicBoolean answered = new AtomicBoolean();
    private volatile @Nullable Future<?> expiry;

    private TcpRequest(SoftDevice device, PeerConnection connection, Hello hello, Runnable onAnswer) {
        this.device = device;
        this.connection = connection;
        this.hello = hello;
        this.onAnswer = onAnswer;
    }

    /// A request that expires when its dialler's patience ends.
    ///
    /// @param onAnswer runs once, when the request is answered, expired or given up
    static TcpRequest waiting(SoftDevice device, PeerConnection connection, Hello hello, long patienceNanos, Runnable onAnswer) {
        var request = new TcpRequest(device, connection, hello, onAnswer);
        device.addRequest(request);
        // It may run before it is known here; then there is nothing to cancel.
        request.expiry = device.timer().after(patienceNanos,
                () -> request.refuse(RdmaError.TIMEOUT, "the listener did not answer in time"));
        return request;
    }

    @Override
    public QueuePairAddress remote() {
        return hello.source();
    }

    @Override
    public byte[] privateData() {
        return hello.privateData().clone();
    }

    @Override
    public void accept(QueuePair queuePair, byte[] answerData) {
        SoftQueuePair acceptor = device.ownQueuePair(queuePair);
        SoftDevice.checkPrivateData(answerData);
        acceptor.startConnecting(this);
        if (!take()) {
            acceptor.stopConnecting(this);
            throw new RdmaException(RdmaError.INVALID_STATE,
                    "accept: the request of " + remote() + " was answered already, or not within its patience");
        }
        byte[] opening = Answer.accepting(device.id(), acceptor.number(), connection.link(), answerData).encode();
        RemoteWire wire;
        try {
            wire = connection.wire(acceptor.queues(), remote(), opening);
        } catch (IOException e) {
            acceptor.stopConnecting(this);
            close();
            throw new RdmaException(RdmaError.UNREACHABLE,
                    "accept: the connection to " + remote() + " broke: " + e.getMessage(), e);
        }
        if (!acceptor.comeUp(this, wire, remote())) {
            wire.discard();
            throw new RdmaException(RdmaError.INVALID_STATE, "accept: queue pair " + acceptor.number() + " was closed or failed");
        }
        wire.start();
    }

    @Override
    public void reject(String reason) {
        if (!refuse(RdmaError.REJECTED, reason)) {
            throw new RdmaException(RdmaError.INVALID_STATE, "reject: the request of " + remote() + " was answered already");
        }
    }

    /// Refuses for any reason.
    ///
    /// @return whether the request was open until now
    boolean refuse(RdmaError why, String reason) {
        if (!take()) {
            return false;
        }
        try {
            // Fits the empty send buffer of a new connection: cannot wait.
            connection.channel().write(ByteBuffer.wrap(Answer.refusing(why, reason).encode()));
            connection.channel().shutdownOutput();
        } catch (IOException e) {
            LOG.log(System.Logger.Level.DEBUG, "refusing {0}: {1}", remote(), e);
        }
        close();
        return true;
    }

    private boolean take() {
        if (!answered.compareAndSet(false, true)) {
            return false;
        }
        device.removeRequest(this);
        onAnswer.run();
        Future<?> timer = expiry;
        if (timer != null) {
            timer.cancel(false);
        }
        return true;
    }

    @Override
    public void cancel(String cause) {
        // Only the acceptor's queue pair goes; the dialler learns of it when accept() fails to bring the link up.
    }

    private void close() {
        try {
            connection.close();
        } catch (IOException e) {
            LOG.log(System.Logger.Level.DEBUG, "closing the connection of {0}: {1}", remote(), e);
        }
    }
}
