package io.leasehold.lease;

import io.leasehold.lease.Allocation.Use;
import io.leasehold.lease.ControlMessage.Range;
import io.leasehold.lease.FreeRanges.Span;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.Collections;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/// A heap: a root, and chunks that extents are cut from.
///
/// Each granule of a chunk is free, allocated or in quarantine; only allocated ones can be retired, and whoever retires a range
/// need not be who allocated it. A range leaves quarantine when every lease that was granted on its chunk before it was retired
/// has ended; [#reclaim] then makes it free, in small steps. For one thread.
final class NodeHeap {
    /// The size of a heap's first chunk; later ones are as large as the heap was, rounded down to a power of two.
    static final long CHUNK_BYTES_MIN = 256 << 10;
    /// Chunks are larger only if an extent needs it.
    static final long CHUNK_BYTES_MAX = 16 << 20;

    // So many are reclaimed at most before an allocation: not to hold up whoever else waits.
    private static final int RECLAIM_MAX = 1024;
    private static final int GRANULE = NodeMemory.GRANULE_BYTES;

    private final long id;
    private final String name;
    private final NodeMemory memory;
    private final Map<Long, Chunk> chunks = new HashMap<>();
    private final Map<HeapKind, FreeRanges> free = new EnumMap<>(HeapKind.class);
    private final Map<HeapKind, Long> chunkBytes = new EnumMap<>(HeapKind.class);
    private final ArrayDeque<Released> released = new ArrayDeque<>();
    // The root, then the chunks in the order they were made.
    private final List<Allocation> spaces = new ArrayList<>();
    private long quarantinedBytes;
    private long reclaimedBatches;

    private record Chunk(Allocation space, HeapKind kind, BitSet allocated, Quarantine quarantine) {
        int granule(long offset) {
            return (int) ((offset - space.offset()) / GRANULE);
        }

        void mark(long offset, long lengthBytes, boolean isAllocated) {
            allocated.set(granule(offset), granule(offset + lengthBytes), isAllocated);
        }

        boolean isAllocated(long offset, long lengthBytes) {
            return allocated.nextClearBit(granule(offset)) >= granule(offset + lengthBytes);
        }
    }

    private record Released(HeapKind kind, Quarantine.Batch batch) {
    }

    private NodeHeap(long id, String name, NodeMemory memory) {
        this.id = id;
        this.name = name;
        this.memory = memory;
        for (HeapKind kind : HeapKind.values()) {
            // Ranges of two chunks never grow together: no lease could cover an extent of both.
            free.put(kind, new FreeRanges(chunks::containsKey));
            chunkBytes.put(kind, 0L);
        }
    }

    /// Makes a heap with a zeroed root.
    ///
    /// @return the heap, or `null` if there is no memory for its root
    static @Nullable NodeHeap create(long id, String name, long rootBytes, NodeMemory memory) {
        NodeHeap heap = new NodeHeap(id, name, memory);
        Allocation root = memory.allocate(rootBytes, new Use.HeapRoot(heap));
        if (root == null) {
            return null;
        }
        heap.spaces.add(root);
        return heap;
    }

    long id() {
        return id;
    }

    String name() {
        return name;
    }

    AccessPolicy.Target target() {
        return new AccessPolicy.Target(AccessPolicy.Kind.HEAP, name);
    }

    Allocation root() {
        return spaces.getFirst();
    }

    /// The root and the chunks.
    List<Allocation> spaces() {
        return Collections.unmodifiableList(spaces);
    }

    /// Bytes that were retired and are not free yet.
    long quarantinedBytes() {
        return quarantinedBytes;
    }

    /// Allocates an extent of at least `minBytes`, and of `preferredBytes` if that can be had without wasting what is free.
    ///
    /// @return the extent, or `null` if there is no memory
    @Nullable Span allocate(HeapKind kind, long minBytes, long preferredBytes) {
        if (minBytes > memory.bytes()) {
            return null;
        }
        long min = NodeMemory.roundUp(minBytes);
        long wanted = Math.max(min, NodeMemory.roundUp(Math.min(preferredBytes, CHUNK_BYTES_MAX)));
        FreeRanges ranges = free(kind);
        if (ranges.longest() < wanted) {
            reclaim(RECLAIM_MAX);
        }
        // While most of the heap is free, pieces shorter than preferred are used up before it grows.
        boolean grows = ranges.longest() < wanted && (ranges.longest() < min || ranges.bytes() < chunkBytes(kind) / 2);
        if (grows) {
            grow(kind, min, wanted);
        }
        long length = Math.min(wanted, ranges.longest());
        if (length < min) {
            return null;
        }
        long offset = ranges.take(length);
        chunkOf(offset).mark(offset, length, true);
        return new Span(offset, length);
    }

    /// Whether `minBytes` cannot be had now, but perhaps when all that has left quarantine was reclaimed, or all that is free was
    /// zeroed.
    boolean mustWaitFor(HeapKind kind, long minBytes) {
        return NodeMemory.roundUp(minBytes) > free(kind).longest() && memory.longestFreeBytes() < NodeMemory.roundUp(minBytes)
                && (!released.isEmpty() || memory.mustWaitFor(minBytes));
    }

    /// How many batches that had left quarantine were made free since the heap was made.
    long reclaimedBatches() {
        return reclaimedBatches;
    }

    /// What [#reclaimedBatches] will be when all that has left quarantine now is free.
    long reclaimHorizon() {
        return reclaimedBatches + released.size();
    }

    private void grow(HeapKind kind, long min, long wanted) {
        long chunk = Math.clamp(Long.highestOneBit(Math.max(1, chunkBytes(kind))), CHUNK_BYTES_MIN, CHUNK_BYTES_MAX);
        Allocation space = null;
        long size = Math.max(chunk, wanted);
        while (space == null && size >= min) {
            space = memory.allocate(size, new Use.HeapChunk(this, kind));
            size = size == min ? 0 : Math.max(min, NodeMemory.roundUp(size / 2));
        }
        if (space != null) {
            spaces.add(space);
            chunks.put(space.offset(), new Chunk(space, kind, new BitSet(), new Quarantine()));
            chunkBytes.merge(kind, space.reservedBytes(), Long::sum);
            free(kind).add(space.offset(), space.reservedBytes());
        }
    }

    /// Retires `ranges`, all or none.
    ///
    /// @return what is wrong with them, or `null` if they were retired
    @Nullable String retire(List<Range> ranges) {
        for (int i = 0; i < ranges.size(); i++) {
            String fault = take(ranges.get(i));
            if (fault != null) {
                ranges.subList(0, i).forEach(taken -> chunkOf(taken.offset()).mark(taken.offset(), taken.lengthBytes(), true));
                return fault;
            }
        }
        for (Range range : ranges) {
            Chunk chunk = chunkOf(range.offset());
            if (chunk.space.leases().isEmpty()) {
                free(chunk.kind).add(range.offset(), range.lengthBytes());
            } else {
                chunk.quarantine.add(range.offset(), range.lengthBytes(), chunk.space.leases());
                quarantinedBytes += range.lengthBytes();
            }
        }
        return null;
    }

    /// Marks a range as no longer allocated, if it is.
    private @Nullable String take(Range range) {
        long offset = range.offset();
        long length = range.lengthBytes();
        if (offset < 0 || length < 1 || (offset | length) % GRANULE != 0) {
            return "range " + offset + " of " + length + " bytes is no multiple of " + GRANULE;
        }
        Allocation space = memory.at(offset);
        Chunk chunk = space == null ? null : chunks.get(space.offset());
        if (chunk == null || !chunk.space.covers(offset, length) || !chunk.isAllocated(offset, length)) {
            return "range " + offset + " of " + length + " bytes is not allocated in heap '" + name + "'";
        }
        chunk.mark(offset, length, false);
        return null;
    }

    /// A lease on `space` has ended: what waited for it alone leaves quarantine.
    ///
    /// @return whether [#reclaim] has something to do
    boolean leaseEnded(Allocation space) {
        Chunk chunk = chunks.get(space.offset());
        if (chunk != null) {
            Quarantine.Batch batch;
            while ((batch = chunk.quarantine.poll(space.leases())) != null) {
                released.add(new Released(chunk.kind, batch));
            }
        }
        return !released.isEmpty();
    }

    /// Makes up to `rangesMax` ranges that have left quarantine free.
    ///
    /// @return whether there is more to do
    boolean reclaim(int rangesMax) {
        for (int left = rangesMax; left > 0 && !released.isEmpty(); left--) {
            Released first = released.getFirst();
            quarantinedBytes -= first.batch.moveLast(free(first.kind));
            if (first.batch.isEmpty()) {
                released.removeFirst();
                reclaimedBatches++;
            }
        }
        return !released.isEmpty();
    }

    /// Gives all of it to `free`.
    void destroy(Consumer<Allocation> free) {
        spaces.forEach(free);
        spaces.clear();
        chunks.clear();
        released.clear();
        quarantinedBytes = 0;
    }

    private Chunk chunkOf(long offset) {
        Allocation space = memory.at(offset);
        Chunk chunk = space == null ? null : chunks.get(space.offset());
        if (chunk == null) {
            throw new IllegalStateException("offset " + offset + " is in no chunk of heap '" + name + "'");
        }
        return chunk;
    }

    private FreeRanges free(HeapKind kind) {
        return Objects.requireNonNull(free.get(kind));
    }

    private long chunkBytes(HeapKind kind) {
        return chunkBytes.getOrDefault(kind, 0L);
    }
}
