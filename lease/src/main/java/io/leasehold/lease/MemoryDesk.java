package io.leasehold.lease;

import io.leasehold.lease.Allocation.Use;
import io.leasehold.lease.ControlMessage.Acquire;
import io.leasehold.lease.ControlMessage.Allocate;
import io.leasehold.lease.ControlMessage.AllocateExtent;
import io.leasehold.lease.ControlMessage.Allocated;
import io.leasehold.lease.ControlMessage.DestroyHeap;
import io.leasehold.lease.ControlMessage.Done;
import io.leasehold.lease.ControlMessage.Free;
import io.leasehold.lease.ControlMessage.FreeNamed;
import io.leasehold.lease.ControlMessage.Heap;
import io.leasehold.lease.ControlMessage.Named;
import io.leasehold.lease.ControlMessage.OpenHeap;
import io.leasehold.lease.ControlMessage.OpenNamed;
import io.leasehold.lease.ControlMessage.Reason;
import io.leasehold.lease.ControlMessage.Reply;
import io.leasehold.lease.ControlMessage.Request;
import io.leasehold.lease.ControlMessage.Retire;
import io.leasehold.lease.FreeRanges.Span;
import io.leasehold.rdma.AccessFlag;
import java.lang.System.Logger.Level;
import java.util.ArrayDeque;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/// Serves the requests about memory: who may use what, what is named how, and what a lease may cover. For the control thread.
final class MemoryDesk {
    /// Most names of named memory and of heaps, each.
    private static final int NAMES_MAX = 1 << 16;
    /// Ranges that leave quarantine, and bytes that are zeroed, between two looks at the network.
    private static final int RECLAIM_STEP = 256;
    private static final long SCRUB_STEP_BYTES = 256 << 10;
    /// The largest extent: what is kept about one of its size is small.
    private static final long EXTENT_MAX_BYTES = 1L << 30;

    private static final System.Logger LOG = System.getLogger(MemoryDesk.class.getName());

    private final NodeOptions options;
    private final NodeMemory memory;
    private final long leaseBytesMax;
    private final Consumer<Allocation> evict;
    private final Map<String, Allocation> named = new HashMap<>();
    private final Map<String, NodeHeap> heapsByName = new HashMap<>();
    private final Map<Long, NodeHeap> heaps = new HashMap<>();
    private final ArrayDeque<NodeHeap> reclaimable = new ArrayDeque<>();
    // What is to be freed when the device has taken back the keys of its last leases.
    private final Set<Allocation> condemned = new HashSet<>();
    private long lastHeap;

    /// @param leaseBytesMax the longest range that a lease can cover: that a window can be bound to, if there are windows
    /// @param evict ends all leases on memory, and refuses the requests for it, before it is freed
    MemoryDesk(NodeOptions options, NodeMemory memory, long leaseBytesMax, Consumer<Allocation> evict) {
        this.options = options;
        this.memory = memory;
        this.leaseBytesMax = leaseBytesMax;
        this.evict = evict;
    }

    NodeMemory memory() {
        return memory;
    }

    long quarantinedBytes() {
        return heaps.values().stream().mapToLong(NodeHeap::quarantinedBytes).sum();
    }

    // ---- what a lease may cover

    /// The memory that `acquire` is about, if the session may lease it so.
    Allocation spaceOf(NodeSession session, Acquire acquire) throws RefusedException {
        checkForm(acquire);
        Allocation space = memory.at(acquire.offset());
        if (space == null || condemned.contains(space) || isOfAnother(space, session) || !acquire.wholeChunk()
                && !space.covers(acquire.offset(), acquire.lengthBytes())) {
            throw new RefusedException(Reason.OUT_OF_BOUNDS, "range " + acquire.offset() + " of " + acquire.lengthBytes()
                    + " bytes lies in no allocation that the session may use");
        }
        checkHeapRule(space, acquire);
        checkPolicy(session, space.use().target(), rightsFor(acquire));
        return space;
    }

    /// What the lease will be.
    LeaseTerms termsOf(Acquire acquire, Allocation space) throws RefusedException {
        long maxTermNanos = options.maxTerm().toNanos();
        LeaseTerms terms = acquire.wholeChunk() ? LeaseTerms.of(acquire, space.offset(), space.lengthBytes(), maxTermNanos)
                : LeaseTerms.of(acquire, acquire.offset(), acquire.lengthBytes(), maxTermNanos);
        if (terms.lengthBytes() > leaseBytesMax) {
            // Before a window is taken: the bind would break the queue pair of the session.
            throw bad("a lease on " + terms.lengthBytes() + " bytes; the node's device binds windows of at most " + leaseBytesMax
                    + ": acquire several leases on parts of the range");
        }
        return terms;
    }

    private static void checkForm(Acquire acquire) throws RefusedException {
        if (acquire.offset() < 0 || acquire.lengthBytes() < 1 && !acquire.wholeChunk()) {
            throw bad("range " + acquire.offset() + " of " + acquire.lengthBytes() + " bytes is none");
        }
        if (acquire.access() == 0 || (acquire.access() & ~AccessRight.mask(EnumSet.allOf(AccessRight.class))) != 0) {
            throw bad("access bits 0x" + Integer.toHexString(acquire.access()) + " are none of READ, WRITE and ATOMIC");
        }
        if (acquire.unitNanos() < 1 || acquire.units() < 1 || acquire.maxLifeNanos() < 1 || acquire.patienceNanos() < 0) {
            throw bad("unit " + acquire.unitNanos() + " ns, " + acquire.units() + " units, longest life "
                    + acquire.maxLifeNanos() + " ns or patience " + acquire.patienceNanos() + " ns is out of range");
        }
    }

    private static boolean isOfAnother(Allocation space, NodeSession session) {
        return space.use() instanceof Use.OfSession && session.memory.get(space.offset()) != space;
    }

    /// In a heap whoever writes excludes others, and atomics without exclusion are for words that all clients treat so.
    private static void checkHeapRule(Allocation space, Acquire acquire) throws RefusedException {
        boolean wantsAtomic = AccessRight.ATOMIC.in(acquire.access());
        boolean allowed = switch (space.use()) {
            case Use.OfSession _, Use.Named _ -> {
                if (acquire.wholeChunk()) {
                    throw new RefusedException(Reason.OUT_OF_BOUNDS, "offset " + acquire.offset() + " lies in no heap");
                }
                yield true;
            }
            case Use.HeapRoot _ -> !AccessRight.WRITE.in(acquire.access());
            case Use.HeapChunk(NodeHeap _, HeapKind kind) ->
                !AccessRight.WRITE.in(acquire.access()) && !(wantsAtomic && kind != HeapKind.INDEX);
        };
        if (!allowed && acquire.mode() != LeaseMode.EXCLUSIVE) {
            throw new RefusedException(Reason.NOT_PERMITTED, "in a heap WRITE, and outside its root and its INDEX chunks ATOMIC, "
                    + "needs an EXCLUSIVE lease");
        }
    }

    /// What the policy is asked about. Who excludes others keeps them from writing, and must be allowed to write for that.
    private static Set<AccessRight> rightsFor(Acquire acquire) {
        Set<AccessRight> rights = EnumSet.noneOf(AccessRight.class);
        for (AccessRight right : AccessRight.values()) {
            if (right.in(acquire.access()) || right == AccessRight.WRITE && acquire.mode() == LeaseMode.EXCLUSIVE) {
                rights.add(right);
            }
        }
        return rights;
    }

    private void checkPolicy(NodeSession session, AccessPolicy.Target target, Set<AccessRight> rights) throws RefusedException {
        boolean allowed;
        try {
            allowed = options.policy().allows(session.principal, target, Set.copyOf(rights));
        } catch (RuntimeException | Error e) {
            // Whatever a client makes another's code do, by its choice of names, concerns that client alone.
            LOG.log(Level.WARNING, "the access policy failed; the request is refused", e);
            allowed = false;
        }
        if (!allowed) {
            throw new RefusedException(Reason.NOT_PERMITTED, "the node's policy does not allow '" + session.principal + "' "
                    + rights + " on " + target.kind() + " '" + target.name() + "'");
        }
    }

    private void checkMayChange(NodeSession session, AccessPolicy.Kind kind, String name) throws RefusedException {
        checkPolicy(session, new AccessPolicy.Target(kind, name), Set.of(AccessRight.WRITE));
    }

    private void checkMayOpen(NodeSession session, AccessPolicy.Kind kind, String name) throws RefusedException {
        checkPolicy(session, new AccessPolicy.Target(kind, name), Set.of(AccessRight.READ));
    }

    // ---- memory of a session

    Reply allocate(NodeSession session, Allocate request) throws RefusedException {
        checkMayChange(session, AccessPolicy.Kind.SESSION, "");
        if (session.memory.size() == NodeSession.ALLOCATIONS_MAX) {
            throw new RefusedException(Reason.OUT_OF_MEMORY, "the session has " + NodeSession.ALLOCATIONS_MAX
                    + " allocations; allocate larger ones and divide them");
        }
        Allocation space = take(request.bytes(), new Use.OfSession(session.id));
        session.memory.put(space.offset(), space);
        return new Allocated(space.offset(), space.lengthBytes());
    }

    Reply free(NodeSession session, Free request) throws RefusedException {
        Allocation space = session.memory.get(request.offset());
        if (space == null) {
            throw bad("offset " + request.offset() + " is no allocation of this session, or was freed before");
        }
        session.memory.remove(space.offset());
        release(space);
        return new Done();
    }

    /// Frees all that a session has allocated; its leases have ended.
    void freeAll(NodeSession session) {
        session.memory.values().forEach(this::free);
        session.memory.clear();
    }

    // ---- named memory

    Reply openNamed(NodeSession session, OpenNamed request) throws RefusedException {
        Allocation space = named.get(request.name());
        if (space != null) {
            checkMayOpen(session, AccessPolicy.Kind.NAMED, request.name());
            if (request.bytes() != 0 && request.bytes() != space.lengthBytes()) {
                throw new RefusedException(Reason.NO_SUCH_NAME, "named memory '" + request.name() + "' has "
                        + space.lengthBytes() + " bytes, not " + request.bytes());
            }
            return new Named(space.offset(), space.lengthBytes(), false);
        }
        checkName(request.name(), request.create(), named, "named memory");
        checkMayChange(session, AccessPolicy.Kind.NAMED, request.name());
        space = take(request.bytes(), new Use.Named(request.name()));
        named.put(request.name(), space);
        return new Named(space.offset(), space.lengthBytes(), true);
    }

    Reply freeNamed(NodeSession session, FreeNamed request) throws RefusedException {
        Allocation space = named.get(request.name());
        if (space == null) {
            throw noSuchName("named memory", request.name());
        }
        checkMayChange(session, AccessPolicy.Kind.NAMED, request.name());
        named.remove(request.name());
        release(space);
        return new Done();
    }

    private static void checkName(String name, boolean create, Map<String, ?> names, String what) throws RefusedException {
        if (!create) {
            throw noSuchName(what, name);
        }
        if (name.isEmpty()) {
            throw bad("the name of " + what + " is empty");
        }
        if (names.size() == NAMES_MAX) {
            throw new RefusedException(Reason.OUT_OF_MEMORY, "the node has " + NAMES_MAX + " names of " + what);
        }
    }

    private static RefusedException noSuchName(String what, String name) {
        return new RefusedException(Reason.NO_SUCH_NAME, "there is no " + what + " '" + name + "'");
    }

    private Allocation take(long bytes, Use use) throws RefusedException {
        if (bytes < 1) {
            throw bad(bytes + " bytes of memory were asked for");
        }
        Allocation space = memory.allocate(bytes, use);
        if (space == null) {
            throw outOfMemory(bytes);
        }
        return space;
    }

    private RefusedException outOfMemory(long bytes) {
        return new RefusedException(Reason.OUT_OF_MEMORY, bytes + " bytes were asked for; " + memory.freeBytes() + " are free, "
                + memory.longestFreeBytes() + " in one piece; raise memoryBytes of the node's NodeOptions");
    }

    private void release(Allocation space) {
        evict.accept(space);
        free(space);
    }

    /// Frees memory that all leases have left or are about to.
    private void free(Allocation space) {
        if (space.leases().isEmpty()) {
            memory.free(space);
        } else {
            condemned.add(space);
        }
    }

    // ---- heaps

    Reply openHeap(NodeSession session, OpenHeap request) throws RefusedException {
        NodeHeap heap = heapsByName.get(request.name());
        if (heap != null) {
            checkMayOpen(session, AccessPolicy.Kind.HEAP, request.name());
            if (request.rootBytes() > heap.root().lengthBytes()) {
                throw new RefusedException(Reason.NO_SUCH_NAME, "the root of heap '" + request.name() + "' has "
                        + heap.root().lengthBytes() + " bytes, less than " + request.rootBytes());
            }
            return new Heap(heap.id(), heap.root().offset(), heap.root().lengthBytes(), false);
        }
        checkName(request.name(), request.create(), heapsByName, "heap");
        checkMayChange(session, AccessPolicy.Kind.HEAP, request.name());
        if (request.rootBytes() < 1) {
            throw bad("a root of " + request.rootBytes() + " bytes was asked for");
        }
        heap = NodeHeap.create(++lastHeap, request.name(), request.rootBytes(), memory);
        if (heap == null) {
            throw outOfMemory(request.rootBytes());
        }
        heaps.put(heap.id(), heap);
        heapsByName.put(heap.name(), heap);
        return new Heap(heap.id(), heap.root().offset(), heap.root().lengthBytes(), true);
    }

    Reply allocateExtent(NodeSession session, AllocateExtent request) throws RefusedException {
        NodeHeap heap = heap(session, request.heap());
        if (request.minBytes() < 1) {
            throw bad("an extent of at least " + request.minBytes() + " bytes was asked for");
        }
        if (request.minBytes() > EXTENT_MAX_BYTES) {
            throw bad("an extent of " + request.minBytes() + " bytes was asked for; the largest has " + EXTENT_MAX_BYTES);
        }
        Span extent = heap.allocate(request.kind(), request.minBytes(), Math.min(request.preferredBytes(), EXTENT_MAX_BYTES));
        if (extent == null) {
            throw outOfMemory(request.minBytes());
        }
        return new Allocated(extent.offset(), extent.lengthBytes());
    }

    Reply retire(NodeSession session, Retire request) throws RefusedException {
        String fault = heap(session, request.heap()).retire(request.ranges());
        if (fault != null) {
            throw bad(fault);
        }
        return new Done();
    }

    Reply destroyHeap(NodeSession session, DestroyHeap request) throws RefusedException {
        NodeHeap heap = heapsByName.get(request.name());
        if (heap == null) {
            throw noSuchName("heap", request.name());
        }
        checkMayChange(session, AccessPolicy.Kind.HEAP, request.name());
        heapsByName.remove(request.name());
        heaps.remove(heap.id());
        List.copyOf(heap.spaces()).forEach(evict);
        reclaimable.remove(heap);
        heap.destroy(this::free);
        return new Done();
    }

    private NodeHeap heap(NodeSession session, long id) throws RefusedException {
        NodeHeap heap = heaps.get(id);
        if (heap == null) {
            throw new RefusedException(Reason.NO_SUCH_NAME, "there is no heap " + id + ", or it was destroyed");
        }
        checkMayChange(session, AccessPolicy.Kind.HEAP, heap.name());
        return heap;
    }

    // ---- work that can wait

    /// What was free when a request came, but neither reclaimed nor zeroed: it waits for that, and for nothing that comes after.
    ///
    /// @param scrubbedBytes as of [NodeMemory#scrubHorizon]
    /// @param reclaimedBatches as of [NodeHeap#reclaimHorizon], if it is about a heap
    record Horizon(long scrubbedBytes, long reclaimedBatches) {
    }

    /// How long a request that came now would wait at most.
    Horizon horizon(Request request) {
        NodeHeap heap = request instanceof AllocateExtent extent ? heaps.get(extent.heap()) : null;
        return new Horizon(memory.scrubHorizon(), heap == null ? 0 : heap.reclaimHorizon());
    }

    /// Whether a request that came at a time must wait still.
    boolean mustWait(Request request, Horizon until) {
        NodeHeap heap = request instanceof AllocateExtent extent ? heaps.get(extent.heap()) : null;
        boolean over = memory.scrubbedBytes() >= until.scrubbedBytes
                && (heap == null || heap.reclaimedBatches() >= until.reclaimedBatches);
        return !over && mustWait(request);
    }

    /// Whether a request asks for memory that is free, but neither reclaimed nor zeroed yet: it is served after some steps of
    /// [#tidy].
    boolean mustWait(Request request) {
        return switch (request) {
            case Allocate(long bytes) -> memory.mustWaitFor(bytes);
            case OpenNamed open -> open.create() && !named.containsKey(open.name()) && memory.mustWaitFor(open.bytes());
            case OpenHeap open -> open.create() && !heapsByName.containsKey(open.name()) && memory.mustWaitFor(open.rootBytes());
            case AllocateExtent(long id, HeapKind kind, long minBytes, long _) -> {
                NodeHeap heap = heaps.get(id);
                yield heap != null && minBytes <= memory.bytes() && heap.mustWaitFor(kind, minBytes);
            }
            default -> false;
        };
    }

    /// A lease on `space` has ended.
    void leaseEnded(Allocation space) {
        if (space.leases().isEmpty() && condemned.remove(space)) {
            memory.free(space);
        }
        @Nullable NodeHeap heap = space.use() instanceof Use.HeapChunk(NodeHeap of, HeapKind _) ? of : null;
        if (heap != null && heap.leaseEnded(space) && !reclaimable.contains(heap)) {
            reclaimable.add(heap);
        }
    }

    /// Does a small step of what waits to be reclaimed and zeroed.
    ///
    /// @return whether there is more
    boolean tidy() {
        NodeHeap first = reclaimable.peekFirst();
        if (first != null && !first.reclaim(RECLAIM_STEP)) {
            reclaimable.removeFirst();
        }
        return memory.scrub(SCRUB_STEP_BYTES) || !reclaimable.isEmpty();
    }

    /// Finishes what [#tidy] would do for heaps, so that what is in quarantine is there for the sake of a lease.
    void reclaimAll() {
        reclaimable.forEach(heap -> heap.reclaim(Integer.MAX_VALUE));
        reclaimable.clear();
    }

    private static RefusedException bad(String detail) {
        return new RefusedException(Reason.BAD_REQUEST, detail);
    }
}
