package io.leasehold.rdma.internal.verbs;

import java.lang.foreign.Arena;
import java.lang.foreign.Linker;
import java.lang.foreign.SymbolLookup;
import java.net.InetSocketAddress;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/// A connection manager without a network: the structures of librdmacm, filled in as it would, and events that a test says.
public final class FakeCm implements CmLibrary {
    private static final SymbolLookup C = Linker.nativeLinker().defaultLookup();
    private static final CFunction PIPE = CFunction.find(C, "pipe", CFunction.descriptor("ip")).orElseThrow();
    private static final CFunction WRITE = CFunction.find(C, "write", CFunction.descriptor("pipp")).orElseThrow();
    private static final CFunction READ = CFunction.find(C, "read", CFunction.descriptor("pipp")).orElseThrow();
    private static final int ID_BYTES = 416;
    private static final int PEER_NUMBER = 4711;

    private final Arena arena = Arena.ofShared();
    private final FakeVerbs verbs;
    private final Deque<Long> events = new ArrayDeque<>();
    private final Set<Long> ids = new HashSet<>();
    private final Set<Long> unacknowledged = new HashSet<>();
    private final List<String> calls = new ArrayList<>();
    private int writingEnd;
    private int readingEnd;
    private long last;
    private boolean open;
    private String failing = "";
    private int failingWith;
    private int retries = -1;
    private int receiverRetries = -1;

    /// Its ids belong to the device of `verbs` once they are resolved.
    public FakeCm(FakeVerbs verbs) {
        this.verbs = verbs;
    }

    /// Opens a channel.
    public CmChannel open() {
        return CmChannel.open(this);
    }

    /// What the next call of that name fails with.
    public synchronized void fail(String name, int errno) {
        failing = name;
        failingWith = errno;
    }

    /// What was called since this was asked last.
    public synchronized List<String> calls() {
        List<String> taken = List.copyOf(calls);
        calls.clear();
        return taken;
    }

    /// `retry_count` and `rnr_retry_count` of the last connection.
    public synchronized List<Integer> retries() {
        return List.of(retries, receiverRetries);
    }

    /// What has not been freed, and events that were not acknowledged.
    public synchronized int left() {
        return ids.size() + unacknowledged.size() + (open ? 1 : 0);
    }

    /// The id that was made last.
    public synchronized long lastId() {
        return last;
    }


    /// Has an event happen.
    ///
    /// @param listener 0 unless it is a connection request, whose id is made here
    public synchronized long happen(CmEvent.Type type, long id, long listener, int status, byte[] privateData) {
        long about = type == CmEvent.Type.CONNECT_REQUEST ? newId(true) : id;
        long event = struct(Abi.ConnectionEvent.BYTES);
        RawMemory.putLong(event + Abi.ConnectionEvent.ID, about);
        RawMemory.putLong(event + Abi.ConnectionEvent.LISTENING_ID, listener);
        RawMemory.putInt(event + Abi.ConnectionEvent.TYPE, type.ordinal());
        RawMemory.putInt(event + Abi.ConnectionEvent.STATUS, status);
        long parameters = event + Abi.ConnectionEvent.PARAMETERS;
        if (privateData.length > 0) {
            long data = struct(privateData.length);
            RawMemory.putBytes(data, privateData);
            RawMemory.putLong(parameters + Abi.ConnectionParameters.PRIVATE_DATA, data);
            RawMemory.putByte(parameters + Abi.ConnectionParameters.PRIVATE_DATA_LENGTH, privateData.length);
        }
        events.add(event);
        WRITE.number(writingEnd, event, 1L);
        return about;
    }

    private long struct(long bytes) {
        return arena.allocate(bytes, 16).address();
    }

    private long newId(boolean belongsToDevice) {
        long id = struct(ID_BYTES);
        ids.add(id);
        if (belongsToDevice) {
            resolve(id, new InetSocketAddress("10.0.0.9", 99));
        }
        last = id;
        return id;
    }

    private void resolve(long id, InetSocketAddress peer) {
        try (Scratch scratch = new Scratch()) {
            long address = SocketAddresses.write(scratch, peer);
            RawMemory.putBytes(id + Abi.ConnectionId.PEER_ADDRESS, RawMemory.getBytes(address, Abi.SocketAddress.BYTES));
        }
        RawMemory.putLong(id + Abi.ConnectionId.CONTEXT, verbs.context);
    }

    private void call(String name) {
        calls.add(name);
        if (failing.equals(name)) {
            failing = "";
            throw new NativeFailure(name, failingWith);
        }
    }

    private void call(String name, long id) {
        if (!ids.contains(id)) {
            throw new AssertionError(name + " of an id that does not exist");
        }
        call(name);
    }

    @Override
    public synchronized long createEventChannel() {
        call("rdma_create_event_channel");
        long ends = struct(8);
        PIPE.status(ends);
        readingEnd = RawMemory.getInt(ends);
        writingEnd = RawMemory.getInt(ends + Integer.BYTES);
        open = true;
        long channel = struct(Integer.BYTES);
        RawMemory.putInt(channel, readingEnd);
        return channel;
    }

    @Override
    public synchronized void destroyEventChannel(long channel) {
        open = false;
    }

    @Override
    public synchronized long createId(long channel) {
        call("rdma_create_id");
        return newId(false);
    }

    @Override
    public synchronized void destroyId(long id) {
        call("rdma_destroy_id", id);
        ids.remove(id);
    }

    @Override
    public synchronized void bindAddr(long id, long address) {
        call("rdma_bind_addr", id);
    }

    @Override
    public synchronized void listen(long id, int backlog) {
        call("rdma_listen", id);
    }

    @Override
    public synchronized void resolveAddr(long id, long source, long destination, int timeoutMillis) {
        call("rdma_resolve_addr", id);
        resolve(id, SocketAddresses.read(destination));
    }

    @Override
    public synchronized void resolveRoute(long id, int timeoutMillis) {
        call("rdma_resolve_route", id);
    }

    @Override
    public synchronized void connect(long id, long parameters) {
        call("rdma_connect", id);
        retries = RawMemory.getByte(parameters + Abi.ConnectionParameters.RETRIES);
        receiverRetries = RawMemory.getByte(parameters + Abi.ConnectionParameters.RECEIVER_NOT_READY_RETRIES);
    }

    @Override
    public synchronized void accept(long id, long parameters) {
        call("rdma_accept", id);
        receiverRetries = RawMemory.getByte(parameters + Abi.ConnectionParameters.RECEIVER_NOT_READY_RETRIES);
    }

    @Override
    public synchronized void reject(long id, long privateData, int length) {
        call("rdma_reject", id);
    }

    @Override
    public synchronized void establish(long id) {
        call("rdma_establish", id);
    }

    @Override
    public synchronized void disconnect(long id) {
        call("rdma_disconnect", id);
    }

    @Override
    public synchronized void initQpAttr(long id, long attributes, long mask) {
        call("rdma_init_qp_attr", id);
        RawMemory.putInt(attributes + Abi.PairAttributes.PEER_NUMBER, PEER_NUMBER);
        RawMemory.putInt(mask, 1);
    }

    @Override
    public synchronized long getCmEvent(long channel) {
        Long event = events.poll();
        if (event == null) {
            throw new NativeFailure("rdma_get_cm_event", NativeFailure.EAGAIN);
        }
        READ.number(readingEnd, struct(1), 1L);
        unacknowledged.add(event);
        return event;
    }

    @Override
    public synchronized void ackCmEvent(long event) {
        if (!unacknowledged.remove(event)) {
            throw new AssertionError("an event is acknowledged that was not taken");
        }
    }

    @Override
    public String deviceName(long context) {
        return "fake0";
    }
}
