package io.leasehold.rdma.internal.verbs;

import io.leasehold.rdma.RdmaError;
import io.leasehold.rdma.RdmaException;
import io.leasehold.rdma.internal.NicClock;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/// An `rdma_event_channel`: where ids are made, and where what the connection manager says of them is waited for.
///
/// An event is copied and acknowledged before it is handed out, so none is left to be. An id is looked up before its event is
/// acknowledged: until then its structure cannot be freed, nor another id take its address. Thread-safe.
public final class CmChannel implements AutoCloseable {
    private static final Path DEVICE = Path.of("/dev/infiniband/rdma_cm");
    private static final CmEvent.Type[] TYPES = CmEvent.Type.values();
    /// How often the watcher looks whether the channel was closed, or nobody waits any more.
    private static final int SLICE_MILLIS = 100;

    private final CmLibrary library;
    private final long pointer;
    private final int descriptor;
    private final ConcurrentHashMap<Long, CmId> ids = new ConcurrentHashMap<>();
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition changed = lock.newCondition();
    /// Calls that are using the native channel, and the watcher.
    private int users;
    /// Calls that wait for an event.
    private int waiting;
    /// Whether the watcher has seen an event that nobody has looked for since.
    private boolean readable;
    private boolean watched;
    private volatile boolean closed;

    private CmChannel(CmLibrary library, long pointer) {
        this.library = library;
        this.pointer = pointer;
        // It is all that the structure holds.
        descriptor = RawMemory.getInt(pointer);
        Descriptors.nonblocking(descriptor);
    }

    /// Opens a channel of the machine's connection manager.
    ///
    /// @throws RdmaException with [RdmaError#UNSUPPORTED] and one sentence that says what is missing and how to get it
    public static CmChannel open() {
        return open(SystemCmLibrary.load());
    }

    static CmChannel open(CmLibrary library) {
        try {
            return new CmChannel(library, library.createEventChannel());
        } catch (NativeFailure e) {
            throw switch (e.errno()) {
                case NativeFailure.ENODEV, NativeFailure.ENOENT, NativeFailure.ENOSYS -> new RdmaException(RdmaError.UNSUPPORTED,
                        "no RDMA-CM on this machine: " + (Files.exists(DEVICE)
                                ? "there is no RDMA device; load the driver of your adapter, or make a software one with "
                                        + "'rdma link add rxe0 type rxe netdev IFACE'"
                                : DEVICE + " is missing; load its module with 'modprobe rdma_ucm'"));
                default -> e.toRdmaException("opening an RDMA-CM event channel");
            };
        }
    }

    CmLibrary library() {
        return library;
    }

    /// The descriptor that is readable when there is an event.
    public int descriptor() {
        return descriptor;
    }

    /// How many ids it has.
    public int ids() {
        return ids.size();
    }

    /// A new id, of a reliable connection.
    public CmId newId() {
        enter();
        try {
            return add(library.createId(pointer));
        } catch (NativeFailure e) {
            throw e.toRdmaException("making an RDMA-CM id");
        } finally {
            leave();
        }
    }

    private CmId add(long id) {
        var made = new CmId(this, id);
        ids.put(id, made);
        return made;
    }

    /// An id is about to be freed: no event finds it any more.
    void remove(CmId id, long idPointer) {
        ids.remove(idPointer, id);
    }

    private void enter() {
        lock.lock();
        try {
            if (closed) {
                throw new RdmaException(RdmaError.CLOSED, "the RDMA-CM event channel is closed");
            }
            users++;
        } finally {
            lock.unlock();
        }
    }

    private void leave() {
        lock.lock();
        try {
            users--;
            changed.signalAll();
        } finally {
            lock.unlock();
        }
    }

    /// Waits for the next event; a virtual thread does not keep its carrier.
    ///
    /// @param timeout how long at most
    /// @return the event, or `null` if none has come in time
    /// @throws InterruptedException if the thread is interrupted
    /// @throws RdmaException with [RdmaError#CLOSED] if the channel is closed, before or meanwhile
    public @Nullable CmEvent next(Duration timeout) throws InterruptedException {
        long deadline = NicClock.deadline(timeout);
        enter();
        try {
            CmEvent event = take();
            while (event == null && awaitReadable(deadline)) {
                event = take();
            }
            return event;
        } catch (NativeFailure e) {
            throw e.toRdmaException("waiting for an RDMA-CM event");
        } finally {
            leave();
        }
    }

    /// Waits until the watcher has seen something to take.
    ///
    /// @return whether it has, before the deadline
    private boolean awaitReadable(long deadline) throws InterruptedException {
        lock.lockInterruptibly();
        try {
            startWatching();
            // What was seen before has just been looked for; what came since is seen again.
            readable = false;
            waiting++;
            changed.signalAll();
            try {
                while (!readable) {
                    if (closed) {
                        throw new RdmaException(RdmaError.CLOSED, "the RDMA-CM event channel was closed");
                    }
                    long left = deadline - NicClock.nanos();
                    if (left <= 0) {
                        return false;
                    }
                    changed.awaitNanos(left);
                }
                return true;
            } finally {
                waiting--;
            }
        } finally {
            lock.unlock();
        }
    }

    private void startWatching() {
        if (!watched) {
            Thread.ofPlatform().daemon().name("leasehold-rdma-cm-events").start(this::watch);
            watched = true;
            users++;
        }
    }

    /// Until the channel is closed: the only thread that waits in native code, and only while somebody waits for it.
    private void watch() {
        try {
            while (awaitWaiting()) {
                if (Descriptors.awaitReadable(descriptor, SLICE_MILLIS)) {
                    lock.lock();
                    try {
                        readable = true;
                        changed.signalAll();
                    } finally {
                        lock.unlock();
                    }
                }
            }
        } finally {
            leave();
        }
    }

    /// @return whether the channel is open, and somebody waits for what has not been seen
    private boolean awaitWaiting() {
        lock.lock();
        try {
            while (!closed && (waiting == 0 || readable)) {
                changed.awaitUninterruptibly();
            }
            return !closed;
        } finally {
            lock.unlock();
        }
    }

    /// Takes what there is, unless another thread was first or it concerns nobody.
    private @Nullable CmEvent take() {
        long event;
        try {
            event = library.getCmEvent(pointer);
        } catch (NativeFailure e) {
            if (e.errno() == NativeFailure.EAGAIN) {
                return null;
            }
            throw e;
        }
        long idPointer = RawMemory.getLong(event + Abi.ConnectionEvent.ID);
        long listening = RawMemory.getLong(event + Abi.ConnectionEvent.LISTENING_ID);
        CmEvent.Type type = TYPES[Math.floorMod(RawMemory.getInt(event + Abi.ConnectionEvent.TYPE), TYPES.length)];
        int status = RawMemory.getInt(event + Abi.ConnectionEvent.STATUS);
        long parameters = event + Abi.ConnectionEvent.PARAMETERS;
        byte[] privateData = privateData(type, parameters);
        int resources = RawMemory.getByte(parameters + Abi.ConnectionParameters.RESPONDER_RESOURCES) & 0xff;
        int depth = RawMemory.getByte(parameters + Abi.ConnectionParameters.INITIATOR_DEPTH) & 0xff;
        CmId listener = listening == 0 ? null : ids.get(listening);
        CmId id = type == CmEvent.Type.CONNECT_REQUEST ? add(idPointer) : ids.get(idPointer);
        library.ackCmEvent(event);
        if (id == null) {
            return null;
        }
        if (type == CmEvent.Type.CONNECT_REQUEST && listener == null) {
            // Who listened has stopped to.
            id.refuseQuietly();
            return null;
        }
        return id.told(type, listener, status, privateData, resources, depth);
    }

    private static byte[] privateData(CmEvent.Type type, long parameters) {
        long data = RawMemory.getLong(parameters + Abi.ConnectionParameters.PRIVATE_DATA);
        int length = RawMemory.getByte(parameters + Abi.ConnectionParameters.PRIVATE_DATA_LENGTH) & 0xff;
        boolean carries = switch (type) {
            case CONNECT_REQUEST, CONNECT_RESPONSE, ESTABLISHED, REJECTED, DISCONNECTED -> true;
            default -> false;
        };
        return !carries || data == 0 ? new byte[0] : RawMemory.getBytes(data, length);
    }

    /// Closes the channel; who waits for an event is told so.
    ///
    /// @throws RdmaException with [RdmaError#BUSY] while it has ids
    @Override
    public void close() {
        lock.lock();
        try {
            if (closed) {
                return;
            }
            if (!ids.isEmpty()) {
                throw new RdmaException(RdmaError.BUSY, "the RDMA-CM event channel has " + ids.size()
                        + " ids, those of connection requests included; destroy them first");
            }
            closed = true;
            changed.signalAll();
            while (users > 0) {
                changed.awaitUninterruptibly();
            }
        } finally {
            lock.unlock();
        }
        library.destroyEventChannel(pointer);
    }

    /// Destroys all ids and their queue pairs, and closes the channel.
    public void closeAll() {
        ids.values().forEach(CmId::destroyWithQueuePair);
        close();
    }
}
