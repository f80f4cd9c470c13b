package io.leasehold.lease;

import static org.assertj.core.api.Assertions.assertThat;

import io.leasehold.lease.Allocation.Use;
import io.leasehold.lease.ControlMessage.Range;
import io.leasehold.lease.FreeRanges.Span;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import net.jqwik.api.Example;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;

/// Extents, retirement and quarantine against one table entry for each granule.
final class NodeHeapProperties {
    private static final int GRANULE = NodeMemory.GRANULE_BYTES;

    /// What the model knows: each granule that is not free, and who may still see it.
    private static final class Model {
        final Map<Long, Set<Long>> quarantined = new HashMap<>();
        final TreeMap<Long, Long> extents = new TreeMap<>();
        final Map<Long, Allocation> leases = new TreeMap<>();

        Set<Long> seenBy(Allocation space) {
            Set<Long> ids = new HashSet<>();
            leases.forEach((id, leased) -> {
                if (leased == space) {
                    ids.add(id);
                }
            });
            return ids;
        }
    }

    @Property(tries = 200)
    void whatALeaseCanSeeIsNotHandedOutAgain(@ForAll long seed) {
        Random random = new Random(seed);
        try (Arena arena = Arena.ofConfined()) {
            NodeMemory memory = new NodeMemory(arena.allocate(1 << 20));
            NodeHeap heap = Objects.requireNonNull(NodeHeap.create(1, "heap", 128, memory));
            Model model = new Model();
            long nextLease = 1;
            for (int step = 0; step < 300; step++) {
                switch (random.nextInt(6)) {
                    case 0, 1 -> allocate(heap, model, random);
                    case 2, 3 -> retire(heap, memory, model, random);
                    case 4 -> lease(heap, model, random, nextLease++);
                    default -> endLease(heap, model, random);
                }
                heap.reclaim(random.nextInt(4));
                assertThat(heap.quarantinedBytes()).isGreaterThanOrEqualTo((long) model.quarantined.size() * GRANULE);
                assertThat(memory.bytesOf(AccessPolicy.Kind.HEAP) + memory.freeBytes()).isEqualTo(memory.bytes());
            }
            endAll(heap, memory, model);
        }
    }

    private static void allocate(NodeHeap heap, Model model, Random random) {
        HeapKind kind = HeapKind.values()[random.nextInt(2)];
        long min = 1 + random.nextInt(20_000);
        long preferred = random.nextInt(100_000);
        Span span = heap.allocate(kind, min, preferred);
        if (span == null) {
            return;
        }
        assertThat(span.lengthBytes()).isBetween(min, Math.max(min, preferred) + GRANULE - 1);
        assertThat((span.offset() | span.lengthBytes()) % GRANULE).isZero();
        forEachGranule(span.offset(), span.lengthBytes(), granule -> {
            assertThat(model.quarantined).as("a lease may still see it").doesNotContainKey(granule);
            Map.Entry<Long, Long> before = model.extents.floorEntry(granule);
            assertThat(before != null && before.getValue() > granule).as("allocated twice").isFalse();
        });
        assertThat(heap.spaces()).anyMatch(space -> space.covers(span.offset(), span.lengthBytes())
                && space.use() instanceof Use.HeapChunk(NodeHeap _, HeapKind ofChunk) && ofChunk == kind);
        model.extents.put(span.offset(), span.offset() + span.lengthBytes());
    }

    private static void retire(NodeHeap heap, NodeMemory memory, Model model, Random random) {
        if (model.extents.isEmpty()) {
            return;
        }
        long first = new ArrayList<>(model.extents.keySet()).get(random.nextInt(model.extents.size()));
        long last = Objects.requireNonNull(model.extents.get(first));
        long start = first + random.nextLong((last - first) / GRANULE) * GRANULE;
        long end = start + (1 + random.nextLong((last - start) / GRANULE)) * GRANULE;
        Range range = new Range(start, end - start);
        assertThat(heap.retire(List.of(range, range))).as("twice in one request").isNotNull();
        assertThat(heap.retire(List.of(range, new Range(end, 64L << 40)))).as("one of two is wrong").isNotNull();
        assertThat(heap.retire(List.of(range))).isNull();
        assertThat(heap.retire(List.of(range))).as("a second time").isNotNull();
        model.extents.remove(first);
        if (start > first) {
            model.extents.put(first, start);
        }
        if (end < last) {
            model.extents.put(end, last);
        }
        Set<Long> seenBy = model.seenBy(Objects.requireNonNull(memory.at(start)));
        if (!seenBy.isEmpty()) {
            forEachGranule(start, end - start, granule -> model.quarantined.put(granule, new HashSet<>(seenBy)));
        }
    }

    private static void lease(NodeHeap heap, Model model, Random random, long id) {
        Allocation space = heap.spaces().get(random.nextInt(heap.spaces().size()));
        space.leases().add(id);
        model.leases.put(id, space);
    }

    private static void endLease(NodeHeap heap, Model model, Random random) {
        if (!model.leases.isEmpty()) {
            List<Long> ids = new ArrayList<>(model.leases.keySet());
            end(heap, model, ids.get(random.nextInt(ids.size())));
        }
    }

    private static void end(NodeHeap heap, Model model, long id) {
        Allocation space = Objects.requireNonNull(model.leases.remove(id));
        space.leases().remove(id);
        heap.leaseEnded(space);
        model.quarantined.values().forEach(seenBy -> seenBy.remove(id));
        model.quarantined.values().removeIf(Set::isEmpty);
    }

    private static void endAll(NodeHeap heap, NodeMemory memory, Model model) {
        new ArrayList<>(model.leases.keySet()).forEach(id -> end(heap, model, id));
        heap.reclaim(Integer.MAX_VALUE);
        assertThat(heap.quarantinedBytes()).isZero();
        model.extents.forEach((start, end) -> assertThat(heap.retire(List.of(new Range(start, end - start)))).isNull());
        heap.destroy(memory::free);
        assertThat(memory.freeBytes()).isEqualTo(memory.bytes());
        memory.scrub(Long.MAX_VALUE);
        assertThat(memory.longestFreeBytes()).isEqualTo(memory.bytes());
    }

    private static void forEachGranule(long offset, long lengthBytes, java.util.function.LongConsumer seen) {
        for (long at = offset; at < offset + lengthBytes; at += GRANULE) {
            seen.accept(at);
        }
    }

    @Example
    void retirementsOfAHundredThousandBlocksAreOneBatch() {
        try (Arena arena = Arena.ofConfined()) {
            NodeMemory memory = new NodeMemory(arena.allocate(16 << 20));
            NodeHeap heap = Objects.requireNonNull(NodeHeap.create(1, "heap", 64, memory));
            Span extent = Objects.requireNonNull(heap.allocate(HeapKind.DATA, 100_000 * GRANULE, 0));
            Allocation chunk = heap.spaces().getLast();
            chunk.leases().add(1L);
            for (int i = 0; i < 100_000; i++) {
                assertThat(heap.retire(List.of(new Range(extent.offset() + (long) i * GRANULE, GRANULE)))).isNull();
            }
            assertThat(heap.quarantinedBytes()).isEqualTo(extent.lengthBytes());
            chunk.leases().add(2L);
            chunk.leases().remove(1L);
            assertThat(heap.leaseEnded(chunk)).isTrue();
            int steps = 1;
            while (heap.reclaim(256)) {
                steps++;
            }
            assertThat(steps).isEqualTo(391);
            assertThat(heap.quarantinedBytes()).isZero();
        }
    }

    @Example
    void freedMemoryIsZeroWhenItIsHandedOutAgain() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment bytes = arena.allocate(1 << 20);
            NodeMemory memory = new NodeMemory(bytes);
            Use use = new Use.Named("all");
            Allocation all = Objects.requireNonNull(memory.allocate(1 << 20, use));
            bytes.fill((byte) 1);
            memory.free(all);
            assertThat(memory.scrub(1000)).as("more to do").isTrue();
            assertThat(memory.freeBytes()).isEqualTo(1 << 20);
            assertThat(memory.allocate((1 << 20) + 1, use)).isNull();
            assertThat(memory.mustWaitFor((1 << 20) + 1)).isFalse();
            assertThat(memory.allocate(1 << 20, use)).isNull();
            assertThat(memory.mustWaitFor(1 << 20)).isTrue();
            assertThat(memory.scrub(1 << 20)).isFalse();
            assertThat(memory.mustWaitFor(1 << 20)).isFalse();
            assertThat(Objects.requireNonNull(memory.allocate(1 << 20, use)).lengthBytes()).isEqualTo(1 << 20);
            assertThat(bytes.mismatch(MemorySegment.ofArray(new byte[1 << 20]))).isEqualTo(-1);
        }
    }
}
