package io.leasehold.lease;

import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static org.assertj.core.api.Assertions.assertThat;

import io.leasehold.lease.ConnectionHello.Role;
import io.leasehold.lease.ControlCodec.Frame;
import io.leasehold.lease.ControlMessage.Activate;
import io.leasehold.lease.ControlMessage.Beat;
import io.leasehold.lease.ControlMessage.Granted;
import io.leasehold.lease.ControlMessage.Hello;
import io.leasehold.lease.ControlMessage.Keys;
import io.leasehold.lease.ControlMessage.Reply;
import io.leasehold.lease.ControlMessage.Request;
import io.leasehold.lease.ControlMessage.Welcome;
import io.leasehold.rdma.AccessFlag;
import io.leasehold.rdma.CompletionQueue;
import io.leasehold.rdma.DeviceOptions;
import io.leasehold.rdma.EndpointAddress;
import io.leasehold.rdma.Link;
import io.leasehold.rdma.MemoryRegion;
import io.leasehold.rdma.PostStatus;
import io.leasehold.rdma.ProtectionDomain;
import io.leasehold.rdma.QueuePair;
import io.leasehold.rdma.QueuePairOptions;
import io.leasehold.rdma.RdmaDevice;
import io.leasehold.rdma.SendBatch;
import io.leasehold.rdma.WorkCompletion;
import io.leasehold.rdma.WorkCompletionOpcode;
import io.leasehold.rdma.WorkCompletionStatus;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.Map;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/// A client that keeps to nothing but what its test tells it: it sends requests and touches memory with whatever key and range,
/// and can be as hostile as a peer can be. For one thread.
final class RawClient implements AutoCloseable {
    private static final Duration PATIENCE = Duration.ofSeconds(10);
    private static final int RECEIVES_AT = 0;
    private static final int SEND_AT = ControlCodec.RECEIVES * ControlCodec.MESSAGE_BYTES;
    private static final int SCRATCH_AT = SEND_AT + ControlCodec.MESSAGE_BYTES;

    final UUID id;
    private final EndpointAddress node;
    private final RdmaDevice device;
    private final ProtectionDomain domain;
    private final Arena arena = Arena.ofShared();
    private final MemoryRegion memory;
    private final CompletionQueue controlCompletions;
    private final CompletionQueue dataCompletions;
    private final Map<Integer, QueuePair> data = new HashMap<>();
    private final Map<Long, Reply> replies = new HashMap<>();
    private final WorkCompletion completion = new WorkCompletion();
    private @Nullable QueuePair control;
    private @Nullable Welcome welcome;
    private long lastRequest;
    private int asking;
    int active;
    int wordKey;

    RawClient(EndpointAddress node, Link link, UUID id) {
        this.node = node;
        this.id = id;
        device = RdmaDevice.open(DeviceOptions.soft().withLinks(link));
        domain = device.allocateProtectionDomain();
        memory = domain.register(arena.allocate(SCRATCH_AT + 65_536, 4096), EnumSet.of(AccessFlag.LOCAL_WRITE));
        controlCompletions = device.createCompletionQueue(1024);
        dataCompletions = device.createCompletionQueue(1024);
    }

    /// A client with an active data queue pair.
    static RawClient start(EndpointAddress node, Link link, long number) {
        RawClient client = new RawClient(node, link, new UUID(0, number));
        client.connectControl();
        client.hello("principal " + number, 0);
        client.connectData(0);
        client.activate(0, 1);
        return client;
    }

    // ---- connections

    void connectControl() {
        connectControl(ControlCodec.RECEIVES);
    }

    void connectControl(int receives) {
        closeControl();
        control = domain.createQueuePair(QueuePairOptions.of(controlCompletions, controlCompletions));
        control.toInit();
        for (int slot = 0; slot < receives; slot++) {
            postReceive(control, slot);
        }
        control.connect(node, new ConnectionHello(Role.CONTROL, 0, id).encode(), PATIENCE);
    }

    void closeControl() {
        if (control != null) {
            control.close();
            while (controlCompletions.poll(completion)) {
                // Left over.
            }
        }
    }

    boolean controlWorks() {
        return control().state() == io.leasehold.rdma.QueuePairState.RTS;
    }

    void connectData(int index) {
        connectData(index, new ConnectionHello(Role.DATA, index, id).encode());
    }

    void connectData(int index, byte[] privateData) {
        QueuePair queuePair = domain.createQueuePair(QueuePairOptions.of(dataCompletions, dataCompletions));
        try {
            queuePair.connect(node, privateData, PATIENCE);
        } catch (RuntimeException e) {
            queuePair.close();
            throw e;
        }
        QueuePair before = data.put(index, queuePair);
        if (before != null) {
            before.close();
        }
    }

    private QueuePair control() {
        return java.util.Objects.requireNonNull(control);
    }

    Welcome welcome() {
        return java.util.Objects.requireNonNull(welcome);
    }

    Reply hello(String principal, long epoch) {
        Reply reply = call(new Hello(id, principal, epoch));
        if (reply instanceof Welcome made) {
            welcome = made;
        }
        return reply;
    }

    Keys activate(int index, int generation) {
        Keys keys = (Keys) call(new Activate(index, generation));
        active = index;
        wordKey = keys.wordKey();
        return keys;
    }

    // ---- requests

    /// Sends a request and waits for its answer.
    Reply call(Request request) {
        return await(send(request));
    }

    /// Sends a request with an id that was not used before.
    long send(Request request) {
        send(++lastRequest, request);
        return lastRequest;
    }

    /// Waits until the node has taken what was sent.
    void settle() {
        call(new Beat(0));
    }

    /// Whether the control queue pair fails soon.
    boolean failsSoon() {
        long end = System.nanoTime() + PATIENCE.toNanos();
        while (controlWorks() && System.nanoTime() < end) {
            Thread.onSpinWait();
        }
        return !controlWorks();
    }

    void send(long requestId, Request request) {
        MemorySegment buffer = memory.memory().asSlice(SEND_AT, ControlCodec.MESSAGE_BYTES);
        sendBytes(ControlCodec.encode(requestId, request, buffer));
    }

    /// Sends what lies in [#sendBuffer].
    void sendBytes(int lengthBytes) {
        SendBatch batch = control().newSendBatch();
        batch.send(-1, memory, SEND_AT, lengthBytes);
        assertThat(batch.post()).isEqualTo(PostStatus.POSTED);
        pump();
    }

    MemorySegment sendBuffer() {
        return memory.memory().asSlice(SEND_AT, ControlCodec.MESSAGE_BYTES);
    }

    SendBatch controlBatch() {
        return control().newSendBatch();
    }

    /// Waits for an answer.
    Reply await(long requestId) {
        Reply reply = poll(requestId, PATIENCE);
        assertThat(reply).as("answer to request %d", requestId).isNotNull();
        return reply;
    }

    /// Waits up to `timeout` for an answer.
    @Nullable Reply poll(long requestId, Duration timeout) {
        long end = System.nanoTime() + timeout.toNanos();
        while (!replies.containsKey(requestId) && System.nanoTime() < end) {
            try {
                controlCompletions.await(Duration.ofMillis(1));
            } catch (InterruptedException e) {
                throw new AssertionError(e);
            }
            pump();
        }
        return replies.remove(requestId);
    }

    /// Keeps `count` requests on the way: as many as were answered are asked again, and the answers are not read.
    void keepAsking(int count, Request request) {
        pump();
        asking -= replies.size();
        replies.clear();
        for (; asking < count; asking++) {
            send(request);
        }
    }

    private void pump() {
        while (controlCompletions.poll(completion)) {
            if (completion.succeeded() && completion.opcode() == WorkCompletionOpcode.RECV) {
                int slot = (int) completion.id();
                try {
                    Frame frame = ControlCodec.decode(memory.memory().asSlice(
                            RECEIVES_AT + (long) slot * ControlCodec.MESSAGE_BYTES, completion.byteLength()));
                    replies.put(frame.requestId(), (Reply) frame.message());
                } catch (MalformedMessageException e) {
                    throw new AssertionError(e);
                }
                postReceive(control(), slot);
            }
        }
    }

    private void postReceive(QueuePair queuePair, int slot) {
        queuePair.postReceive(slot, memory, RECEIVES_AT + (long) slot * ControlCodec.MESSAGE_BYTES, ControlCodec.MESSAGE_BYTES);
    }

    // ---- memory

    WorkCompletionStatus read(long offset, int lengthBytes, int key) {
        SendBatch batch = dataPair().newSendBatch();
        return run(batch.read(0, memory, SCRATCH_AT, lengthBytes, welcome().dataAddress() + offset, key));
    }

    WorkCompletionStatus write(long offset, int lengthBytes, int key) {
        SendBatch batch = dataPair().newSendBatch();
        return run(batch.write(0, memory, SCRATCH_AT, lengthBytes, welcome().dataAddress() + offset, key));
    }

    WorkCompletionStatus compareAndSwap(long offset, int key) {
        return run(dataPair().newSendBatch().compareAndSwap(0, memory, SCRATCH_AT, welcome().dataAddress() + offset, key, 0, 1));
    }

    /// Swaps a word from 0 to 1.
    ///
    /// @return what it held
    long swap(long offset, int key) {
        assertThat(compareAndSwap(offset, key)).isEqualTo(WorkCompletionStatus.SUCCESS);
        return memory.memory().get(JAVA_LONG, SCRATCH_AT);
    }

    /// Swaps a lease word.
    ///
    /// @return what it held
    long swapWord(int word, long expected, long desired) {
        assertThat(tryToSwapWord(word, expected, desired)).isEqualTo(WorkCompletionStatus.SUCCESS);
        return memory.memory().get(JAVA_LONG, SCRATCH_AT);
    }

    /// Swaps a lease word, if it may.
    WorkCompletionStatus tryToSwapWord(int word, long expected, long desired) {
        return run(dataPair().newSendBatch().compareAndSwap(0, memory, SCRATCH_AT, welcome().wordRowAddress() + word * 8L,
                wordKey, expected, desired));
    }

    /// Extends a lease by one unit, as a client should.
    boolean extend(Granted lease, int units) {
        long expected = LeaseWord.word(lease.era(), units);
        return swapWord(lease.word(), expected, LeaseWord.word(lease.era(), units + 1)) == expected;
    }

    QueuePair dataPair() {
        return java.util.Objects.requireNonNull(data.get(active));
    }

    private WorkCompletionStatus run(SendBatch batch) {
        assertThat(batch.post()).isEqualTo(PostStatus.POSTED);
        try {
            assertThat(dataCompletions.await(PATIENCE)).isTrue();
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
        assertThat(dataCompletions.poll(completion)).isTrue();
        return completion.status();
    }

    /// Disappears without a word.
    @Override
    public void close() {
        if (!arena.scope().isAlive()) {
            return;
        }
        closeControl();
        data.values().forEach(QueuePair::close);
        memory.close();
        controlCompletions.close();
        dataCompletions.close();
        domain.close();
        device.close();
        arena.close();
    }
}
