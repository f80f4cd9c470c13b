package io.leasehold.lease;

import io.leasehold.lease.FreeRanges.Span;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.EnumMap;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/// A node's memory, cut into allocations of 64-byte multiples.
///
/// What is handed out is zero: freed memory waits until it was zeroed, which happens in small steps ([#scrub]) between other
/// work, so that neither a large allocation nor a large release holds the control thread up. Nobody holds a lease on memory that
/// is being zeroed. For one thread.
final class NodeMemory {
    /// Every allocation and extent starts at a multiple of it and has a multiple of it.
    static final int GRANULE_BYTES = 64;

    private final MemorySegment memory;
    private final FreeRanges zeroed = new FreeRanges(_ -> false);
    private final ArrayDeque<Span> freed = new ArrayDeque<>();
    private final TreeMap<Long, Allocation> allocations = new TreeMap<>();
    private final Map<AccessPolicy.Kind, Long> bytesByKind = new EnumMap<>(AccessPolicy.Kind.class);
    private long freedBytes;
    private long scrubbedBytes;

    /// @param memory all of it; zero
    NodeMemory(MemorySegment memory) {
        this.memory = memory;
        zeroed.add(0, memory.byteSize());
    }

    static long roundUp(long bytes) {
        return bytes + GRANULE_BYTES - 1 & -GRANULE_BYTES;
    }

    long bytes() {
        return memory.byteSize();
    }

    /// Bytes that can be allocated.
    long freeBytes() {
        return zeroed.bytes() + freedBytes;
    }

    /// Bytes that are allocated to memory of a kind.
    long bytesOf(AccessPolicy.Kind kind) {
        return bytesByKind.getOrDefault(kind, 0L);
    }

    /// The longest allocation that would succeed now.
    long longestFreeBytes() {
        return zeroed.longest();
    }

    /// Whether `lengthBytes` cannot be had now, but perhaps when all that is free was zeroed.
    boolean mustWaitFor(long lengthBytes) {
        return freedBytes > 0 && lengthBytes <= freeBytes() && roundUp(lengthBytes) > zeroed.longest();
    }

    /// How many bytes were zeroed since the node was started.
    long scrubbedBytes() {
        return scrubbedBytes;
    }

    /// What [#scrubbedBytes] will be when all that is free now was zeroed.
    long scrubHorizon() {
        return scrubbedBytes + freedBytes;
    }

    /// Allocates zeroed memory.
    ///
    /// @return the allocation, or `null` if there is no zeroed range so long
    @Nullable Allocation allocate(long lengthBytes, Allocation.Use use) {
        if (lengthBytes > bytes()) {
            return null;
        }
        long reserved = roundUp(lengthBytes);
        long offset = zeroed.take(reserved);
        if (offset < 0) {
            return null;
        }
        Allocation allocation = new Allocation(offset, lengthBytes, use);
        allocations.put(offset, allocation);
        bytesByKind.merge(use.target().kind(), reserved, Long::sum);
        return allocation;
    }

    /// Frees an allocation that no lease lives on.
    void free(Allocation allocation) {
        if (!allocation.leases().isEmpty() || allocations.remove(allocation.offset()) != allocation) {
            throw new IllegalStateException("allocation at " + allocation.offset() + " has leases or was freed before");
        }
        long reserved = allocation.reservedBytes();
        bytesByKind.merge(allocation.use().target().kind(), -reserved, Long::sum);
        freed.add(new Span(allocation.offset(), reserved));
        freedBytes += reserved;
    }

    /// The allocation that holds the byte at `offset`, if there is one.
    @Nullable Allocation at(long offset) {
        Map.Entry<Long, Allocation> entry = allocations.floorEntry(offset);
        return entry != null && entry.getValue().covers(offset, 1) ? entry.getValue() : null;
    }

    /// Zeroes up to `bytesMax` freed bytes and makes them allocatable.
    ///
    /// @return whether there is more to do
    boolean scrub(long bytesMax) {
        long left = bytesMax;
        while (left > 0 && !freed.isEmpty()) {
            Span span = freed.removeFirst();
            long now = Math.min(span.lengthBytes(), roundUp(Math.min(left, bytes())));
            memory.asSlice(span.offset(), now).fill((byte) 0);
            zeroed.add(span.offset(), now);
            freedBytes -= now;
            scrubbedBytes += now;
            left -= now;
            if (now < span.lengthBytes()) {
                freed.addFirst(new Span(span.offset() + now, span.lengthBytes() - now));
            }
        }
        return !freed.isEmpty();
    }
}
