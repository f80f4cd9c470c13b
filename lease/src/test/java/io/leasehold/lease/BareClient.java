package io.leasehold.lease;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.leasehold.lease.ConnectionHello.Role;
import io.leasehold.lease.ControlMessage.Acquire;
import io.leasehold.lease.ControlMessage.Activate;
import io.leasehold.lease.ControlMessage.Failed;
import io.leasehold.lease.ControlMessage.Goodbye;
import io.leasehold.lease.ControlMessage.Granted;
import io.leasehold.lease.ControlMessage.Hello;
import io.leasehold.lease.ControlMessage.Keys;
import io.leasehold.lease.ControlMessage.LeaseKey;
import io.leasehold.lease.ControlMessage.Named;
import io.leasehold.lease.ControlMessage.OpenNamed;
import io.leasehold.lease.ControlMessage.Reason;
import io.leasehold.lease.ControlMessage.Relinquish;
import io.leasehold.lease.ControlMessage.Reply;
import io.leasehold.lease.ControlMessage.Request;
import io.leasehold.lease.ControlMessage.Welcome;
import io.leasehold.rdma.AccessFlag;
import io.leasehold.rdma.CompletionQueue;
import io.leasehold.rdma.EndpointAddress;
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
import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.UUID;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/// A client that is bound by nothing: it speaks the control protocol by itself, posts any access with any key to any address, and
/// asks no clock.
///
/// What the library refuses before it posts proves nothing about protection; what this client is refused, the node's device
/// refused. Control requests are for one thread at a time, and so are accesses, but the two threads may differ.
final class BareClient implements AutoCloseable {
    /// How long the node may take to answer, and a request to complete.
    static final Duration PATIENCE = Duration.ofSeconds(20);
    /// The longest access.
    static final int ACCESS_BYTES_MAX = 1 << 15;
    /// The unit of its leases.
    static final long UNIT_NANOS = 1_000;

    /// Data queue pairs of a client that is to survive refusals.
    static final int PAIRS = 3;
    private static final int DATA_DEPTH = 64;
    private static final int SENDS = 16;
    private static final long SEND_OFFSET = (long) ControlCodec.RECEIVES * ControlCodec.MESSAGE_BYTES;
    private static final long SOURCE = 0;
    private static final long ANSWER = ACCESS_BYTES_MAX;

    private final RdmaDevice device;
    private final EndpointAddress node;
    private final UnaryOperator<LeaseMode> modes;
    private final UUID id = UUID.randomUUID();
    private final Arena arena = Arena.ofShared();
    private final ProtectionDomain domain;
    private final CompletionQueue controlCompletions;
    private final CompletionQueue dataCompletions;
    private final MemoryRegion messages;
    private final MemoryRegion local;
    private final QueuePair control;
    private final SendBatch controlBatch;
    private final WorkCompletion controlCompletion = new WorkCompletion();
    private final WorkCompletion dataCompletion = new WorkCompletion();
    private final List<QueuePair> pairs = new ArrayList<>();
    private final Map<Long, Integer> keys = new HashMap<>();
    private final Welcome welcome;
    private @Nullable SendBatch batch;
    private long lastRequest;
    private long lastAccess;
    private int active;
    private int generation;
    private int wordKey;

    /// The node does not take another session.
    static final class NotWelcome extends RuntimeException {
        private static final long serialVersionUID = 1;
        private final transient Failed answer;

        private NotWelcome(Failed answer) {
            super(answer.reason() + ": " + answer.detail());
            this.answer = answer;
        }

        Reason reason() {
            return answer.reason();
        }
    }

    /// Connects and introduces itself; [#ready] makes it one that can touch memory.
    ///
    /// @param modes what becomes of the modes of its requests on their way
    BareClient(RdmaDevice device, EndpointAddress node, UnaryOperator<LeaseMode> modes) {
        this.device = device;
        this.node = node;
        this.modes = modes;
        domain = device.allocateProtectionDomain();
        controlCompletions = device.createCompletionQueue(256);
        dataCompletions = device.createCompletionQueue(2 * PAIRS * DATA_DEPTH);
        messages = domain.register(arena.allocate(SEND_OFFSET + (long) SENDS * ControlCodec.MESSAGE_BYTES, 64),
                EnumSet.of(AccessFlag.LOCAL_WRITE));
        local = domain.register(arena.allocate(2 * ACCESS_BYTES_MAX, 64), EnumSet.of(AccessFlag.LOCAL_WRITE));
        control = domain.createQueuePair(
                QueuePairOptions.of(controlCompletions, controlCompletions).withDepth(SENDS, ControlCodec.RECEIVES));
        controlBatch = control.newSendBatch();
        control.toInit();
        for (int slot = 0; slot < ControlCodec.RECEIVES; slot++) {
            postReceive(slot);
        }
        control.connect(node, new ConnectionHello(Role.CONTROL, 0, id).encode(), PATIENCE);
        Reply reply = call(new Hello(id, "bare", 0));
        if (reply instanceof Failed failed) {
            free();
            throw new NotWelcome(failed);
        }
        welcome = (Welcome) reply;
    }

    /// Connects data queue pairs and activates the first.
    ///
    /// @throws NotWelcome if the node has no window for its lease words
    BareClient ready(int count) {
        for (int index = 0; index < count; index++) {
            pairs.add(connectData(index));
        }
        Reply reply = call(new Activate(0, ++generation));
        if (reply instanceof Failed failed) {
            close();
            throw new NotWelcome(failed);
        }
        activated(0, (Keys) reply);
        return this;
    }

    private QueuePair connectData(int index) {
        QueuePair pair = domain.createQueuePair(QueuePairOptions.of(dataCompletions, dataCompletions).withDepth(DATA_DEPTH, 1));
        pair.connect(node, new ConnectionHello(Role.DATA, index, id).encode(), PATIENCE);
        return pair;
    }

    private void activated(int index, Keys bound) {
        if (bound.total() != bound.keys().size()) {
            throw new AssertionError("a test that holds more leases than fit one message: " + bound.total());
        }
        active = index;
        batch = pairs.get(index).newSendBatch();
        wordKey = bound.wordKey();
        keys.clear();
        bound.keys().forEach((LeaseKey key) -> keys.put(key.lease(), key.key()));
    }

    private void postReceive(int slot) {
        PostStatus status = control.postReceive(slot, messages, (long) slot * ControlCodec.MESSAGE_BYTES,
                ControlCodec.MESSAGE_BYTES);
        if (status != PostStatus.POSTED) {
            throw new AssertionError("receive " + slot + ": " + status);
        }
    }

    // --- control requests

    /// What the node said first.
    Welcome welcome() {
        return welcome;
    }

    /// Sends a request and waits for its answer.
    Reply call(Request request) {
        return answer(send(request), request);
    }

    private Reply answer(long asked, Request request) {
        while (true) {
            if (!next(controlCompletions, controlCompletion)) {
                throw new AssertionError("no answer to " + request + " within " + PATIENCE);
            }
            if (!controlCompletion.succeeded()) {
                throw new AssertionError(request + " broke the control queue pair: " + controlCompletion);
            }
            if (controlCompletion.opcode() == WorkCompletionOpcode.RECV) {
                ControlCodec.Frame frame = take((int) controlCompletion.id(), controlCompletion.byteLength());
                if (frame.requestId() == asked && frame.message() instanceof Reply reply) {
                    return reply;
                }
            }
        }
    }

    /// Sends a request and waits for an answer that must be a `kind`.
    <R extends Reply> R call(Request request, Class<R> kind) {
        Reply reply = call(request);
        if (!kind.isInstance(reply)) {
            throw new AssertionError(request + " was answered by " + reply);
        }
        return kind.cast(reply);
    }

    /// Sends a request and does not wait.
    ///
    /// @return its id
    long send(Request request) {
        long sent = ++lastRequest;
        long offset = SEND_OFFSET + sent % SENDS * ControlCodec.MESSAGE_BYTES;
        int length = ControlCodec.encode(sent, onTheWay(request),
                messages.memory().asSlice(offset, ControlCodec.MESSAGE_BYTES));
        PostStatus status = controlBatch.send(-sent, messages, offset, length).post();
        if (status != PostStatus.POSTED) {
            throw new AssertionError(request + " was not posted: " + status);
        }
        return sent;
    }

    private Request onTheWay(Request request) {
        return request instanceof Acquire asked ? new Acquire(asked.offset(), asked.lengthBytes(), asked.access(),
                modes.apply(asked.mode()), asked.unitNanos(), asked.units(), asked.maxLifeNanos(), asked.patienceNanos(),
                asked.wholeChunk()) : request;
    }

    private ControlCodec.Frame take(int slot, int lengthBytes) {
        try {
            return ControlCodec.decode(messages.memory().asSlice((long) slot * ControlCodec.MESSAGE_BYTES, lengthBytes));
        } catch (MalformedMessageException e) {
            throw new AssertionError("the node sent what is no message", e);
        } finally {
            postReceive(slot);
        }
    }

    /// Opens named memory, zeroed if it is new, and answers where it is.
    long openNamed(String name, long lengthBytes) {
        return call(new OpenNamed(name, lengthBytes, true), Named.class).offset();
    }

    /// Asks for a lease that can be extended to the node's longest term.
    ///
    /// @return a [Granted] or a [Failed]
    Reply tryAcquire(long offset, long lengthBytes, Set<AccessRight> rights, LeaseMode mode, Duration term,
            Duration patience) {
        Reply reply = call(new Acquire(offset, lengthBytes, AccessRight.mask(rights), mode, UNIT_NANOS,
                Math.toIntExact(term.toNanos() / UNIT_NANOS), welcome.maxTermNanos(), patience.toNanos(), false));
        if (reply instanceof Granted granted) {
            keys.put(granted.lease(), granted.key());
        }
        return reply;
    }

    /// Acquires a lease that nothing stands against.
    Granted acquire(long offset, long lengthBytes, Set<AccessRight> rights, LeaseMode mode, Duration term) {
        Reply reply = tryAcquire(offset, lengthBytes, rights, mode, term, PATIENCE.dividedBy(2));
        if (reply instanceof Granted granted) {
            return granted;
        }
        throw new AssertionError(mode + " lease on [" + offset + ", +" + lengthBytes + ") was not granted: " + reply);
    }

    /// Ends a lease: when it returns the key is dead.
    void relinquish(Granted lease) {
        call(new Relinquish(List.of(lease.lease())), ControlMessage.Done.class);
        keys.remove(lease.lease());
    }

    /// Whether `reply` says that the request failed for `reason`.
    static boolean failedFor(Reason reason, Reply reply) {
        return reply instanceof Failed failed && failed.reason() == reason;
    }

    // --- accesses

    /// The remote address of the byte at `offset` of the node's memory.
    long address(long offset) {
        return welcome.dataAddress() + offset;
    }

    /// The key of a lease, as it was after the last activation in which the node knew it.
    int key(Granted lease) {
        return keys.getOrDefault(lease.lease(), lease.key());
    }

    /// The keys that the session has now: those of its live leases, and that of its lease words.
    List<Integer> keys() {
        List<Integer> all = new ArrayList<>(keys.values());
        all.add(wordKey);
        return all;
    }

    /// The remote address of a lease's word.
    long wordAddress(Granted lease) {
        return welcome.wordRowAddress() + (long) lease.word() * Long.BYTES;
    }

    /// The key of the session's lease words.
    int wordKey() {
        return wordKey;
    }

    /// RDMA READ; see [#fetched].
    WorkCompletionStatus read(long address, int key, int lengthBytes) {
        return complete(requests -> requests.read(++lastAccess, local, ANSWER, lengthBytes, address, key));
    }

    /// RDMA WRITE of bytes that are all `value`.
    WorkCompletionStatus write(long address, int key, int lengthBytes, byte value) {
        local.memory().asSlice(SOURCE, lengthBytes).fill(value);
        return complete(requests -> requests.write(++lastAccess, local, SOURCE, lengthBytes, address, key));
    }

    /// Atomic compare-and-swap; see [#previous].
    WorkCompletionStatus compareAndSwap(long address, int key, long expected, long desired) {
        return complete(requests -> requests.compareAndSwap(++lastAccess, local, ANSWER, address, key, expected, desired));
    }

    /// Atomic fetch-and-add; see [#previous].
    WorkCompletionStatus fetchAndAdd(long address, int key, long addend) {
        return complete(requests -> requests.fetchAndAdd(++lastAccess, local, ANSWER, address, key, addend));
    }

    /// Any of the above: a WRITE brings the low byte of `operand`, a compare-and-swap changes `expected` to it, a fetch-and-add
    /// adds it.
    WorkCompletionStatus access(Verb verb, long address, int key, int lengthBytes, long expected, long operand) {
        return switch (verb) {
            case READ -> read(address, key, lengthBytes);
            case WRITE -> write(address, key, lengthBytes, (byte) operand);
            case COMPARE_AND_SWAP -> compareAndSwap(address, key, expected, operand);
            case FETCH_AND_ADD -> fetchAndAdd(address, key, operand);
        };
    }

    private WorkCompletionStatus complete(Consumer<SendBatch> request) {
        SendBatch requests = Objects.requireNonNull(batch, "ready() comes first");
        request.accept(requests);
        PostStatus status = requests.post();
        if (status == PostStatus.INVALID_REQUEST) {
            // Some providers refuse an unaligned atomic before it leaves.
            return WorkCompletionStatus.REM_INV_REQ_ERR;
        }
        if (status != PostStatus.POSTED) {
            throw new AssertionError("the access was not posted: " + status);
        }
        do {
            if (!next(dataCompletions, dataCompletion)) {
                throw new AssertionError("no completion within " + PATIENCE);
            }
        } while (dataCompletion.id() != lastAccess);
        return dataCompletion.status();
    }

    /// The first bytes of the local memory that reads and atomics answer into.
    byte[] fetched(int lengthBytes) {
        return local.memory().asSlice(ANSWER, lengthBytes).toArray(JAVA_BYTE);
    }

    /// Fills the local memory that reads and atomics answer into.
    void spoil(byte value) {
        local.memory().asSlice(ANSWER, ACCESS_BYTES_MAX).fill(value);
    }

    /// The word before the last atomic.
    long previous() {
        return local.memory().get(JAVA_LONG, ANSWER);
    }

    /// After a refusal: goes on with the next queue pair, to which the node re-binds the live leases under new keys, and connects
    /// the broken one anew.
    void recover() {
        int broken = active;
        int next = (active + 1) % pairs.size();
        activated(next, call(new Activate(next, ++generation), Keys.class));
        pairs.get(broken).close();
        pairs.set(broken, connectData(broken));
    }

    private static boolean next(CompletionQueue completions, WorkCompletion completion) {
        long start = System.nanoTime();
        try {
            while (!completions.poll(completion)) {
                Duration left = PATIENCE.minusNanos(System.nanoTime() - start);
                if (left.isNegative() || !completions.await(left)) {
                    return false;
                }
            }
            return true;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return false;
        }
    }

    /// Says goodbye and frees everything but the device.
    @Override
    public void close() {
        call(new Goodbye());
        free();
    }

    /// Dies: its device and everything on it is gone at once, and nobody says goodbye.
    void kill() {
        device.close();
        arena.close();
    }

    private void free() {
        pairs.forEach(QueuePair::close);
        control.close();
        local.close();
        messages.close();
        controlCompletions.close();
        dataCompletions.close();
        domain.close();
        arena.close();
    }
}
