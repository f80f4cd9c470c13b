package io.leasehold.rdma.internal.soft;

import io.leasehold.rdma.QueuePairAddress;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.SocketChannel;
import org.jspecify.annotations.Nullable;

/// An open TCP connection to a peer, and the rings that both ends have mapped if they found that they are on one host.
///
/// @param channel the connection, blocking
/// @param rings what carries the requests, or `null` if the connection itself does
record PeerConnection(SocketChannel channel, @Nullable RingFile rings) implements AutoCloseable {
    private static final System.Logger LOG = System.getLogger(PeerConnection.class.getName());

    /// The link of this connection, as in [Hello].
    int link() {
        return rings == null ? Hello.TCP : Hello.SHARED_MEMORY;
    }

    /// A wire over this connection, which has it from now on.
    ///
    /// @param opening what the peer is to be told before anything else
    RemoteWire wire(WorkQueues own, QueuePairAddress peer, byte[] opening) throws IOException {
        return rings == null ? new TcpWire(own, channel, peer, opening) : new RingWire(own, channel, rings, peer, opening);
    }

    @Override
    public void close() throws IOException {
        try (channel) {
            if (rings != null) {
                rings.close();
            }
        }
    }

    /// Whether both ends have the same address, without which they are hardly on one host.
    static boolean isToItself(SocketChannel channel) throws IOException {
        return channel.getLocalAddress() instanceof InetSocketAddress here
                && channel.getRemoteAddress() instanceof InetSocketAddress there && here.getAddress().equals(there.getAddress());
    }

    /// As the acceptor: makes a file, has the peer show that it sees it, and takes its name away.
    ///
    /// @return the rings, or `null` if there are none to be had or the peer does not see them
    static @Nullable RingFile offer(SocketChannel channel, RingDirectory directory, long deadlineNanos) throws IOException {
        RingFile file;
        try {
            file = directory.create();
        } catch (IOException e) {
            LOG.log(System.Logger.Level.WARNING, "no shared memory for a connection, which goes by TCP if it may: {0}",
                    e.toString());
            return null;
        }
        boolean agreed = false;
        try {
            channel.write(ByteBuffer.wrap(Answer.offering(file.name()).encode()));
            ByteBuffer proof = Hello.readFully(channel, Answer.PROOF_BYTES, deadlineNanos);
            boolean shown = proof.getLong(0) == file.proof(0) && proof.getLong(Long.BYTES) == file.proof(1);
            file.unlink();
            agreed = shown;
            return shown ? file : null;
        } finally {
            if (!agreed) {
                file.discard();
            }
        }
    }

    /// As the dialler: looks for the file and shows that it sees it.
    ///
    /// @return the rings, or `null` if they are not to be seen from here
    static @Nullable RingFile take(SocketChannel channel, RingDirectory directory, String name) throws IOException {
        RingFile file = null;
        try {
            file = directory.find(name);
        } catch (ProtocolViolation e) {
            throw e;
        } catch (IOException e) {
            LOG.log(System.Logger.Level.DEBUG, "not on one host with {0}: {1}", channel, e);
        }
        boolean shown = false;
        try {
            ByteBuffer proof = ByteBuffer.allocate(Answer.PROOF_BYTES).order(ByteOrder.LITTLE_ENDIAN);
            if (file != null) {
                proof.putLong(0, file.proof(0)).putLong(Long.BYTES, file.proof(1));
            }
            channel.write(proof);
            shown = true;
            return file;
        } finally {
            if (file != null && !shown) {
                file.close();
            }
        }
    }
}
