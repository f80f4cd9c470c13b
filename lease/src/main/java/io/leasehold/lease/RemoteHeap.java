package io.leasehold.lease;

import io.leasehold.lease.ControlMessage.AllocateExtent;
import io.leasehold.lease.ControlMessage.Allocated;
import io.leasehold.lease.ControlMessage.Done;
import io.leasehold.lease.ControlMessage.Heap;
import io.leasehold.lease.ControlMessage.Range;
import io.leasehold.lease.ControlMessage.Retire;
import java.time.Duration;
import java.util.List;
import java.util.Set;

/// A named, growing piece of a node's memory in which one shared structure lives: a fixed root, and extents that sessions cut
/// blocks from.
///
/// Writing takes an [LeaseMode#EXCLUSIVE] lease everywhere in a heap; reading, and in the root and in [HeapKind#INDEX] chunks
/// atomics, may be leased [LeaseMode#UNCHECKED]. What is retired goes to quarantine, and is handed out again only after every
/// lease that was granted before and overlaps it has ended. Thread-safe; one control round trip a call.
public final class RemoteHeap {
    private final Session session;
    private final SessionCore core;
    private final String name;
    private final Heap heap;

    RemoteHeap(Session session, SessionCore core, String name, Heap heap) {
        this.session = session;
        this.core = core;
        this.name = name;
        this.heap = heap;
    }

    /// The heap's name at the node.
    public String name() {
        return name;
    }

    /// Whether this call created the heap.
    public boolean created() {
        return heap.created();
    }

    /// The first byte of the root, which was zeroed when the heap was created.
    public RemoteAddress root() {
        return session.address(heap.rootOffset());
    }

    /// The length of the root in bytes.
    public long rootBytes() {
        return heap.rootBytes();
    }

    /// Takes an extent of at least `minBytes`, and of `preferredBytes` if there is one. Its content is undefined.
    ///
    /// @throws CapacityException if the node has no memory
    /// @throws OutcomeUnknownException if the node did not answer; an extent that it takes too late is retired
    public Extent allocate(HeapKind kind, long minBytes, long preferredBytes) {
        Allocated reply = core.call("allocate in heap " + name, new AllocateExtent(heap.heap(), kind, minBytes,
                preferredBytes), Allocated.class);
        return new Extent(session.address(reply.offset()), reply.lengthBytes());
    }

    /// Gives ranges back, whoever allocated them; all or none. Each must be 64-byte aligned, wholly allocated and not yet
    /// retired.
    ///
    /// More than [ControlCodec#RANGES_MAX] take one round trip for each so many, and then all or none holds for each of these.
    ///
    /// @throws OutcomeUnknownException if the node did not answer: trying again is refused if it has retired them
    public void retire(List<Extent> ranges) {
        for (int from = 0; from < ranges.size(); from += ControlCodec.RANGES_MAX) {
            List<Extent> part = ranges.subList(from, Math.min(ranges.size(), from + ControlCodec.RANGES_MAX));
            List<Range> offsets = part.stream().map(range -> new Range(range.address().offset(), range.lengthBytes())).toList();
            core.call("retire in heap " + name, new Retire(heap.heap(), offsets), Done.class);
        }
    }

    /// Leases the whole chunk (or the root) that holds `address`, unchecked: READ, and in the root and INDEX chunks ATOMIC. The
    /// lease is auto-extended until `maxLife`.
    ///
    /// @throws AccessDeniedException if the kind of the chunk does not allow `rights`
    public Lease leaseChunk(RemoteAddress address, Set<AccessRight> rights, Duration term, Duration maxLife) {
        return session
                .acquireChunk(new LeaseRequest(address, 1, rights, LeaseMode.UNCHECKED, term, maxLife, Duration.ZERO, true));
    }
}
