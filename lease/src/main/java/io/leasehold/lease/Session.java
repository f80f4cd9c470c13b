package io.leasehold.lease;

import io.leasehold.lease.ControlMessage.Acquire;
import io.leasehold.lease.ControlMessage.Allocate;
import io.leasehold.lease.ControlMessage.Allocated;
import io.leasehold.lease.ControlMessage.DestroyHeap;
import io.leasehold.lease.ControlMessage.Done;
import io.leasehold.lease.ControlMessage.Failed;
import io.leasehold.lease.ControlMessage.Free;
import io.leasehold.lease.ControlMessage.FreeNamed;
import io.leasehold.lease.ControlMessage.Granted;
import io.leasehold.lease.ControlMessage.Heap;
import io.leasehold.lease.ControlMessage.Named;
import io.leasehold.lease.ControlMessage.OpenHeap;
import io.leasehold.lease.ControlMessage.OpenNamed;
import io.leasehold.lease.ControlMessage.Unprotect;
import io.leasehold.lease.ControlMessage.Unprotected;
import io.leasehold.rdma.EndpointAddress;
import io.leasehold.rdma.RdmaDevice;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.function.Supplier;

/// A client's identity and liveness at a memory node: what it holds (leases, memory bound to it) lives as long as the session
/// gives signs of life, which it does by itself.
///
/// Every blocking call ends within [SessionOptions#requestTimeout()] (plus the patience that a request states), with a
/// [LeaseException] if need be; it goes on when its thread is interrupted, and keeps the interrupt status. A call that allocates,
/// frees, creates or destroys ends with [OutcomeUnknownException] if it was sent and not answered. Thread-safe; made for virtual
/// threads.
public final class Session implements AutoCloseable {
    /// What deadlines count in, unless a lease may live so long that 31 bits of it are too few.
    private static final long UNIT_NANOS = 1_000;
    private static final long UNITS_MAX = Integer.MAX_VALUE;
    private static final Supplier<UUID> RANDOM_IDS = new SecureRandomIds();

    private final SessionCore core;

    private Session(SessionCore core) {
        this.core = core;
    }

    /// Ids of sessions, which are their secrets too.
    private static final class SecureRandomIds implements Supplier<UUID> {
        private final SecureRandom random = new SecureRandom();

        @Override
        public UUID get() {
            return new UUID(random.nextLong(), random.nextLong());
        }
    }

    /// Connects to a node with a device of its own.
    ///
    /// @throws NodeUnavailableException if it cannot be reached within [SessionOptions#connectTimeout()]
    /// @throws CapacityException if it has too many sessions
    public static Session connect(EndpointAddress node, SessionOptions options) {
        RdmaDevice device = RdmaDevice.open(options.device());
        try {
            return new Session(SessionCore.connect(device, true, node, options, RANDOM_IDS.get()));
        } catch (RuntimeException e) {
            device.close();
            throw e;
        }
    }

    /// Connects to a node whose address is given as text, as `soft:10.0.0.1:7471`.
    public static Session connect(String node, SessionOptions options) {
        return connect(EndpointAddress.parse(node), options);
    }

    /// Connects to a node through a device that the caller owns and that other sessions may share.
    public static Session connect(RdmaDevice device, EndpointAddress node, SessionOptions options) {
        return connect(device, node, options, RANDOM_IDS);
    }

    /// As [#connect(RdmaDevice, EndpointAddress, SessionOptions)], with a chosen id.
    static Session connect(RdmaDevice device, EndpointAddress node, SessionOptions options, Supplier<UUID> ids) {
        return new Session(SessionCore.connect(device, false, node, options, ids.get()));
    }

    /// Acquires a lease.
    ///
    /// @throws LeaseConflictException if conflicting leases did not end in time
    /// @throws CapacityException if the node or the session has no window or lease word left
    /// @throws OutOfBoundsException if the range is in no memory that this session may use
    /// @throws AccessDeniedException if the node's policy refuses it
    public Lease acquire(LeaseRequest request) {
        return acquireAll(List.of(request)).getFirst();
    }

    /// As [#acquire(LeaseRequest)], without waiting. What depends on the future runs as for [Batch#executeAsync()].
    public CompletableFuture<Lease> acquireAsync(LeaseRequest request) {
        CompletableFuture<Lease> future = new CompletableFuture<>();
        ControlCall call = new ControlCall("acquire", message(request, false), deadline(request), (ended, end) -> {
            if (end instanceof RuntimeException failure) {
                future.completeExceptionally(failure);
            } else if (end instanceof Granted granted) {
                Lease lease = granted(granted, request);
                if (!future.complete(lease)) {
                    lease.relinquishLater(); // Cancelled meanwhile.
                }
            } else if (end instanceof Failed failed) {
                future.completeExceptionally(core.state().exception(ended.operation(), failed, ended.elapsedNanos()));
            }
        });
        core.control().start(List.of(call));
        return future;
    }

    /// Acquires all of `requests` with one doorbell, or none: if one fails, those that were granted are relinquished.
    public List<Lease> acquireAll(List<LeaseRequest> requests) {
        core.state().requireOpen("acquire");
        List<ControlCall> calls = new ArrayList<>(requests.size());
        for (LeaseRequest request : requests) {
            calls.add(new ControlCall("acquire", message(request, false), deadline(request), null));
        }
        core.control().start(calls);
        List<Lease> leases = new ArrayList<>(requests.size());
        RuntimeException failure = null;
        for (int i = 0; i < calls.size(); i++) {
            try {
                leases.add(granted(answer(calls.get(i)), requests.get(i)));
            } catch (RuntimeException e) {
                failure = failure == null ? e : failure;
            }
        }
        if (failure != null) {
            core.relinquish(leases.stream().filter(Lease::leave).map(Lease::id).toList());
            throw failure;
        }
        return leases;
    }

    private Granted answer(ControlCall call) {
        return core.expect(call, Granted.class);
    }

    private Lease granted(Granted granted, LeaseRequest request) {
        return core.leases().granted(granted, request.rights(), request.mode(),
                request.autoExtend() ? SystemClock.nanosOf(request.term()) : 0);
    }

    private Acquire message(LeaseRequest request, boolean wholeChunk) {
        requireNode(request.address());
        long term = SystemClock.nanosOf(request.term());
        long life = SystemClock.nanosOf(request.maxLife());
        // The node grants no more than its longest term, so a longer wish does not make the unit coarser.
        long counted = Math.max(term, Math.min(life, core.maxTermNanos()));
        long unit = Math.max(UNIT_NANOS, (counted + UNITS_MAX - 1) / UNITS_MAX);
        return new Acquire(request.address().offset(), request.lengthBytes(), AccessRight.mask(request.rights()), request.mode(),
                unit, (int) ((term + unit - 1) / unit), life, SystemClock.nanosOf(request.patience()), wholeChunk);
    }

    private long deadline(LeaseRequest request) {
        return core.deadline() + SystemClock.nanosOf(request.patience());
    }

    private void requireNode(RemoteAddress address) {
        if (address.node() != core.node()) {
            throw new IllegalArgumentException(
                    address + " is not on node " + core.node() + ", which this session is connected to");
        }
    }

    /// Acquires a lease on the whole chunk of a heap that holds the address.
    Lease acquireChunk(LeaseRequest request) {
        core.state().requireOpen("acquire");
        ControlCall call = new ControlCall("acquire", message(request, true), deadline(request), null);
        core.control().start(List.of(call));
        return granted(answer(call), request);
    }

    /// Acquires a shared lease to read.
    public Lease acquireRead(RemoteAddress address, long lengthBytes, Duration term) {
        return acquire(LeaseRequest.read(address, lengthBytes, term));
    }

    /// Acquires an exclusive lease to read, write and use atomics.
    public Lease acquireWrite(RemoteAddress address, long lengthBytes, Duration term) {
        return acquire(LeaseRequest.write(address, lengthBytes, term));
    }

    /// A lease on all memory that never ends and that nothing checks: for measuring what protection costs.
    ///
    /// @throws AccessDeniedException unless the node was started with [NodeOptions#allowingUnprotected()]
    public Lease unprotected() {
        Unprotected reply = core.call("unprotect", new Unprotect(), Unprotected.class);
        return new Lease(core, core.remote(0), core.dataBytes(), Set.of(AccessRight.values()), reply.key());
    }

    /// A batch of data operations of this session.
    public Batch batch() {
        return core.batch();
    }

    /// Allocates zeroed memory that lives as long as this session.
    public RemoteAddress allocate(long bytes) {
        return address(core.call("allocate", new Allocate(bytes), Allocated.class).offset());
    }

    /// Frees what [#allocate(long)] returned.
    public void free(RemoteAddress address) {
        requireNode(address);
        core.call("free", new Free(address.offset()), Done.class);
    }

    /// Opens named memory, creating it zeroed if there is none.
    ///
    /// @throws NoSuchNameException if it exists with another size
    public NamedMemory openOrCreate(String name, long bytes) {
        return named(name, core.call("open " + name, new OpenNamed(name, bytes, true), Named.class));
    }

    /// Opens named memory.
    ///
    /// @throws NoSuchNameException if there is none
    public NamedMemory open(String name) {
        return named(name, core.call("open " + name, new OpenNamed(name, 0, false), Named.class));
    }

    private NamedMemory named(String name, Named reply) {
        return new NamedMemory(name, address(reply.offset()), reply.lengthBytes(), reply.created());
    }

    /// Frees named memory; leases on it end.
    public void freeNamed(String name) {
        core.call("free " + name, new FreeNamed(name), Done.class);
    }

    /// Opens a heap, creating it with a zeroed root of `rootBytes` if there is none.
    ///
    /// @throws NoSuchNameException if it exists with a smaller root
    public RemoteHeap openHeap(String name, long rootBytes) {
        Heap reply = core.call("open heap " + name, new OpenHeap(name, rootBytes, true), Heap.class);
        return new RemoteHeap(this, core, name, reply);
    }

    /// Destroys a heap with all that is in it; leases on it end.
    public void destroyHeap(String name) {
        core.call("destroy heap " + name, new DestroyHeap(name), Done.class);
    }

    RemoteAddress address(long offset) {
        return new RemoteAddress(core.node(), offset);
    }

    /// The node's clock as this session knows it, in nanoseconds from an arbitrary origin that all sessions of the node share. It
    /// is off by [#clockUncertainty()] at most, may go back by as much when more is learned, and costs no round trip.
    public long nodeNanos() {
        return core.clock().middleNodeNanos();
    }

    /// The bound of the difference between this session's idea of the node's clock and the node's clock, now.
    public Duration clockUncertainty() {
        return core.clock().uncertainty();
    }

    /// What leases of the node rest on.
    public LeaseBacking backing() {
        return core.backing();
    }

    /// What the session is made of, for tests.
    SessionCore core() {
        return core;
    }

    /// Ends the session at the node: its leases end, its memory is freed; then closes its queue pairs. If the node cannot be
    /// reached, it does the same when the session's term has passed.
    @Override
    public void close() {
        core.close();
    }
}
