package io.leasehold.rdma.internal.verbs;

import io.leasehold.rdma.EndpointAddress;
import io.leasehold.rdma.QueuePairAddress;
import io.leasehold.rdma.QueuePairOptions;
import io.leasehold.rdma.QueuePairState;
import io.leasehold.rdma.RdmaError;
import io.leasehold.rdma.RdmaException;
import io.leasehold.rdma.internal.NicClock;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.time.Duration;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/// An `rdma_cm_id`, and the queue pair that it connects.
///
/// The queue pair is ours: librdmacm does not know of it, says by `rdma_init_qp_attr` what each of its states needs, and hands us
/// the peer's answer (`CONNECT_RESPONSE`), upon which it is brought up and the connection established. It goes to ERR when the
/// connection ends, on either side, so that what is outstanding is flushed.
///
/// `lock` keeps the native id from being freed while it is used. It is taken before the lock of the queue pair, and never the other
/// way round: the queue pair calls its bond without locks. Thread-safe.
public final class CmId {
    /// What a connection request carries at most: InfiniBand's 92 bytes less what the connection manager needs of them.
    public static final int REQUEST_DATA_MAX = 56;
    /// What its answer carries at most.
    public static final int ANSWER_DATA_MAX = 196;
    /// What a rejection carries at most.
    public static final int REJECTION_DATA_MAX = 148;
    /// The most retries that end: 7 means for ever, for receivers that are not ready everywhere, for packets that are not answered on
    /// rxe.
    public static final int RETRIES = Patience.RETRIES;

    private static final System.Logger LOG = System.getLogger(CmId.class.getName());

    private final CmChannel channel;
    private final CmLibrary library;
    private final ReentrantLock lock = new ReentrantLock();
    /// 0 when it was freed.
    private long pointer;
    private String phase = "idle";
    private long phaseStart = NicClock.nanos();
    private @Nullable Managed managed;
    private volatile @Nullable Object context;

    CmId(CmChannel channel, long pointer) {
        this.channel = channel;
        this.pointer = pointer;
        library = channel.library();
    }

    /// The queue pair of an id: reserved for its connection until that is up, and then bound to it.
    private final class Managed implements PendingConnection, Bond {
        private final VerbsQueuePair queuePair;
        /// Under the lock, as what follows.
        private int peerNumber;
        private boolean up;
        private boolean over;

        Managed(VerbsQueuePair queuePair) {
            this.queuePair = queuePair;
        }

        @Override
        public void cancel(String cause) {
            // Called under the lock of the queue pair. The connection manager hears of it from end(), or when the id is destroyed.
        }

        @Override
        public void say(Cause cause, String detail) {
            // All that the connection manager can say is that the connection is over, and that is for its owner to say.
        }

        @Override
        public void end(String detail) {
            hangUp(this);
        }
    }

    // ---- what is known of it

    /// The channel that it was made on.
    public CmChannel channel() {
        return channel;
    }

    /// What its user has attached to it.
    public @Nullable Object context() {
        return context;
    }

    /// Attaches an object of its user's to it.
    public void context(Object attached) {
        context = attached;
    }

    /// The name of its device, or `null` before it belongs to one.
    public @Nullable String deviceName() {
        lock.lock();
        try {
            long context = RawMemory.getLong(open("asking its device") + Abi.ConnectionId.CONTEXT);
            return context == 0 ? null : library.deviceName(context);
        } finally {
            lock.unlock();
        }
    }

    /// The port of its device, or 0.
    public int port() {
        lock.lock();
        try {
            return RawMemory.getByte(open("asking its port") + Abi.ConnectionId.PORT) & 0xff;
        } finally {
            lock.unlock();
        }
    }

    /// Its own address, or `null` before it has one.
    public @Nullable InetSocketAddress ownAddress() {
        lock.lock();
        try {
            return SocketAddresses.read(open("asking its address") + Abi.ConnectionId.OWN_ADDRESS);
        } finally {
            lock.unlock();
        }
    }

    /// The peer's address, or `null` before it has one.
    public @Nullable InetSocketAddress peerAddress() {
        lock.lock();
        try {
            return SocketAddresses.read(open("asking its peer") + Abi.ConnectionId.PEER_ADDRESS);
        } finally {
            lock.unlock();
        }
    }

    /// The queue pair, if it has one.
    public @Nullable VerbsQueuePair queuePair() {
        lock.lock();
        try {
            return managed == null ? null : managed.queuePair;
        } finally {
            lock.unlock();
        }
    }

    private long open(String what) {
        if (pointer == 0) {
            throw new RdmaException(RdmaError.CLOSED, "the RDMA-CM id was destroyed; " + what + " is not possible");
        }
        return pointer;
    }

    private void begin(String newPhase) {
        phase = newPhase;
        phaseStart = NicClock.nanos();
    }

    private RdmaException failed(NativeFailure failure, @Nullable SocketAddress peer) {
        return failure.toRdmaException("RDMA-CM, " + phase + (peer == null ? "" : " " + peer));
    }

    // ---- addresses

    /// Binds it to an own address.
    public void bind(SocketAddress address) {
        lock.lock();
        try (Scratch scratch = new Scratch()) {
            long id = open("binding it");
            begin("binding to");
            try {
                library.bindAddr(id, SocketAddresses.write(scratch, address));
            } catch (NativeFailure e) {
                throw failed(e, address);
            }
        } finally {
            lock.unlock();
        }
    }

    /// Listens for connection requests.
    public void listen(int backlog) {
        lock.lock();
        try {
            long id = open("listening");
            begin("listening");
            try {
                library.listen(id, backlog);
            } catch (NativeFailure e) {
                throw failed(e, null);
            }
        } finally {
            lock.unlock();
        }
    }

    /// Begins to find the device for an address; an event follows within the timeout.
    ///
    /// @param source an own address, or `null` for any
    public void resolveAddress(@Nullable SocketAddress source, SocketAddress destination, int timeoutMillis) {
        lock.lock();
        try (Scratch scratch = new Scratch()) {
            long id = open("resolving an address");
            begin("resolving the address");
            try {
                library.resolveAddr(id, source == null ? 0 : SocketAddresses.write(scratch, source),
                        SocketAddresses.write(scratch, destination), timeoutMillis);
            } catch (NativeFailure e) {
                throw failed(e, destination);
            }
        } finally {
            lock.unlock();
        }
    }

    /// Begins to find a route; an event follows within the timeout.
    public void resolveRoute(int timeoutMillis) {
        lock.lock();
        try {
            long id = open("resolving a route");
            begin("resolving the route to");
            try {
                library.resolveRoute(id, timeoutMillis);
            } catch (NativeFailure e) {
                throw failed(e, SocketAddresses.read(id + Abi.ConnectionId.PEER_ADDRESS));
            }
        } finally {
            lock.unlock();
        }
    }

    // ---- the queue pair

    /// Makes the queue pair that it will connect, in INIT, so that receives can be posted.
    ///
    /// @throws RdmaException with [RdmaError#INVALID_STATE] if it belongs to no device yet, or has a queue pair;
    ///         [RdmaError#INVALID_ARGUMENT] if the domain is of another device; or as [VerbsProtectionDomain#createQueuePair]
    public VerbsQueuePair createQueuePair(VerbsProtectionDomain domain, QueuePairOptions options, int sendScatters,
            int receiveScatters) {
        lock.lock();
        try {
            long id = open("making a queue pair");
            String device = deviceName();
            if (device == null || managed != null) {
                throw new RdmaException(RdmaError.INVALID_STATE, managed != null ? "the RDMA-CM id has a queue pair already"
                        : "the RDMA-CM id belongs to no device yet; resolve an address, or accept a request, first");
            }
            if (!device.equals(domain.device().attributes().name())) {
                throw new RdmaException(RdmaError.INVALID_ARGUMENT, "the protection domain is of device "
                        + domain.device().attributes().name() + ", the RDMA-CM id of " + device);
            }
            VerbsQueuePair queuePair = domain.createQueuePair(options, sendScatters, receiveScatters);
            var made = new Managed(queuePair);
            boolean good = false;
            try {
                queuePair.startConnecting(made);
                follow(id, made, QueuePairState.INIT);
                managed = made;
                good = true;
                return queuePair;
            } finally {
                if (!good) {
                    queuePair.close();
                }
            }
        } finally {
            lock.unlock();
        }
    }

    /// Takes the queue pair to a state as the connection manager says. Under the lock.
    private void follow(long id, Managed connection, QueuePairState state) {
        try (Scratch scratch = new Scratch()) {
            long attributes = scratch.allocate(Abi.PairAttributes.BYTES);
            long mask = scratch.allocate(Integer.BYTES);
            RawMemory.putInt(attributes + Abi.PairAttributes.STATE, state.ordinal());
            library.initQpAttr(id, attributes, mask);
            if (state == QueuePairState.INIT) {
                RawMemory.putInt(attributes + Abi.PairAttributes.ACCESS, PairTransitions.EVERY_RIGHT);
            }
            if (state == QueuePairState.RTR) {
                connection.peerNumber = RawMemory.getInt(attributes + Abi.PairAttributes.PEER_NUMBER);
            }
            connection.queuePair.follow(connection, state, attributes, RawMemory.getInt(mask));
        } catch (NativeFailure e) {
            throw failed(e, null);
        }
    }

    /// Takes the queue pair to RTS. Under the lock.
    private void bringUp(long id, Managed connection) {
        // Once more: the route, and with it the partition, may have been found since.
        follow(id, connection, QueuePairState.INIT);
        follow(id, connection, QueuePairState.RTR);
        follow(id, connection, QueuePairState.RTS);
    }

    private Managed demandQueuePair(String what) {
        Managed current = managed;
        if (current == null || current.up || current.over) {
            throw new RdmaException(RdmaError.INVALID_STATE, current == null
                    ? "the RDMA-CM id has no queue pair; create one before " + what
                    : "the queue pair of the RDMA-CM id " + (current.over ? "is past its connection" : "is connected")
                            + "; " + what + " is not possible");
        }
        return current;
    }

    // ---- connecting

    /// Begins to connect; an event follows, after about a minute at the latest.
    ///
    /// @param privateData up to [#REQUEST_DATA_MAX] bytes for the peer
    /// @param retries of packets that are not answered, 0 to 7
    /// @param receiverNotReadyRetries of messages for which the peer has no receive, 0 to 7
    public void connect(byte[] privateData, int retries, int receiverNotReadyRetries) {
        checkData(privateData, REQUEST_DATA_MAX);
        lock.lock();
        try (Scratch scratch = new Scratch()) {
            long id = open("connecting");
            Managed connection = demandQueuePair("connecting");
            begin("connecting to");
            try {
                library.connect(id, parameters(scratch, connection, privateData, retries, receiverNotReadyRetries));
            } catch (NativeFailure e) {
                throw failed(e, SocketAddresses.read(id + Abi.ConnectionId.PEER_ADDRESS));
            }
        } finally {
            lock.unlock();
        }
    }

    /// Takes a connection request; an event follows.
    ///
    /// @param privateData up to [#ANSWER_DATA_MAX] bytes for the peer
    /// @param receiverNotReadyRetries of messages for which the peer has no receive, 0 to 7
    public void accept(byte[] privateData, int receiverNotReadyRetries) {
        checkData(privateData, ANSWER_DATA_MAX);
        lock.lock();
        try (Scratch scratch = new Scratch()) {
            long id = open("accepting");
            Managed connection = demandQueuePair("accepting");
            begin("accepting");
            try {
                bringUp(id, connection);
                library.accept(id, parameters(scratch, connection, privateData, 0, receiverNotReadyRetries));
            } catch (NativeFailure e) {
                throw failed(e, SocketAddresses.read(id + Abi.ConnectionId.PEER_ADDRESS));
            }
        } finally {
            lock.unlock();
        }
    }

    /// Refuses a connection request.
    ///
    /// @param privateData up to [#REJECTION_DATA_MAX] bytes for the peer
    public void reject(byte[] privateData) {
        checkData(privateData, REJECTION_DATA_MAX);
        lock.lock();
        try (Scratch scratch = new Scratch()) {
            long id = open("rejecting");
            begin("rejecting");
            try {
                library.reject(id, copy(scratch, privateData), privateData.length);
            } catch (NativeFailure e) {
                throw failed(e, SocketAddresses.read(id + Abi.ConnectionId.PEER_ADDRESS));
            }
        } finally {
            lock.unlock();
        }
    }

    private static void checkData(byte[] privateData, int most) {
        if (privateData.length > most) {
            throw new RdmaException(RdmaError.INVALID_ARGUMENT, "private data of " + privateData.length
                    + " bytes; RDMA-CM carries at most " + most + " here");
        }
    }

    private static long copy(Scratch scratch, byte[] bytes) {
        if (bytes.length == 0) {
            return 0;
        }
        long copy = scratch.allocate(bytes.length);
        RawMemory.putBytes(copy, bytes);
        return copy;
    }

    private static long parameters(Scratch scratch, Managed connection, byte[] privateData, int retries,
            int receiverNotReadyRetries) {
        long parameters = scratch.allocate(Abi.ConnectionParameters.BYTES);
        int depth = connection.queuePair.device().attributes().maxReadAtomic();
        RawMemory.putLong(parameters + Abi.ConnectionParameters.PRIVATE_DATA, copy(scratch, privateData));
        RawMemory.putByte(parameters + Abi.ConnectionParameters.PRIVATE_DATA_LENGTH, privateData.length);
        RawMemory.putByte(parameters + Abi.ConnectionParameters.RESPONDER_RESOURCES, depth);
        RawMemory.putByte(parameters + Abi.ConnectionParameters.INITIATOR_DEPTH, depth);
        RawMemory.putByte(parameters + Abi.ConnectionParameters.FLOW_CONTROL, 1);
        RawMemory.putByte(parameters + Abi.ConnectionParameters.RETRIES, retries);
        RawMemory.putByte(parameters + Abi.ConnectionParameters.RECEIVER_NOT_READY_RETRIES, receiverNotReadyRetries);
        RawMemory.putInt(parameters + Abi.ConnectionParameters.PAIR_NUMBER, connection.queuePair.number());
        return parameters;
    }

    // ---- events

    /// The connection manager says something of it, and has been told that we know.
    ///
    /// @return what to tell the program; `null` if the id is gone
    @Nullable CmEvent told(CmEvent.Type type, @Nullable CmId listener, int status, byte[] privateData, int resources, int depth) {
        CmEvent event;
        Managed ending = null;
        lock.lock();
        try {
            if (pointer == 0) {
                return null;
            }
            CmEvent.Type means = type;
            int code = status;
            if (type == CmEvent.Type.CONNECT_RESPONSE) {
                code = -answered();
                means = code == 0 ? CmEvent.Type.ESTABLISHED : CmEvent.Type.CONNECT_ERROR;
            } else if (type == CmEvent.Type.ESTABLISHED) {
                established();
            }
            if (means.isError() && means != CmEvent.Type.ADDR_ERROR && means != CmEvent.Type.ROUTE_ERROR
                    || means == CmEvent.Type.DISCONNECTED) {
                ending = managed;
            }
            event = new CmEvent(means, this, listener, code, privateData, resources, depth,
                    SocketAddresses.read(pointer + Abi.ConnectionId.PEER_ADDRESS),
                    type == CmEvent.Type.CONNECT_REQUEST ? "listening, to" : phase,
                    Duration.ofNanos(NicClock.nanos() - phaseStart));
            advance(means);
        } finally {
            lock.unlock();
        }
        if (ending != null) {
            over(ending, event);
        }
        return event;
    }

    private void advance(CmEvent.Type type) {
        switch (type) {
            case ADDR_RESOLVED, ROUTE_RESOLVED -> begin("idle, on the way to");
            case CONNECT_REQUEST -> begin("being asked by");
            case ESTABLISHED -> begin("connected to");
            case DISCONNECTED -> begin("disconnected from");
            default -> {
                if (type.isError()) {
                    begin("failed on the way to");
                }
            }
        }
    }

    /// The peer has accepted. Under the lock.
    ///
    /// @return 0, or the error number of what went wrong on our side; then the peer was told that nothing comes of it
    private int answered() {
        Managed connection = managed;
        int error = NativeFailure.EINVAL;
        if (connection != null && !connection.over) {
            try {
                bringUp(pointer, connection);
                library.establish(pointer);
                up(connection);
                return 0;
            } catch (NativeFailure e) {
                error = e.errno();
            } catch (RdmaException e) {
                LOG.log(System.Logger.Level.DEBUG, "RDMA-CM: the peer accepted, and the queue pair cannot be brought up", e);
                error = e.getCause() instanceof NativeFailure cause ? cause.errno() : error;
            }
        }
        try {
            library.reject(pointer, 0, 0);
        } catch (NativeFailure e) {
            LOG.log(System.Logger.Level.DEBUG, "RDMA-CM: the peer could not be told: {0}", e.getMessage());
        }
        return error;
    }

    /// The peer knows that we have accepted. Under the lock.
    private void established() {
        Managed connection = managed;
        if (connection != null && !connection.up && !connection.over) {
            try {
                up(connection);
            } catch (RdmaException e) {
                // The queue pair was failed or closed meanwhile.
                hangUp(connection);
            }
        }
    }

    private void up(Managed connection) {
        InetSocketAddress peer = SocketAddresses.read(pointer + Abi.ConnectionId.PEER_ADDRESS);
        QueuePairAddress address = peer == null ? null : new QueuePairAddress(new EndpointAddress(VerbsProvider.NAME,
                literal(peer), peer.getPort(), 0), connection.peerNumber);
        connection.queuePair.comeUp(connection, connection, address);
        connection.up = true;
    }

    private static String literal(InetSocketAddress address) {
        String host = address.getAddress().getHostAddress();
        return host.indexOf(':') < 0 ? host : '[' + host + ']';
    }

    /// The connection, or the attempt, has ended: the queue pair goes to ERR, so that all that is outstanding is flushed.
    private void over(Managed connection, CmEvent event) {
        if (event.type() == CmEvent.Type.DISCONNECTED) {
            connection.queuePair.told(connection, Bond.Cause.GONE, "RDMA-CM: " + event.describe());
            // Answers the peer, which waits for it.
            hangUp(connection);
        } else {
            lock.lock();
            try {
                connection.over = true;
            } finally {
                lock.unlock();
            }
        }
        fail(connection.queuePair);
    }

    private static void fail(VerbsQueuePair queuePair) {
        try {
            queuePair.toError();
        } catch (RdmaException e) {
            if (e.error() != RdmaError.CLOSED) {
                throw e;
            }
        }
    }

    // ---- ending

    /// Ends the connection: the queue pair goes to ERR, and the peer is told. Harmless if it has ended.
    public void disconnect() {
        Managed connection;
        lock.lock();
        try {
            open("disconnecting");
            connection = managed;
        } finally {
            lock.unlock();
        }
        if (connection == null) {
            throw new RdmaException(RdmaError.INVALID_STATE, "the RDMA-CM id has no queue pair, and so no connection to end");
        }
        fail(connection.queuePair);
        // If it had not come up there was no bond to do it.
        hangUp(connection);
    }

    /// Tells the connection manager, once, that the connection is over.
    private void hangUp(Managed connection) {
        lock.lock();
        try {
            if (pointer == 0 || connection.over) {
                return;
            }
            connection.over = true;
            begin("disconnecting from");
            library.disconnect(pointer);
        } catch (NativeFailure e) {
            LOG.log(System.Logger.Level.DEBUG, "RDMA-CM: there was no connection to end: {0}", e.getMessage());
        } finally {
            lock.unlock();
        }
    }

    /// Frees the queue pair, if it has one, and ends the connection.
    public void destroyQueuePair() {
        lock.lock();
        try {
            open("destroying its queue pair");
            Managed connection = managed;
            if (connection != null) {
                connection.queuePair.close();
                hangUp(connection);
                managed = null;
            }
        } finally {
            lock.unlock();
        }
    }

    /// Frees the id. A request that was not answered is refused thereby.
    ///
    /// @throws RdmaException with [RdmaError#BUSY] while it has a queue pair
    public void destroy() {
        lock.lock();
        try {
            if (pointer == 0) {
                return;
            }
            if (managed != null) {
                throw new RdmaException(RdmaError.BUSY,
                        "the RDMA-CM id has queue pair " + managed.queuePair.number() + "; destroy that first");
            }
            channel.remove(this, pointer);
            long freed = pointer;
            pointer = 0;
            library.destroyId(freed);
        } catch (NativeFailure e) {
            throw e.toRdmaException("destroying an RDMA-CM id");
        } finally {
            lock.unlock();
        }
    }

    /// Frees it and its queue pair. Harmless if it was freed.
    public void destroyWithQueuePair() {
        lock.lock();
        try {
            if (pointer != 0) {
                destroyQueuePair();
                destroy();
            }
        } finally {
            lock.unlock();
        }
    }

    /// A request that nobody will see.
    void refuseQuietly() {
        try {
            reject(new byte[0]);
        } catch (RdmaException e) {
            LOG.log(System.Logger.Level.DEBUG, "RDMA-CM: a request could not be refused: {0}", e.getMessage());
        }
        destroy();
    }
}
