package io.leasehold.rdma.internal.verbs;

import io.leasehold.rdma.AsyncEvent;
import io.leasehold.rdma.CompletionQueue;
import io.leasehold.rdma.ConnectionHandler;
import io.leasehold.rdma.DeviceAttributes;
import io.leasehold.rdma.DeviceOptions;
import io.leasehold.rdma.Listener;
import io.leasehold.rdma.MemoryWindowType;
import io.leasehold.rdma.ProtectionDomain;
import io.leasehold.rdma.QueuePair;
import io.leasehold.rdma.QueuePairOptions;
import io.leasehold.rdma.RdmaDevice;
import io.leasehold.rdma.RdmaError;
import io.leasehold.rdma.RdmaException;
import io.leasehold.rdma.ResourceCounts;
import io.leasehold.rdma.WorkCompletion;
import io.leasehold.rdma.internal.AsyncEvents;
import io.leasehold.rdma.internal.DeviceThreads;
import io.leasehold.rdma.internal.NicClock;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.net.Socket;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/// An `ibv_context`: it owns all that is made of it, and counts it.
public final class VerbsDevice implements RdmaDevice {
    private static final Duration CLOSING_PATIENCE = Duration.ofSeconds(5);
    private static final System.Logger LOG = System.getLogger(VerbsDevice.class.getName());

    private final VerbsLibrary library;
    private final OpenedContext opened;
    private final DeviceAttributes limits;
    private volatile DeviceAttributes attributes;
    private final ContextOperations operations;
    private final SecureRandom random = new SecureRandom();
    private final DeviceThreads threads = new DeviceThreads();
    private final AsyncEvents announcements = new AsyncEvents(threads,
            thrown -> handlerThrew("an observer of asynchronous events", thrown));
    private final Connections connections;
    private final EventLoop eventLoop;
    private final long channel;
    private final WindowTable windows = new WindowTable();
    private final Slots<VerbsQueuePair> queuePairs;
    private final Slots<VerbsCompletionQueue> completionQueues;
    private final Set<VerbsProtectionDomain> domains = ConcurrentHashMap.newKeySet();
    private final Set<VerbsMemoryRegion> regions = ConcurrentHashMap.newKeySet();
    private final Set<VerbsMemoryWindow> allWindows = ConcurrentHashMap.newKeySet();
    private final AtomicInteger boundWindows = new AtomicInteger();
    private final AtomicInteger generations = new AtomicInteger();
    private final AtomicLong runs = new AtomicLong();
    /// Held while an object is added, and while the device becomes closed: nothing is added behind the back of [#close()].
    private final ReentrantLock making = new ReentrantLock();
    private volatile boolean closed;

    private VerbsDevice(VerbsLibrary library, OpenedContext opened, DeviceOptions options) {
        this.library = library;
        this.opened = opened;
        limits = opened.attributes();
        attributes = limits;
        operations = opened.operations();
        queuePairs = new Slots<>(Math.min(limits.maxQueuePairs(), 1 << RequestTag.SLOT_BITS));
        completionQueues = new Slots<>(limits.maxCompletionQueues());
        connections = new Connections(this, options.host(), options.port(), random.nextLong() | 1);
        channel = library.createCompChannel(opened.context());
        try {
            eventLoop = new EventLoop(this, opened.context(), channel);
        } catch (RuntimeException | Error e) {
            quietly("closing the completion channel", () -> library.destroyCompChannel(channel));
            throw e;
        }
    }

    /// Opens the device that `options` name.
    static VerbsDevice open(VerbsLibrary library, DeviceOptions options) {
        OpenedContext opened = OpenedContext.open(library, options);
        VerbsDevice device;
        try {
            device = new VerbsDevice(library, opened, options);
        } catch (NativeFailure e) {
            library.closeDevice(opened.context());
            throw e.toRdmaException("opening RDMA device " + opened.attributes().name());
        }
        try {
            device.threads.startPlatform("leasehold-verbs-events-" + opened.attributes().name(), device.eventLoop::run);
            device.attributes = device.limits.withWindowBoundsEnforced(BoundsTrial.passes(device));
        } catch (RuntimeException | Error e) {
            device.close();
            throw e;
        }
        return device;
    }

    VerbsLibrary library() {
        return library;
    }

    ContextOperations operations() {
        return operations;
    }

    VerbsPort port() {
        return opened.port();
    }

    Connections connections() {
        return connections;
    }

    DeviceThreads threads() {
        return threads;
    }

    AsyncEvents announcements() {
        return announcements;
    }

    WindowTable windows() {
        return windows;
    }

    /// Whether it is the kernel's software device.
    boolean isRxe() {
        return opened.isRxe();
    }

    /// The flags of a completion that say that a key was invalidated.
    int withInvalidateFlags() {
        return opened.isRxe() ? Abi.Completion.WITH_INVALIDATE | Abi.Completion.WITH_INVALIDATE_OF_RXE
                : Abi.Completion.WITH_INVALIDATE;
    }

    /// For the first packet of a connection: 24 bits that packets of an earlier one do not know.
    int newSequenceNumber() {
        return random.nextInt(1 << 24);
    }

    /// A number that no memory holds by chance.
    long newMark() {
        return random.nextLong();
    }

    int newGeneration() {
        return generations.incrementAndGet();
    }

    long newRun() {
        return runs.incrementAndGet();
    }

    /// The most local ranges of one request.
    public int maxScatters() {
        return opened.maxScatters();
    }

    /// How many completion vectors the device has.
    public int completionVectors() {
        return RawMemory.getInt(opened.context() + Abi.Context.COMPLETION_VECTORS);
    }

    /// The descriptor by which the process commands the device.
    public int commandDescriptor() {
        return RawMemory.getInt(opened.context() + Abi.Context.COMMAND_FD);
    }

    @Override
    public DeviceAttributes attributes() {
        return attributes;
    }

    @Override
    public ResourceCounts resources() {
        return new ResourceCounts(domains.size(), regions.size(), allWindows.size(), boundWindows.get(), queuePairs.count(),
                completionQueues.count(), threads.count());
    }

    // ---- making and removing objects

    private <T> T making(String what, Supplier<T> object) {
        making.lock();
        try {
            if (closed) {
                throw new RdmaException(RdmaError.CLOSED, "device " + limits.name() + " is closed");
            }
            return object.get();
        } catch (NativeFailure e) {
            throw e.toRdmaException("device " + limits.name() + ": making " + what);
        } finally {
            making.unlock();
        }
    }

    private static RdmaException exhausted(String what, int limit) {
        return new RdmaException(RdmaError.OUT_OF_RESOURCES,
                "all " + limit + " " + what + " of the device are in use; close some, or open the device with more");
    }

    private static void demandRange(String name, int value, int least, int most) {
        if (value < least || value > most) {
            throw new RdmaException(RdmaError.INVALID_ARGUMENT, name + " is " + value + ", outside " + least + " to " + most);
        }
    }

    @Override
    public ProtectionDomain allocateProtectionDomain() {
        return making("a protection domain", () -> {
            var domain = new VerbsProtectionDomain(this, library.allocPd(opened.context()));
            domains.add(domain);
            return domain;
        });
    }

    void remove(VerbsProtectionDomain domain) {
        domains.remove(domain);
    }

    @Override
    public CompletionQueue createCompletionQueue(int capacity) {
        demandRange("capacity", capacity, 1, limits.maxCompletionEntries());
        return making("a completion queue of " + capacity + " entries", () -> {
            int slot = completionQueues.reserve();
            if (slot < 0) {
                throw exhausted("completion queues", limits.maxCompletionQueues());
            }
            try {
                var queue = new VerbsCompletionQueue(this, slot, library.createCq(opened.context(), capacity, slot, channel));
                completionQueues.put(slot, queue);
                return queue;
            } catch (NativeFailure e) {
                completionQueues.free(slot);
                throw e;
            }
        });
    }

    void remove(VerbsCompletionQueue queue) {
        completionQueues.free(queue.slot());
    }

    VerbsMemoryRegion addRegion(VerbsProtectionDomain domain, MemorySegment memory, int access) {
        return making("a memory region of " + memory.byteSize() + " bytes (the locked-memory limit is "
                + OpenedContext.lockedMemoryLimit() + ")", () -> {
            if (regions.size() >= limits.maxRegions()) {
                throw exhausted("memory regions", limits.maxRegions());
            }
            var region = new VerbsMemoryRegion(domain, memory, access,
                    library.regMr(domain.pointer(), memory.address(), memory.byteSize(), access));
            regions.add(region);
            return region;
        });
    }

    void remove(VerbsMemoryRegion region) {
        regions.remove(region);
    }

    /// The region with that local key, if there is one.
    @Nullable VerbsMemoryRegion region(int localKey) {
        for (VerbsMemoryRegion region : regions) {
            if (region.localKey() == localKey) {
                return region;
            }
        }
        return null;
    }

    VerbsMemoryWindow addWindow(VerbsProtectionDomain domain, MemoryWindowType type) {
        if (!limits.windowTypes().contains(type)) {
            throw new RdmaException(RdmaError.UNSUPPORTED, "device " + limits.name() + " has no memory windows of " + type
                    + "; it has " + limits.windowTypes());
        }
        return making("a memory window", () -> {
            if (allWindows.size() >= limits.maxWindows()) {
                throw exhausted("memory windows", limits.maxWindows());
            }
            long pointer = operations.allocateWindow(domain.pointer(),
                    type == MemoryWindowType.TYPE_1 ? Abi.WINDOW_TYPE_1 : Abi.WINDOW_TYPE_2);
            if (pointer == 0) {
                throw new NativeFailure("ibv_alloc_mw", NativeFailure.ENOMEM);
            }
            var window = new VerbsMemoryWindow(domain, type, pointer);
            allWindows.add(window);
            windows.add(window);
            return window;
        });
    }

    void remove(VerbsMemoryWindow window) {
        windows.remove(window);
        allWindows.remove(window);
    }

    void windowBound() {
        boundWindows.incrementAndGet();
    }

    void windowUnbound() {
        boundWindows.decrementAndGet();
    }

    /// A queue pair is about to go: windows that are bound to it are freed.
    void leaveWindows(VerbsQueuePair queuePair) {
        for (VerbsMemoryWindow window : allWindows) {
            quietly("freeing a window of queue pair " + queuePair.number(), () -> window.leave(queuePair));
        }
    }

    VerbsQueuePair addQueuePair(VerbsProtectionDomain domain, QueuePairOptions wanted, int sendScatters, int receiveScatters) {
        demandRange("maxSendRequests", wanted.maxSendRequests(), 1, limits.maxWorkRequests());
        demandRange("maxReceiveRequests", wanted.maxReceiveRequests(), 0, limits.maxWorkRequests());
        demandRange("maxInlineBytes", wanted.maxInlineBytes(), 0, limits.maxInlineBytes());
        demandRange("maxReadAtomic", wanted.maxReadAtomic(), 1, limits.maxReadAtomic());
        demandRange("max_send_sge", sendScatters, 1, opened.maxScatters());
        demandRange("max_recv_sge", receiveScatters, 1, opened.maxScatters());
        VerbsCompletionQueue sends = ownCompletionQueue(wanted.sendQueue());
        VerbsCompletionQueue receives = ownCompletionQueue(wanted.receiveQueue());
        return making("a queue pair", () -> {
            int slot = queuePairs.reserve();
            if (slot < 0) {
                throw exhausted("queue pairs", limits.maxQueuePairs());
            }
            boolean made = false;
            try {
                VerbsQueuePair queuePair = makeQueuePair(domain, wanted, sends, receives, slot, sendScatters, receiveScatters);
                queuePairs.put(slot, queuePair);
                made = true;
                return queuePair;
            } finally {
                if (!made) {
                    queuePairs.free(slot);
                }
            }
        });
    }

    private VerbsQueuePair makeQueuePair(VerbsProtectionDomain domain, QueuePairOptions wanted, VerbsCompletionQueue sends,
            VerbsCompletionQueue receives, int slot, int sendScatters, int receiveScatters) {
        long pointer;
        try (Scratch scratch = new Scratch()) {
            // One place more, for a nudge of our own.
            pointer = library.createQp(domain.pointer(), SelfCheck.pairInit(scratch, sends.pointer(), receives.pointer(),
                    wanted.maxSendRequests() + 1, Math.max(1, wanted.maxReceiveRequests()), wanted.maxInlineBytes(), sendScatters,
                    receiveScatters));
        }
        var queues = new WorkQueues(this, domain, slot, RawMemory.getInt(pointer + Abi.Handle.PAIR_NUMBER), wanted, sends,
                receives);
        var queuePair = new VerbsQueuePair(this, pointer, queues, wanted);
        if (!sends.use(queuePair) || !receives.use(queuePair)) {
            sends.unuse(queuePair);
            library.destroyQp(pointer);
            throw new RdmaException(RdmaError.CLOSED, "the completion queue is closed");
        }
        return queuePair;
    }

    void remove(VerbsQueuePair queuePair) {
        queuePairs.free(queuePair.queues().slot());
        queuePair.queues().sends().unuse(queuePair);
        queuePair.queues().receives().unuse(queuePair);
    }

    /// The queue pair with that number, if there is one.
    @Nullable VerbsQueuePair queuePair(int number) {
        return queuePairs.find(queuePair -> queuePair.number() == number);
    }

    private VerbsCompletionQueue ownCompletionQueue(CompletionQueue queue) {
        if (queue instanceof VerbsCompletionQueue own && own.device() == this) {
            return own;
        }
        throw new RdmaException(RdmaError.INVALID_ARGUMENT,
                "the completion queue belongs to another device than " + limits.name());
    }

    /// `queuePair`, if it is of this device.
    VerbsQueuePair ownQueuePair(QueuePair queuePair) {
        if (queuePair instanceof VerbsQueuePair own && own.device() == this) {
            return own;
        }
        throw new RdmaException(RdmaError.INVALID_ARGUMENT,
                "queue pair " + queuePair.number() + " belongs to another device than " + limits.name());
    }

    @Override
    public Listener listen(ConnectionHandler handler) {
        return making("a listener", () -> connections.listen(handler));
    }

    // ---- completions and events

    /// Fills `into` with what a native completion means. Under the lock of its completion queue.
    ///
    /// @return whether it concerns the user
    boolean retire(long completion, WorkCompletion into) {
        long tag = RawMemory.getLong(completion + Abi.Completion.ID);
        VerbsQueuePair queuePair = queuePairs.get(RequestTag.slot(tag));
        return queuePair != null && queuePair.retire(tag, completion, into);
    }

    /// Whether a native completion is of a life of a queue pair that goes on, and of a request of the user.
    boolean isWanted(long completion) {
        long tag = RawMemory.getLong(completion + Abi.Completion.ID);
        VerbsQueuePair queuePair = queuePairs.get(RequestTag.slot(tag));
        return queuePair != null && queuePair.isOf(tag) && !queuePair.isNudge(tag);
    }

    /// The device says that the completion queue at that place is not empty.
    void told(int slot) {
        VerbsCompletionQueue queue = completionQueues.get(slot);
        if (queue != null) {
            queue.tell();
        }
    }

    /// What to do about an asynchronous event; the device keeps its element until that is known.
    Runnable reactionTo(int type, long element) {
        return switch (type) {
            case 0 -> {
                VerbsCompletionQueue queue = completionQueues.find(one -> one.pointer() == element);
                yield () -> overflowed(queue);
            }
            case 1, 2, 3 -> {
                VerbsQueuePair queuePair = queuePairs.find(one -> one.pointer() == element && !one.queues().isClosed());
                AsyncEvent.Type means = type == 1 ? AsyncEvent.Type.QP_FATAL
                        : type == 2 ? AsyncEvent.Type.QP_REQ_ERR : AsyncEvent.Type.QP_ACCESS_ERR;
                yield () -> {
                    if (queuePair != null) {
                        queuePair.refusedPeer(means, "the device reports " + means);
                    }
                };
            }
            case 8 -> () -> failed("the device reports a fatal error");
            default -> () -> LOG.log(System.Logger.Level.DEBUG, "{0}: asynchronous event {1}", limits.name(), type);
        };
    }

    /// As hardware does, and rxe does not: who uses a queue that overflowed is failed.
    private void overflowed(@Nullable VerbsCompletionQueue queue) {
        if (queue == null) {
            return;
        }
        Set<VerbsQueuePair> users = queue.users();
        broke(queue, users, "overflowed");
        for (VerbsQueuePair queuePair : users) {
            try {
                queuePair.toError();
            } catch (RdmaException e) {
                handlerThrew("failing queue pair " + queuePair.number(), e);
            }
        }
    }

    /// The device cannot say what is in a completion queue: what was outstanding there is lost. The caller may hold any lock.
    void unreadable(VerbsCompletionQueue queue, int answer) {
        announcements.later(() -> {
            Set<VerbsQueuePair> users = queue.users();
            broke(queue, users, "cannot be read (ibv_poll_cq says " + answer + ")");
            users.forEach(queuePair -> queuePair.lose("its completion queue cannot be read"));
        });
    }

    /// The device has failed, and carries out nothing more. The caller may hold any lock.
    void failed(String how) {
        raise(new AsyncEvent(AsyncEvent.Type.DEVICE_FATAL, 0, how));
        announcements.later(() -> queuePairs.forEach(queuePair -> queuePair.lose(how)));
    }

    private void broke(VerbsCompletionQueue queue, Set<VerbsQueuePair> users, String how) {
        raise(new AsyncEvent(AsyncEvent.Type.CQ_ERR, 0, "a completion queue of " + queue.capacity() + " entries " + how + "; its "
                + users.size() + " queue pairs fail"));
    }
    @Override
    public void onAsyncEvent(Consumer<AsyncEvent> observer) {
        announcements.observe(observer);
    }

    void raise(AsyncEvent event) {
        LOG.log(System.Logger.Level.DEBUG, "{0}: {1}", limits.name(), event);
        announcements.raise(event);
    }

    /// A handler of the user, or something of our own that nobody waits for, threw: the device goes on.
    void handlerThrew(String what, Throwable thrown) {
        LOG.log(System.Logger.Level.ERROR, limits.name() + ": " + what + " threw", thrown);
    }

    /// The library refused to post what this provider took for possible.
    void refusedPost(String what) {
        LOG.log(System.Logger.Level.WARNING, "{0}: {1}; further refusals are not logged until it is reset", limits.name(), what);
    }

    /// Somebody connected and said nothing sensible.
    void dropped(Socket socket, IOException cause) {
        LOG.log(System.Logger.Level.DEBUG, "{0}: dropped {1}: {2}", limits.name(), socket.getRemoteSocketAddress(),
                cause.getMessage());
    }

    @Override
    public void close() {
        making.lock();
        try {
            if (closed) {
                return;
            }
            closed = true;
        } finally {
            making.unlock();
        }
        connections.close();
        queuePairs.forEach(queuePair -> quietly("closing a queue pair", queuePair::close));
        allWindows.forEach(window -> quietly("closing a window", window::close));
        regions.forEach(region -> quietly("closing a region", region::close));
        completionQueues.forEach(queue -> quietly("closing a completion queue", queue::close));
        domains.forEach(domain -> quietly("closing a domain", domain::close));
        eventLoop.close();
        if (!stopThreads()) {
            LOG.log(System.Logger.Level.WARNING, "{0}: not all ended in time, the device is left open: {1}", limits.name(),
                    resources());
        } else if (!eventLoop.freesWhenLeft()) {
            free();
        }
    }

    /// Waits until all threads have ended, also in a thread that is interrupted: what they use is freed next, or never.
    ///
    /// @return whether they have
    private boolean stopThreads() {
        long deadline = NicClock.deadline(CLOSING_PATIENCE);
        boolean interrupted = false;
        try {
            while (true) {
                try {
                    return threads.stop(deadline);
                } catch (InterruptedException e) {
                    interrupted = true;
                }
            }
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    /// Frees what the event thread uses, when it does not any more.
    void free() {
        eventLoop.free();
        quietly("closing the completion channel", () -> library.destroyCompChannel(channel));
        quietly("closing the device", () -> library.closeDevice(opened.context()));
    }

    private void quietly(String what, Runnable closing) {
        try {
            closing.run();
        } catch (RdmaException | NativeFailure e) {
            LOG.log(System.Logger.Level.WARNING, limits.name() + ": " + what + " failed; the rest is closed all the same", e);
        }
    }
}
