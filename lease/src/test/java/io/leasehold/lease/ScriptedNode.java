package io.leasehold.lease;

import io.leasehold.lease.ControlMessage.Acquire;
import io.leasehold.lease.ControlMessage.Activate;
import io.leasehold.lease.ControlMessage.Beat;
import io.leasehold.lease.ControlMessage.BeatReply;
import io.leasehold.lease.ControlMessage.Done;
import io.leasehold.lease.ControlMessage.Granted;
import io.leasehold.lease.ControlMessage.Hello;
import io.leasehold.lease.ControlMessage.Keys;
import io.leasehold.lease.ControlMessage.LeaseKey;
import io.leasehold.lease.ControlMessage.MoreKeys;
import io.leasehold.lease.ControlMessage.Relinquish;
import io.leasehold.lease.ControlMessage.Reply;
import io.leasehold.lease.ControlMessage.Request;
import io.leasehold.lease.ControlMessage.Welcome;
import io.leasehold.rdma.AccessFlag;
import io.leasehold.rdma.CompletionQueue;
import io.leasehold.rdma.ConnectionRequest;
import io.leasehold.rdma.DeviceOptions;
import io.leasehold.rdma.EndpointAddress;
import io.leasehold.rdma.Listener;
import io.leasehold.rdma.MemoryRegion;
import io.leasehold.rdma.ProtectionDomain;
import io.leasehold.rdma.QueuePair;
import io.leasehold.rdma.QueuePairOptions;
import io.leasehold.rdma.RdmaDevice;
import io.leasehold.rdma.SendBatch;
import io.leasehold.rdma.WorkCompletion;
import io.leasehold.rdma.WorkCompletionOpcode;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.function.BiFunction;
import org.jspecify.annotations.Nullable;

/// A node for tests of the client alone: it answers as it should, unless a test's script says otherwise, and protects each lease
/// by a memory region of its own instead of a window.
///
/// What tests look at is safe to look at while the node works.
final class ScriptedNode implements AutoCloseable {
    static final long MEMORY_BYTES = 1 << 20;
    private static final int WORDS = 1 << 12;
    private static final Set<AccessFlag> ALL = EnumSet.of(AccessFlag.LOCAL_WRITE, AccessFlag.REMOTE_READ,
            AccessFlag.REMOTE_WRITE, AccessFlag.REMOTE_ATOMIC);

    /// Answers to some requests in place of the node; `null`: as the node would.
    volatile BiFunction<UUID, Request, @Nullable Reply> script = (_, _) -> null;
    /// Reply nothing at all to such requests.
    static final Reply SILENCE = new Done();

    final RdmaDevice device;
    final Arena arena = Arena.ofShared();
    final MemorySegment memory = arena.allocate(MEMORY_BYTES, 4096);
    final MemorySegment words = arena.allocate(WORDS * 8L, 64);
    final List<Request> requests = new CopyOnWriteArrayList<>();
    final Map<UUID, Client> clients = new ConcurrentHashMap<>();
    private final ProtectionDomain domain;
    private final Listener listener;
    private final ExecutorService control = Executors.newSingleThreadExecutor(
            task -> Thread.ofPlatform().daemon().name("scripted-node").unstarted(task));

    /// What the node knows of one session.
    final class Client {
        final UUID id;
        final Map<Integer, QueuePair> data = new ConcurrentHashMap<>();
        final Map<Long, Granted> leases = new ConcurrentSkipListMap<>();
        final Map<Long, MemoryRegion> regions = new ConcurrentHashMap<>();
        final Map<Long, Reply> replies = new HashMap<>();
        volatile @Nullable Line line;
        @Nullable MemoryRegion row;
        int generation;
        long nextLease = 1;
        int nextWord;

        Client(UUID id) {
            this.id = id;
        }
    }

    /// One control queue pair.
    final class Line {
        final QueuePair queuePair;
        final CompletionQueue completions;
        final MemoryRegion buffers;
        final SendBatch batch;
        int sends;

        Line(QueuePair queuePair, CompletionQueue completions) {
            this.queuePair = queuePair;
            this.completions = completions;
            buffers = domain.register(arena.allocate(128L * ControlCodec.MESSAGE_BYTES, 64), ALL);
            batch = queuePair.newSendBatch();
        }

        void receive(int slot) {
            queuePair.postReceive(slot, buffers, (long) slot * ControlCodec.MESSAGE_BYTES, ControlCodec.MESSAGE_BYTES);
        }
    }

    ScriptedNode(DeviceOptions options) {
        device = RdmaDevice.open(options);
        domain = device.allocateProtectionDomain();
        listener = device.listen(this::onRequest);
    }

    EndpointAddress address() {
        return listener.address();
    }

    Client client() {
        return clients.values().iterator().next();
    }

    private void onRequest(ConnectionRequest request) {
        try {
            ConnectionHello hello = ConnectionHello.decode(request.privateData());
            Client client = clients.computeIfAbsent(hello.session(), Client::new);
            CompletionQueue completions = device.createCompletionQueue(512);
            QueuePair queuePair = domain.createQueuePair(QueuePairOptions.of(completions, completions));
            if (hello.role() == ConnectionHello.Role.CONTROL) {
                Line line = new Line(queuePair, completions);
                queuePair.toInit();
                for (int slot = 0; slot < ControlCodec.RECEIVES; slot++) {
                    line.receive(slot);
                }
                completions.onCompletion(() -> control.execute(() -> serve(client, line)));
                client.line = line;
            } else {
                QueuePair before = client.data.put(hello.index(), queuePair);
                if (before != null) {
                    before.close();
                }
            }
            request.accept(queuePair, new byte[0]);
        } catch (MalformedMessageException e) {
            request.reject(e.getMessage());
        }
    }

    private void serve(Client client, Line line) {
        WorkCompletion completion = new WorkCompletion();
        while (line.completions.poll(completion)) {
            if (completion.succeeded() && completion.opcode() == WorkCompletionOpcode.RECV) {
                int slot = (int) completion.id();
                try {
                    var frame = ControlCodec.decode(line.buffers.memory()
                            .asSlice((long) slot * ControlCodec.MESSAGE_BYTES, completion.byteLength()));
                    line.receive(slot);
                    Request request = (Request) frame.message();
                    requests.add(request);
                    Reply reply = client.replies.computeIfAbsent(frame.requestId(), _ -> answer(client, request));
                    if (reply != SILENCE) {
                        reply(line, frame.requestId(), reply);
                    } else {
                        client.replies.remove(frame.requestId());
                    }
                } catch (MalformedMessageException e) {
                    throw new IllegalStateException(e);
                }
            }
        }
    }

    private void reply(Line line, long id, Reply reply) {
        long offset = (64L + line.sends++ % 64) * ControlCodec.MESSAGE_BYTES;
        int length = ControlCodec.encode(id, reply, line.buffers.memory().asSlice(offset, ControlCodec.MESSAGE_BYTES));
        line.batch.send(1000, line.buffers, offset, length).post();
    }

    private Reply answer(Client client, Request request) {
        Reply scripted = script.apply(client.id, request);
        if (scripted != null) {
            return scripted;
        }
        return switch (request) {
            case Hello _ -> new Welcome(7, 0, 2_000_000_000L, 60_000_000_000L, memory.address(), MEMORY_BYTES, words.address(),
                    WORDS, false, LeaseBacking.WINDOW, SystemClock.NANOS.getAsLong());
            case Activate(_, int generation) -> activate(client, generation);
            case MoreKeys(_, int from) -> keys(client, from);
            case Acquire acquire -> grant(client, acquire);
            case Beat(long sent) -> new BeatReply(sent, SystemClock.NANOS.getAsLong(), SystemClock.NANOS.getAsLong());
            case Relinquish(List<Long> ids) -> {
                ids.forEach(id -> end(client, id));
                yield new Done();
            }
            default -> new Done();
        };
    }

    /// Ends a lease without telling anybody.
    void end(Client client, long id) {
        client.leases.remove(id);
        MemoryRegion region = client.regions.remove(id);
        if (region != null) {
            region.close();
        }
    }

    private Granted grant(Client client, Acquire acquire) {
        long id = client.nextLease++;
        int word = client.nextWord++;
        long now = SystemClock.NANOS.getAsLong();
        words.setAtIndex(ValueLayout.JAVA_LONG, word, LeaseWord.word(1, acquire.units()));
        MemoryRegion region = register(acquire.offset(), acquire.lengthBytes(), acquire.access());
        client.regions.put(id, region);
        Granted granted = new Granted(id, acquire.offset(), acquire.lengthBytes(), region.remoteKey(), client.generation, word, 1,
                now, acquire.unitNanos(), acquire.units(), now + Math.min(acquire.maxLifeNanos(), 60_000_000_000L), now);
        client.leases.put(id, granted);
        return granted;
    }

    private MemoryRegion register(long offset, long length, int access) {
        Set<AccessFlag> flags = EnumSet.copyOf(AccessFlag.of(access));
        flags.add(AccessFlag.LOCAL_WRITE);
        return domain.register(memory.asSlice(offset, length), flags);
    }

    private Keys activate(Client client, int generation) {
        client.generation = generation;
        MemoryRegion old = client.row;
        client.row = domain.register(words, ALL);
        if (old != null) {
            old.close();
        }
        client.leases.forEach((id, granted) -> {
            MemoryRegion before = client.regions.get(id);
            MemoryRegion now = domain.register(before.memory(), before.access());
            before.close();
            client.regions.put(id, now);
        });
        return keys(client, 0);
    }

    private Keys keys(Client client, int from) {
        List<LeaseKey> keys = client.leases.keySet().stream().map(id -> new LeaseKey(id, client.regions.get(id).remoteKey()))
                .toList();
        return new Keys(client.row.remoteKey(), client.generation, keys.size(), from,
                keys.subList(from, Math.min(keys.size(), from + ControlCodec.KEYS_MAX)));
    }

    /// Breaks the control queue pair of the only client.
    void breakControl() {
        client().line.queuePair.toError();
    }

    @Override
    public void close() {
        listener.close();
        device.close();
        control.shutdown();
    }
}
