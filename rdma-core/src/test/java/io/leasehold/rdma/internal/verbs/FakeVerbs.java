package io.leasehold.rdma.internal.verbs;

import io.leasehold.rdma.DeviceOptions;
import io.leasehold.rdma.QueuePairOptions;
import io.leasehold.rdma.QueuePairState;
import io.leasehold.rdma.WorkCompletionStatus;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;

/// A device without a device: the structures of libibverbs, filled in as a library would, and a context whose function pointers
/// lead back into Java. It completes what is posted at once and well, unless told otherwise.
public final class FakeVerbs implements VerbsLibrary {
    private static final Linker LINKER = Linker.nativeLinker();
    private static final ValueLayout.OfLong P = ValueLayout.JAVA_LONG;
    private static final ValueLayout.OfInt I = ValueLayout.JAVA_INT;

    private static final int RESET = QueuePairState.RESET.ordinal();
    private static final int ERR = QueuePairState.ERR.ordinal();
    private static final int FLUSHED = WorkCompletionStatus.WR_FLUSH_ERR.ordinal();
    private static final int RECEIVE = 128;

    /// A request as the library got it.
    ///
    /// @param bytes the `ibv_send_wr`
    /// @param windowKey for a bind, the key that the window's structure held then
    /// @param payload the bytes of its scatter element
    public record Posted(byte[] bytes, int windowKey, byte[] payload) {
        /// The int at an offset.
        public int number(int offset) {
            return MemorySegment.ofArray(bytes).get(ValueLayout.JAVA_INT_UNALIGNED, offset);
        }

        /// The long at an offset.
        public long word(int offset) {
            return MemorySegment.ofArray(bytes).get(ValueLayout.JAVA_LONG_UNALIGNED, offset);
        }

        int opcode() {
            return number(Abi.SendRequest.OPCODE);
        }

        long tag() {
            return word(Abi.SendRequest.ID);
        }
    }

    private record Completed(long tag, int status, int opcode, int queuePairNumber, int bytes, int immediate) {
    }

    private final Arena arena = Arena.ofShared();
    private final Map<Long, Deque<Completed>> completions = new HashMap<>();
    private final Map<Long, Integer> states = new HashMap<>();
    private final List<Posted> posted = new ArrayList<>();
    private final List<PostedReceive> receives = new ArrayList<>();
    final long context = struct(Abi.Context.BYTES);
    private final long device = struct(64);
    private int lastNumber = 100;
    private int lastKey = 7;
    /// Whether what is posted completes by itself.
    boolean completes = true;
    /// The request of the next chain that is refused, from 0, and with what.
    int refusedAt = -1;
    int refusedWith;
    /// Whether what is posted and has not completed is flushed when the queue pair goes to ERR, and what is posted then.
    boolean flushes;
    private final Map<Long, Deque<Long>> outstanding = new HashMap<>();
    /// What the functions of the data path answer, unless it is 0.
    int pollAnswer;
    int notificationAnswer;
    /// Attributes of the last `ibv_modify_qp`.
    byte[] modified = {};
    /// What the first of two devices has of atomics, if there are two.
    int firstAtomics = -1;
    int ports = 1;
    private long openedDevice;
    /// What was freed last of all.
    final List<String> freed = new CopyOnWriteArrayList<>();
    private final Queue<Long> events = new ArrayDeque<>();
    private int channelEnd;
    /// The queues that would raise an event.
    final Set<Long> armed = new HashSet<>();
    final List<Long> freedWindows = new ArrayList<>();
    final List<Long> destroyedPairs = new ArrayList<>();
    /// Runs while a queue pair is being modified, before it is.
    volatile Runnable duringModify = () -> { };
    /// What the next control call of that name fails with.
    String failing = "";
    int failingWith;
    /// Whether it is taken for Soft-RoCE.
    boolean rxe;
    /// Whether READs and atomics bring zeros, and not nothing.
    boolean answers;
    /// Whether the structure of a completion queue is laid out in another way.
    boolean strange;
    /// Nothing is remembered but the last tag: for measuring.
    boolean lean;
    private long leanTag;
    private boolean leanReady;
    int calls;

    /// A device of its own.
    public FakeVerbs() {
        stub(Abi.Context.POST_SEND, "postSend", I, P, P, P);
        stub(Abi.Context.POST_RECV, "postReceive", I, P, P, P);
        stub(Abi.Context.POLL_CQ, "poll", I, P, I, P);
        stub(Abi.Context.REQ_NOTIFY_CQ, "requestNotification", I, P, I);
        stub(Abi.Context.ALLOC_MW, "allocateWindow", P, P, I);
        stub(Abi.Context.DEALLOC_MW, "freeWindow", I, P);
        stub(Abi.Context.BIND_MW, "bindWindow", I, P, P, P);
        RawMemory.putLong(context + Abi.Context.DEVICE, device);
        RawMemory.putInt(context + Abi.Context.COMPLETION_VECTORS, 1);
        RawMemory.putLong(context + Abi.Context.ABI_COMPAT, -1);
        RawMemory.putInt(context + Abi.Context.ASYNC_FD, silentFd());
    }

    // Upcalls are the purpose.
    @SuppressWarnings("restricted")
    private void stub(int offset, String name, ValueLayout result, ValueLayout... arguments) {
        try {
            var descriptor = FunctionDescriptor.of(result, arguments);
            MethodType type = descriptor.toMethodType();
            var handle = MethodHandles.lookup().bind(this, name, type);
            RawMemory.putLong(context + offset, LINKER.upcallStub(handle, descriptor, arena).address());
        } catch (ReflectiveOperationException e) {
            throw new AssertionError(name, e);
        }
    }

    /// The reading end of a pipe into which nobody writes.
    private int silentFd() {
        return RawMemory.getInt(pipe());
    }

    private long pipe() {
        long ends = struct(8);
        CFunction.find(LINKER.defaultLookup(), "pipe", CFunction.descriptor("ip")).orElseThrow().status(ends);
        return ends;
    }

    /// Raises the event of a completion queue.
    synchronized void raise(long queue) {
        events.add(queue);
        CFunction.find(LINKER.defaultLookup(), "write", CFunction.descriptor("pipp")).orElseThrow()
                .number(channelEnd, context, 1L);
    }

    private long struct(long bytes) {
        return arena.allocate(bytes, 64).address();
    }

    private void call(String name) {
        calls++;
        if (failing.equals(name)) {
            failing = "";
            throw new NativeFailure(name, failingWith);
        }
    }

    /// Opens it.
    public VerbsDevice open() {
        return VerbsDevice.open(this, DeviceOptions.verbs());
    }

    /// A queue pair that is connected, to one that nobody sees.
    public VerbsQueuePair connectedPair(VerbsProtectionDomain domain, QueuePairOptions options, int scatters) {
        VerbsQueuePair pair = domain.createQueuePair(options, scatters, scatters);
        VerbsQueuePair.joinWithin(pair, domain.createQueuePair(options, 1, 1));
        posted();
        completes = false;
        return pair;
    }

    /// Ends a request of a queue pair as a device would.
    public void complete(VerbsQueuePair pair, Posted request, int status) {
        complete(pair.pointer(), request.tag(), status);
    }

    /// Ends a receive of a queue pair as a device would.
    public synchronized void completeReceive(VerbsQueuePair pair, PostedReceive receive, int bytes, int immediate) {
        completions.get(RawMemory.getLong(pair.pointer() + Abi.Handle.PAIR_RECEIVE_QUEUE))
                .add(new Completed(receive.tag(), 0, RECEIVE, pair.number(), bytes, immediate));
    }

    /// Has it remember nothing but the last tag: for measuring.
    public void lean(boolean on) {
        lean = on;
        leanReady = false;
    }

    /// Refuses a request, or receive, of the next chain, with an error number.
    public void refuse(int index, int with) {
        refusedAt = index;
        refusedWith = with;
    }

    /// A receive as the library got it.
    ///
    /// @param tag its `wr_id`
    /// @param ranges address, length and key of each element, as they lie in memory
    public record PostedReceive(long tag, List<byte[]> ranges) {
    }

    /// What receives were posted since this was asked last.
    public synchronized List<PostedReceive> postedReceives() {
        List<PostedReceive> taken = List.copyOf(receives);
        receives.clear();
        return taken;
    }

    /// What was posted since this was asked last.
    public synchronized List<Posted> posted() {
        List<Posted> taken = List.copyOf(posted);
        posted.clear();
        return taken;
    }

    /// Adds a completion to the queue of a queue pair.
    synchronized void complete(long queuePair, long tag, int status) {
        Deque<Long> taken = outstanding.get(queuePair);
        if (taken.contains(tag)) {
            // All before it were carried out as well.
            while (taken.remove() != tag) {
                continue;
            }
        }
        if (status != 0) {
            states.put(queuePair, ERR);
        }
        long queue = RawMemory.getLong(queuePair + Abi.Handle.PAIR_SEND_QUEUE);
        // The opcode of a completion is undefined when it failed, and so it is here.
        completions.get(queue).add(new Completed(tag, status, status == 0 ? 0 : 0x5a5a,
                RawMemory.getInt(queuePair + Abi.Handle.PAIR_NUMBER), 0, 0));
    }

    /// Whether the device has that queue pair in ERR.
    synchronized boolean isInError(long queuePair) {
        return states.get(queuePair) == ERR;
    }

    private void flush(long queuePair) {
        for (long tag : List.copyOf(outstanding.get(queuePair))) {
            complete(queuePair, tag, FLUSHED);
        }
    }

    // ---- the data path, called by function pointer

    synchronized int postSend(long queuePair, long first, long bad) {
        if (lean) {
            leanTag = RawMemory.getLong(first);
            leanReady = true;
            return 0;
        }
        int i = 0;
        for (long request = first; request != 0; request = RawMemory.getLong(request + Abi.SendRequest.NEXT), i++) {
            if (i == refusedAt) {
                refusedAt = -1;
                RawMemory.putLong(bad, request);
                return refusedWith;
            }
            long list = RawMemory.getLong(request + Abi.SendRequest.SCATTER_LIST);
            long window = RawMemory.getLong(request + Abi.SendRequest.BIND_WINDOW);
            byte[] payload = list == 0 ? new byte[0] : RawMemory.getBytes(RawMemory.getLong(list),
                    RawMemory.getInt(list + Abi.Scatter.LENGTH));
            posted.add(new Posted(RawMemory.getBytes(request, Abi.SendRequest.BYTES),
                    window == 0 ? 0 : RawMemory.getInt(window + Abi.Handle.WINDOW_KEY), payload));
            outstanding.get(queuePair).add(RawMemory.getLong(request));
            if (answers && list != 0 && RawMemory.getInt(request + Abi.SendRequest.OPCODE) >= Abi.READ) {
                answer(RawMemory.getLong(list), RawMemory.getInt(list + Abi.Scatter.LENGTH));
            }
            boolean signalled = (RawMemory.getInt(request + Abi.SendRequest.FLAGS) & Abi.SIGNALED) != 0;
            if (states.get(queuePair) == ERR) {
                if (flushes) {
                    flush(queuePair);
                }
            } else if (completes && signalled) {
                complete(queuePair, RawMemory.getLong(request), 0);
            } else if (completes) {
                outstanding.get(queuePair).clear();
            }
        }
        return 0;
    }

    private static void answer(long address, int lengthBytes) {
        for (int i = 0; i < lengthBytes; i++) {
            RawMemory.putByte(address + i, (byte) 0);
        }
    }

    synchronized int postReceive(long queuePair, long first, long bad) {
        if (lean) {
            return 0;
        }
        int i = 0;
        for (long request = first; request != 0; request = RawMemory.getLong(request + Abi.ReceiveRequest.NEXT), i++) {
            if (i == refusedAt) {
                refusedAt = -1;
                RawMemory.putLong(bad, request);
                return refusedWith;
            }
            List<byte[]> ranges = new ArrayList<>();
            for (int j = 0; j < RawMemory.getInt(request + Abi.ReceiveRequest.SCATTER_COUNT); j++) {
                ranges.add(RawMemory.getBytes(RawMemory.getLong(request + Abi.ReceiveRequest.SCATTER_LIST)
                        + (long) j * Abi.Scatter.BYTES, Abi.Scatter.BYTES));
            }
            receives.add(new PostedReceive(RawMemory.getLong(request), ranges));
        }
        return 0;
    }

    synchronized int poll(long queue, int most, long into) {
        if (lean) {
            if (!leanReady) {
                return 0;
            }
            leanReady = false;
            RawMemory.putLong(into + Abi.Completion.ID, leanTag);
            RawMemory.putInt(into + Abi.Completion.STATUS, 0);
            return 1;
        }
        if (pollAnswer != 0) {
            return pollAnswer;
        }
        Deque<Completed> waiting = completions.get(queue);
        int count = 0;
        for (; count < most && !waiting.isEmpty(); count++) {
            Completed one = waiting.remove();
            long at = into + (long) count * Abi.Completion.BYTES;
            RawMemory.zero(at, Abi.Completion.BYTES / Long.BYTES);
            RawMemory.putLong(at + Abi.Completion.ID, one.tag());
            RawMemory.putInt(at + Abi.Completion.STATUS, one.status());
            RawMemory.putInt(at + Abi.Completion.OPCODE, one.opcode());
            RawMemory.putInt(at + Abi.Completion.VENDOR_ERROR, one.status() == 0 ? 0 : 77);
            RawMemory.putInt(at + Abi.Completion.QUEUE_PAIR_NUMBER, one.queuePairNumber());
            RawMemory.putInt(at + Abi.Completion.BYTE_LENGTH, one.bytes());
            RawMemory.putInt(at + Abi.Completion.IMMEDIATE, one.immediate());
            RawMemory.putInt(at + Abi.Completion.FLAGS, one.immediate() == 0 ? 0 : Abi.Completion.WITH_IMMEDIATE);
        }
        return count;
    }

    synchronized int requestNotification(long queue, int solicited) {
        if (notificationAnswer == 0) {
            armed.add(queue);
        }
        return notificationAnswer;
    }

    synchronized long allocateWindow(long domain, int type) {
        long window = struct(32);
        RawMemory.putLong(window, context);
        RawMemory.putLong(window + Abi.Handle.WINDOW_DOMAIN, domain);
        RawMemory.putInt(window + Abi.Handle.WINDOW_KEY, ++lastKey << 8 | 1);
        RawMemory.putInt(window + Abi.Handle.WINDOW_TYPE, type);
        return window;
    }

    synchronized int freeWindow(long window) {
        freedWindows.add(window);
        return 0;
    }

    synchronized int bindWindow(long queuePair, long window, long bind) {
        RawMemory.putInt(window + Abi.Handle.WINDOW_KEY, RawMemory.getInt(window + Abi.Handle.WINDOW_KEY) + 1);
        complete(queuePair, RawMemory.getLong(bind), 0);
        return 0;
    }

    // ---- the control path

    @Override
    public boolean allowsCritical() {
        return false;
    }

    @Override
    public List<ListedDevice> listDevices() {
        call("ibv_get_device_list");
        var last = new ListedDevice(firstAtomics < 0 ? "fake0" : "fake1", device);
        return firstAtomics < 0 ? List.of(last) : List.of(new ListedDevice("fake0", struct(64)), last);
    }

    @Override
    public void freeDevices() {
        calls++;
    }

    @Override
    public long openDevice(long opened) {
        call("ibv_open_device");
        openedDevice = opened;
        RawMemory.putLong(context + Abi.Context.DEVICE, opened);
        return context;
    }

    @Override
    public void closeDevice(long closed) {
        calls++;
        freed.add("context");
    }

    @Override
    public void queryDevice(long asked, long attributes) {
        call("ibv_query_device");
        RawMemory.putInt(attributes + Abi.DeviceInfo.ATOMICS, openedDevice == device ? 1 : firstAtomics);
        RawMemory.putInt(attributes + Abi.DeviceInfo.VENDOR, rxe ? Abi.DeviceInfo.VENDOR_RXE : 1);
        RawMemory.putInt(attributes + Abi.DeviceInfo.MAX_PAIRS, 64);
        RawMemory.putInt(attributes + Abi.DeviceInfo.MAX_REQUESTS, 1024);
        RawMemory.putInt(attributes + Abi.DeviceInfo.CAPABILITIES, Abi.DeviceInfo.HAS_TYPE_1 | Abi.DeviceInfo.HAS_TYPE_2B);
        RawMemory.putInt(attributes + Abi.DeviceInfo.MAX_SCATTERS, 4);
        RawMemory.putInt(attributes + Abi.DeviceInfo.MAX_QUEUES, 64);
        RawMemory.putInt(attributes + Abi.DeviceInfo.MAX_QUEUE_ENTRIES, 1024);
        RawMemory.putInt(attributes + Abi.DeviceInfo.MAX_REGIONS, 64);
        RawMemory.putInt(attributes + Abi.DeviceInfo.MAX_READ_ATOMIC, 16);
        RawMemory.putInt(attributes + Abi.DeviceInfo.MAX_WINDOWS, 64);
        RawMemory.putByte(attributes + Abi.DeviceInfo.PORTS, ports);
    }

    @Override
    public void queryPort(long asked, int port, long attributes) {
        call("ibv_query_port");
        RawMemory.putInt(attributes + Abi.PortInfo.STATE, Abi.PortInfo.ACTIVE);
        RawMemory.putInt(attributes + Abi.PortInfo.ACTIVE_MTU, 5);
        RawMemory.putInt(attributes + Abi.PortInfo.MAX_MESSAGE_BYTES, 1 << 30);
        RawMemory.putByte(attributes + Abi.PortInfo.LINK_LAYER, Abi.PortInfo.ETHERNET);
    }

    @Override
    public int queryGidTable(long asked, long entries, int most) {
        call("ibv_query_gid_table");
        RawMemory.putInt(entries + Abi.GidEntry.PORT, 1);
        RawMemory.putInt(entries + Abi.GidEntry.TYPE, 2);
        return 1;
    }

    @Override
    public long allocPd(long asked) {
        call("ibv_alloc_pd");
        long domain = struct(16);
        RawMemory.putLong(domain, context);
        return domain;
    }

    @Override
    public void deallocPd(long domain) {
        calls++;
    }

    @Override
    public long regMr(long domain, long address, long lengthBytes, int access) {
        call("ibv_reg_mr");
        long region = struct(48);
        RawMemory.putLong(region, context);
        RawMemory.putLong(region + Abi.Handle.REGION_DOMAIN, domain);
        RawMemory.putLong(region + Abi.Handle.REGION_ADDRESS, address);
        RawMemory.putLong(region + Abi.Handle.REGION_LENGTH, lengthBytes);
        RawMemory.putInt(region + Abi.Handle.REGION_LOCAL_KEY, ++lastKey << 8);
        RawMemory.putInt(region + Abi.Handle.REGION_REMOTE_KEY, lastKey << 8);
        return region;
    }

    @Override
    public void deregMr(long region) {
        call("ibv_dereg_mr");
    }

    @Override
    public long createCompChannel(long asked) {
        call("ibv_create_comp_channel");
        long channel = struct(16);
        RawMemory.putLong(channel, context);
        long ends = pipe();
        RawMemory.putInt(channel + Abi.Handle.CHANNEL_FD, RawMemory.getInt(ends));
        channelEnd = RawMemory.getInt(ends + Integer.BYTES);
        return channel;
    }

    @Override
    public void destroyCompChannel(long channel) {
        calls++;
        freed.add("channel");
    }

    @Override
    public synchronized long createCq(long asked, int entries, long cookie, long channel) {
        call("ibv_create_cq");
        long queue = struct(128);
        RawMemory.putLong(queue + (strange ? 8 : 0), context);
        RawMemory.putLong(queue + Abi.Handle.QUEUE_CHANNEL, channel);
        RawMemory.putLong(queue + Abi.Handle.QUEUE_CONTEXT, cookie);
        RawMemory.putInt(queue + Abi.Handle.QUEUE_ENTRIES, entries);
        completions.put(queue, new ArrayDeque<>());
        return queue;
    }

    @Override
    public void destroyCq(long queue) {
        calls++;
    }

    @Override
    public synchronized void getCqEvent(long channel, long out) {
        Long queue = events.poll();
        if (queue == null) {
            throw new NativeFailure("ibv_get_cq_event", NativeFailure.EAGAIN);
        }
        CFunction.find(LINKER.defaultLookup(), "read", CFunction.descriptor("pipp")).orElseThrow()
                .number(RawMemory.getInt(channel + Abi.Handle.CHANNEL_FD), struct(8), 1L);
        RawMemory.putLong(out, queue);
        RawMemory.putLong(out + Long.BYTES, RawMemory.getLong(queue + Abi.Handle.QUEUE_CONTEXT));
    }

    @Override
    public void ackCqEvents(long queue, int count) {
        calls++;
    }

    @Override
    public synchronized long createQp(long domain, long init) {
        call("ibv_create_qp");
        long pair = struct(160);
        RawMemory.putLong(pair, context);
        RawMemory.putLong(pair + Abi.Handle.PAIR_DOMAIN, domain);
        RawMemory.putLong(pair + Abi.Handle.PAIR_SEND_QUEUE, RawMemory.getLong(init + Abi.PairInit.SEND_QUEUE));
        RawMemory.putLong(pair + Abi.Handle.PAIR_RECEIVE_QUEUE, RawMemory.getLong(init + Abi.PairInit.RECEIVE_QUEUE));
        RawMemory.putInt(pair + Abi.Handle.PAIR_TYPE, RawMemory.getInt(init + Abi.PairInit.TYPE));
        RawMemory.putInt(pair + Abi.Handle.PAIR_NUMBER, ++lastNumber);
        states.put(pair, 0);
        outstanding.put(pair, new ArrayDeque<>());
        return pair;
    }

    @Override
    public void modifyQp(long queuePair, long attributes, int mask) {
        duringModify.run();
        call("ibv_modify_qp");
        modified = RawMemory.getBytes(attributes, Abi.PairAttributes.BYTES);
        modify(queuePair, RawMemory.getInt(attributes + Abi.PairAttributes.STATE));
    }

    private synchronized void modify(long queuePair, int state) {
        states.put(queuePair, state);
        if (state == RESET) {
            outstanding.get(queuePair).clear();
        } else if (state == ERR && flushes) {
            flush(queuePair);
        }
    }

    @Override
    public synchronized void queryQp(long queuePair, long attributes, int mask, long init) {
        call("ibv_query_qp");
        RawMemory.putInt(attributes + Abi.PairAttributes.STATE, states.get(queuePair));
    }

    @Override
    public void destroyQp(long queuePair) {
        call("ibv_destroy_qp");
        destroyedPairs.add(queuePair);
    }

    @Override
    public void getAsyncEvent(long asked, long event) {
        throw new NativeFailure("ibv_get_async_event", NativeFailure.EAGAIN);
    }

    @Override
    public void ackAsyncEvent(long event) {
        calls++;
    }
}
