package io.leasehold.rdma.internal.soft;

import io.leasehold.rdma.AsyncEvent;
import io.leasehold.rdma.CompletionQueue;
import io.leasehold.rdma.ConnectionHandler;
import io.leasehold.rdma.DeviceAttributes;
import io.leasehold.rdma.DeviceOptions;
import io.leasehold.rdma.EndpointAddress;
import io.leasehold.rdma.Hostility;
import io.leasehold.rdma.Link;
import io.leasehold.rdma.Listener;
import io.leasehold.rdma.MemoryWindowType;
import io.leasehold.rdma.ProtectionDomain;
import io.leasehold.rdma.QueuePair;
import io.leasehold.rdma.QueuePairAddress;
import io.leasehold.rdma.QueuePairOptions;
import io.leasehold.rdma.RdmaDevice;
import io.leasehold.rdma.RdmaError;
import io.leasehold.rdma.RdmaException;
import io.leasehold.rdma.ResourceCounts;
import io.leasehold.rdma.internal.AsyncEvents;
import io.leasehold.rdma.internal.DeviceThreads;
import io.leasehold.rdma.internal.NicClock;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/// A software NIC: it owns the keys, the queue pairs and the threads, and counts them.
final class SoftDevice implements RdmaDevice {
    /// The longest transfer, 1 GiB.
    static final int MAX_MESSAGE_BYTES = 1 << 30;
    private static final String CLOSED = "the device was closed";
    private static final int MAX_COMPLETION_QUEUES = 1 << 16;
    private static final int MAX_COMPLETION_ENTRIES = 1 << 22;
    private static final int MAX_REGIONS = 1 << 20;
    private static final int MAX_WORK_REQUESTS = 1 << 15;
    static final int MAX_READ_ATOMIC = 128;
    private static final int MAX_INLINE_BYTES = 1024;
    static final int MAX_PRIVATE_DATA_BYTES = 512;
    private static final Duration CLOSING_PATIENCE = Duration.ofSeconds(5);
    private static final System.Logger LOG = System.getLogger(SoftDevice.class.getName());

    private final DeviceOptions options;
    private final DeviceAttributes attributes;
    private final long id;
    private final KeyTable keys;
    private final @Nullable RingDirectory ringDirectory;
    private final DeviceThreads threads = new DeviceThreads();
    private final AsyncEvents events = new AsyncEvents(threads,
            thrown -> handlerThrew("an observer of asynchronous events", thrown));
    private final NicTimer timer;
    private final Set<SoftProtectionDomain> domains = ConcurrentHashMap.newKeySet();
    private final Set<SoftCompletionQueue> completionQueues = ConcurrentHashMap.newKeySet();
    private final Set<SoftMemoryRegion> regions = ConcurrentHashMap.newKeySet();
    private final Set<SoftMemoryWindow> windows = ConcurrentHashMap.newKeySet();
    private final ConcurrentMap<Integer, SoftMemoryWindow> windowsByIndex = new ConcurrentHashMap<>();
    private final ConcurrentMap<Integer, SoftQueuePair> queuePairs = new ConcurrentHashMap<>();
    private final Set<TcpRequest> requests = ConcurrentHashMap.newKeySet();
    private final AtomicInteger regionCount = new AtomicInteger();
    private final AtomicInteger windowCount = new AtomicInteger();
    private final AtomicInteger boundWindows = new AtomicInteger();
    private final AtomicInteger queuePairCount = new AtomicInteger();
    private final AtomicInteger madeQueuePairs = new AtomicInteger();
    private final AtomicInteger lastNumber = new AtomicInteger();
    private final ReentrantLock portLock = new ReentrantLock();
    private @Nullable TcpPort port;
    private int lastPort;
    private final AtomicReference<@Nullable SoftListener> listener = new AtomicReference<>();
    /// Held while an object is added, and while the device becomes closed: nothing is added behind the back of [#close()].
    private final ReentrantLock making = new ReentrantLock();
    /// An object was removed; of use to [#close()] alone.
    private final Condition removed = making.newCondition();
    private volatile boolean closed;

    private SoftDevice(DeviceOptions options) {
        this.options = options;
        ringDirectory = openRings(options);
        lastPort = options.port();
        var random = new SecureRandom();
        long drawn = random.nextLong();
        id = drawn == 0 ? 1 : drawn;
        keys = new KeyTable(random.nextLong());
        // Twenty-four bits, as on hardware; begun anywhere, so that numbers of one device mean nothing on another.
        lastNumber.set(random.nextInt(1 << 20));
        String name = "soft-" + Long.toHexString(id >>> 32);
        timer = new NicTimer("leasehold-nic-timer-" + name);
        attributes = new DeviceAttributes(SoftProvider.NAME, name,
                options.maxWindows() == 0 ? Set.of() : Set.of(MemoryWindowType.values()), options.maxWindows() > 0,
                options.maxQueuePairs(), MAX_COMPLETION_QUEUES, MAX_COMPLETION_ENTRIES, MAX_REGIONS, options.maxWindows(),
                MAX_WORK_REQUESTS, MAX_READ_ATOMIC, MAX_INLINE_BYTES, MAX_MESSAGE_BYTES, MAX_PRIVATE_DATA_BYTES,
                Long.MAX_VALUE);
    }

    /// Opens a device and makes it known to the others of this JVM.
    static SoftDevice open(DeviceOptions options) {
        var device = new SoftDevice(options);
        LocalFabric.add(device);
        return device;
    }

    /// The directory of the shared-memory link, or `null` if that link is not wanted or not to be had.
    private static @Nullable RingDirectory openRings(DeviceOptions options) {
        if (!options.links().contains(Link.SHARED_MEMORY)) {
            return null;
        }
        try {
            return RingDirectory.open(options.sharedMemoryDirectory());
        } catch (IOException e) {
            if (options.links().equals(Set.of(Link.SHARED_MEMORY))) {
                throw new RdmaException(RdmaError.INVALID_ARGUMENT, "the shared-memory link is not possible here: " + e
                        + "; name another directory, or allow another link", e);
            }
            LOG.log(System.Logger.Level.INFO, "the shared-memory link is not used: {0}", e.toString());
            return null;
        }
    }

    /// The directory of the shared-memory link, or `null` if this device does not use it.
    @Nullable RingDirectory ringDirectory() {
        return ringDirectory;
    }

    /// The links to other processes that this device can use, as in [Hello].
    int dialledLinks() {
        return (options.links().contains(Link.TCP) ? Hello.TCP : 0) | (ringDirectory == null ? 0 : Hello.SHARED_MEMORY);
    }

    long id() {
        return id;
    }

    KeyTable keys() {
        return keys;
    }

    DeviceThreads threads() {
        return threads;
    }

    Hostility hostility() {
        return options.hostility();
    }

    NicTimer timer() {
        return timer;
    }

    @Override
    public DeviceAttributes attributes() {
        return attributes;
    }

    @Override
    public ResourceCounts resources() {
        return new ResourceCounts(domains.size(), regionCount.get(), windowCount.get(), boundWindows.get(), queuePairCount.get(),
                completionQueues.size(), timer.threads() + threads.count());
    }

    // ---- making and removing objects

    @Override
    public ProtectionDomain allocateProtectionDomain() {
        return making(() -> {
            var domain = new SoftProtectionDomain(this);
            domains.add(domain);
            return domain;
        });
    }

    private <T> T making(Supplier<T> object) {
        making.lock();
        try {
            demandOpen();
            return object.get();
        } finally {
            making.unlock();
        }
    }

    void remove(SoftProtectionDomain domain) {
        removing(() -> domains.remove(domain));
    }

    private void removing(Runnable removal) {
        making.lock();
        try {
            removal.run();
            removed.signalAll();
        } finally {
            making.unlock();
        }
    }

    @Override
    public CompletionQueue createCompletionQueue(int capacity) {
        demandRange("capacity", capacity, 1, MAX_COMPLETION_ENTRIES);
        return making(() -> {
            if (completionQueues.size() >= MAX_COMPLETION_QUEUES) {
                throw exhausted("completion queues", MAX_COMPLETION_QUEUES);
            }
            var queue = new SoftCompletionQueue(this, capacity, options.hostility().reorderChance() > 0);
            completionQueues.add(queue);
            return queue;
        });
    }

    void remove(SoftCompletionQueue queue) {
        removing(() -> completionQueues.remove(queue));
    }

    SoftMemoryRegion addRegion(SoftProtectionDomain domain, MemorySegment memory, int access) {
        return making(() -> {
            reserve(regionCount, MAX_REGIONS, "memory regions");
            var region = new SoftMemoryRegion(domain, memory, access, keys.allocate());
            regions.add(region);
            return region;
        });
    }

    void remove(SoftMemoryRegion region, KeyEntry entry) {
        removing(() -> {
            keys.release(entry);
            regions.remove(region);
            regionCount.decrementAndGet();
        });
    }

    SoftMemoryWindow addWindow(SoftProtectionDomain domain, MemoryWindowType type) {
        if (!attributes.windowTypes().contains(type)) {
            throw new RdmaException(RdmaError.UNSUPPORTED, "device " + attributes.name() + " has no memory windows of " + type
                    + "; it has " + attributes.windowTypes());
        }
        return making(() -> {
            reserve(windowCount, options.maxWindows(), "memory windows");
            KeyEntry entry = keys.allocate();
            var window = new SoftMemoryWindow(domain, type, entry);
            windows.add(window);
            windowsByIndex.put(entry.index(), window);
            return window;
        });
    }

    void remove(SoftMemoryWindow window, KeyEntry entry) {
        removing(() -> {
            windowsByIndex.remove(entry.index());
            keys.release(entry);
            windows.remove(window);
            windowCount.decrementAndGet();
        });
    }

    void windowBound() {
        boundWindows.incrementAndGet();
    }

    void windowUnbound() {
        boundWindows.decrementAndGet();
    }

    SoftQueuePair addQueuePair(SoftProtectionDomain domain, QueuePairOptions wanted) {
        demandRange("maxSendRequests", wanted.maxSendRequests(), 1, MAX_WORK_REQUESTS);
        demandRange("maxReceiveRequests", wanted.maxReceiveRequests(), 0, MAX_WORK_REQUESTS);
        demandRange("maxInlineBytes", wanted.maxInlineBytes(), 0, MAX_INLINE_BYTES);
        demandRange("maxReadAtomic", wanted.maxReadAtomic(), 1, MAX_READ_ATOMIC);
        SoftCompletionQueue sends = ownCompletionQueue(wanted.sendQueue());
        SoftCompletionQueue receives = ownCompletionQueue(wanted.receiveQueue());
        return making(() -> addQueuePair(domain, wanted, sends, receives));
    }

    private SoftQueuePair addQueuePair(SoftProtectionDomain domain, QueuePairOptions wanted, SoftCompletionQueue sends,
            SoftCompletionQueue receives) {
        reserve(queuePairCount, options.maxQueuePairs(), "queue pairs");
        int number = nextNumber();
        var queues = new WorkQueues(this, domain, number, wanted, sends, receives, madeQueuePairs.incrementAndGet());
        if (!sends.use(queues) || !receives.use(queues)) {
            sends.unuse(queues);
            queuePairCount.decrementAndGet();
            throw new RdmaException(RdmaError.CLOSED, "the completion queue is closed");
        }
        var queuePair = new SoftQueuePair(this, queues);
        queuePairs.put(number, queuePair);
        return queuePair;
    }

    private int nextNumber() {
        int number;
        do {
            number = lastNumber.updateAndGet(last -> last + 1 & 0xff_ffff);
        } while (number == 0 || queuePairs.containsKey(number));
        return number;
    }

    void remove(SoftQueuePair queuePair) {
        removing(() -> {
            if (queuePairs.remove(queuePair.number(), queuePair)) {
                queuePairCount.decrementAndGet();
            }
        });
        closePortIfIdle();
    }

    @Nullable SoftQueuePair queuePair(int number) {
        return queuePairs.get(number);
    }

    /// Invalidates the type 2 window with `key`, if it answers on `queuePair`.
    boolean invalidate(WorkQueues queuePair, int key) {
        SoftMemoryWindow window = windowsByIndex.get(key >>> 8);
        return window != null && window.invalidate(queuePair, key);
    }

    private SoftCompletionQueue ownCompletionQueue(CompletionQueue queue) {
        if (queue instanceof SoftCompletionQueue own && own.device() == this) {
            return own;
        }
        throw new RdmaException(RdmaError.INVALID_ARGUMENT,
                "the completion queue belongs to another device than " + attributes.name());
    }

    /// `queuePair`, if it is of this device.
    SoftQueuePair ownQueuePair(QueuePair queuePair) {
        if (queuePair instanceof SoftQueuePair own && own.device() == this) {
            return own;
        }
        throw new RdmaException(RdmaError.INVALID_ARGUMENT,
                "queue pair " + queuePair.number() + " belongs to another device than " + attributes.name());
    }

    private static void reserve(AtomicInteger count, int limit, String what) {
        if (count.incrementAndGet() > limit) {
            count.decrementAndGet();
            throw exhausted(what, limit);
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

    private void demandOpen() {
        if (closed) {
            throw new RdmaException(RdmaError.CLOSED, "device " + attributes.name() + " is closed");
        }
    }

    // ---- connections

    /// Where this device can be reached. Begins to listen if the device has a link to other processes; that by shared memory is
    /// agreed on over TCP.
    EndpointAddress endpoint() {
        int reachedAt = dialledLinks() != 0 ? openPort() : options.port();
        return new EndpointAddress(SoftProvider.NAME, options.host(), reachedAt, id);
    }

    /// Who this device is, with port 0 unless it listens already.
    EndpointAddress identity() {
        portLock.lock();
        try {
            TcpPort open = port;
            return new EndpointAddress(SoftProvider.NAME, options.host(), open == null ? 0 : open.port(), id);
        } finally {
            portLock.unlock();
        }
    }

    /// The port of the device, which it opens when somebody first wants to know it, and keeps when it opens it again.
    private int openPort() {
        portLock.lock();
        try {
            TcpPort open = port;
            if (open == null) {
                demandOpen();
                open = TcpPort.open(this, options.host(), lastPort);
                port = open;
                lastPort = open.port();
            }
            return open.port();
        } finally {
            portLock.unlock();
        }
    }

    /// Closes the port when nobody can be reached through it.
    private void closePortIfIdle() {
        TcpPort closing;
        portLock.lock();
        try {
            if (listener.get() != null || !queuePairs.isEmpty()) {
                return;
            }
            closing = port;
            if (closing == null) {
                return;
            }
            port = null;
            // Here, so that who opens the port again finds it free.
            closing.stop();
        } finally {
            portLock.unlock();
        }
        closing.join();
    }

    @Nullable SoftListener listener() {
        return listener.get();
    }

    @Override
    public Listener listen(ConnectionHandler handler) {
        demandOpen();
        // Held until there is a listener, for whose sake the port stays open.
        portLock.lock();
        try {
            var added = new SoftListener(this, handler, endpoint());
            return making(() -> {
                if (!listener.compareAndSet(null, added)) {
                    throw new RdmaException(RdmaError.BUSY,
                            "device " + attributes.name() + " is listening already; close that listener first");
                }
                return added;
            });
        } finally {
            portLock.unlock();
        }
    }

    void remove(SoftListener closing) {
        if (listener.compareAndSet(closing, null)) {
            closePortIfIdle();
        }
    }

    /// Connects a queue pair to the listener at `remote` over the nearest link that reaches it.
    byte[] connect(SoftQueuePair queuePair, EndpointAddress remote, byte[] privateData, Duration timeout) {
        demandOpen();
        checkPrivateData(privateData);
        if (!remote.provider().equals(SoftProvider.NAME)) {
            throw new RdmaException(RdmaError.INVALID_ARGUMENT,
                    "connecting to " + remote + ": that address is of provider '" + remote.provider() + "', this device 'soft'");
        }
        SoftDevice near = nearby(remote);
        if (near != null) {
            return connectLocally(queuePair, near, remote, privateData, timeout);
        }
        if (dialledLinks() != 0 && remote.port() != 0) {
            return dial(queuePair, remote, privateData, timeout);
        }
        throw new RdmaException(RdmaError.UNREACHABLE,
                "connecting to " + remote + ": no link of " + options.links() + " reaches it");
    }

    private static byte[] dial(SoftQueuePair queuePair, EndpointAddress remote, byte[] privateData, Duration timeout) {
        var dialler = new TcpDialler(queuePair, remote);
        queuePair.startConnecting(dialler);
        try {
            return dialler.request(privateData, timeout);
        } catch (RdmaException e) {
            queuePair.failConnecting(dialler);
            throw e;
        }
    }

    private byte[] connectLocally(SoftQueuePair queuePair, SoftDevice near, EndpointAddress remote, byte[] privateData,
            Duration timeout) {
        var request = new LocalRequest(queuePair, near, privateData);
        queuePair.startConnecting(request);
        try {
            SoftListener target = near.listener.get();
            if (target == null) {
                throw new RdmaException(RdmaError.UNREACHABLE, "connecting to " + remote + ": the device does not listen");
            }
            target.dispatch(request);
            return request.await(remote.toString(), timeout);
        } catch (RdmaException e) {
            queuePair.failConnecting(request);
            throw e;
        }
    }

    /// The device with that address, if it is in this JVM and both may use the local link. A device always reaches itself that
    /// way, as a NIC loops back inside.
    private @Nullable SoftDevice nearby(EndpointAddress remote) {
        if (remote.device() == id) {
            return this;
        }
        SoftDevice near = options.links().contains(Link.LOCAL) ? LocalFabric.find(remote.device()) : null;
        return near != null && near.options.links().contains(Link.LOCAL) ? near : null;
    }

    /// Links a queue pair that went to RTR the raw way, now or as soon as the peer does the same.
    void attach(SoftQueuePair queuePair, QueuePairAddress remote) {
        EndpointAddress endpoint = remote.endpoint();
        if (nearby(endpoint) != null) {
            LocalFabric.pair(queuePair, remote);
        } else if (dialledLinks() != 0 && endpoint.port() != 0) {
            int order = Long.compareUnsigned(id, endpoint.device());
            if (order < 0) {
                threads.startVirtual("leasehold-nic-attach", () -> new TcpDialler(queuePair, endpoint).attach(remote));
            }
        } else {
            queuePair.linkProblem("no link of " + options.links() + " reaches it");
        }
    }

    static void checkPrivateData(byte[] privateData) {
        if (privateData.length > MAX_PRIVATE_DATA_BYTES) {
            throw new RdmaException(RdmaError.INVALID_ARGUMENT,
                    "private data of " + privateData.length + " bytes; at most " + MAX_PRIVATE_DATA_BYTES + " are possible");
        }
    }

    // ---- events

    @Override
    public void onAsyncEvent(Consumer<AsyncEvent> observer) {
        events.observe(observer);
    }

    void raise(AsyncEvent event) {
        LOG.log(System.Logger.Level.DEBUG, "{0}: {1}", attributes.name(), event);
        events.raise(event);
    }

    /// A completion queue overflowed; its queue pairs are marked, and are flushed here without the locks of whoever noticed.
    void completionQueueBroke(List<WorkQueues> broken, String detail) {
        raise(new AsyncEvent(AsyncEvent.Type.CQ_ERR, 0, detail));
        threads.startVirtual("leasehold-nic-flush", () -> {
            for (WorkQueues queuePair : broken) {
                queuePair.finishError(detail);
            }
        });
    }

    /// A request came in that waits for an answer.
    void addRequest(TcpRequest request) {
        requests.add(request);
        if (closed) {
            request.refuse(RdmaError.UNREACHABLE, CLOSED);
        }
    }

    /// It does not any more.
    void removeRequest(TcpRequest request) {
        requests.remove(request);
    }

    /// A handler of the user threw: the fabric goes on.
    void handlerThrew(String what, Throwable thrown) {
        LOG.log(System.Logger.Level.ERROR, attributes.name() + ": " + what + " threw", thrown);
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
        LocalFabric.remove(this);
        listener.set(null);
        requests.forEach(request -> request.refuse(RdmaError.UNREACHABLE, CLOSED));
        // All connections end at the same time; each may take as long as its peer lets it.
        List<SoftQueuePair> closing = queuePairs.values().stream().filter(SoftQueuePair::beginClose).toList();
        closing.forEach(SoftQueuePair::finishClose);
        windows.forEach(SoftMemoryWindow::close);
        regions.forEach(SoftMemoryRegion::close);
        completionQueues.forEach(SoftCompletionQueue::abandon);
        domains.forEach(SoftProtectionDomain::abandon);
        timer.close();
        long deadline = NicClock.deadline(CLOSING_PATIENCE);
        try {
            closePortIfIdle();
            if (!awaitRemovals(deadline) | !timer.join(deadline - NicClock.nanos()) | !threads.stop(deadline)) {
                LOG.log(System.Logger.Level.WARNING, "{0}: not all ended in time: {1}", attributes.name(), resources());
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /// Waits for objects that other threads began to close before the device did.
    private boolean awaitRemovals(long deadline) throws InterruptedException {
        making.lock();
        try {
            long left = deadline - NicClock.nanos();
            while (left > 0 && queuePairCount.get() + windowCount.get() + regionCount.get() > 0) {
                left = removed.awaitNanos(left);
            }
            return left > 0;
        } finally {
            making.unlock();
        }
    }
}
