package io.leasehold.structures;

import static org.assertj.core.api.Assertions.assertThat;

import io.leasehold.lease.HeapKind;
import io.leasehold.lease.MemoryNode;
import io.leasehold.lease.NodeOptions;
import io.leasehold.lease.Session;
import io.leasehold.lease.SessionOptions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

/// When the leases of a map have been replaced by younger ones, what a client remembers of one key is no burden to others.
final class RenewedLeasesTest {
    private static final int KEYS = 500;
    private static final int BATCH = MapDriver.BATCH_KEYS;

    private final AtomicLong aheadNanos = new AtomicLong();

    private LeasedMemory memory(Session session, MapOptions options) {
        return new LeasedMemory(session, session.openHeap("map", MapRoot.bytes(options.maxDepth())), options.protection(),
                LeaseTerms.DEFAULT, () -> SystemSources.NANOS.getAsLong() + aheadNanos.get(), SystemSources.RANDOM);
    }

    @Test
    void aPlaceOfOldIsLookedUpAlone_inABatch() {
        MapOptions options = MapOptions.defaults();
        try (MemoryNode node = MemoryNode.start(NodeOptions.ofMemory(64 << 20));
                Session session = Session.connect(node.address(), SessionOptions.defaults())) {
            WatchedMemory memory = new WatchedMemory(memory(session, options));
            try (RemoteHashMap<Long, Long> map = RemoteHashMap.on(memory, "map", Codec.LONG, Codec.LONG, options)) {
                for (long key = 0; key < KEYS; key++) {
                    map.put(key, key);
                }
                List<Long> batch = new ArrayList<>();
                for (long key = 0; key < BATCH - 1; key++) {
                    batch.add(key);
                }
                aheadNanos.addAndGet(Duration.ofSeconds(10).toNanos());
                // The first replaces the leases that are due, the second relies on them.
                map.getAll(batch);
                map.getAll(batch);
                memory.reset();
                map.getAll(batch);
                assertThat(memory.roundTrips()).as("round trips where all places are known").isEqualTo(1);
                for (long old = KEYS - 10; old < KEYS; old++) {
                    batch.add(old);
                    memory.reset();
                    assertThat(map.getAll(batch)).hasSize(BATCH).containsEntry(old, old);
                    assertThat(directoryReads(memory)).as("READs of the directory for %d keys, of which one was not read lately", BATCH)
                            .isLessThanOrEqualTo(2);
                    memory.reset();
                    assertThat(map.getAll(batch)).hasSize(BATCH);
                    assertThat(memory.roundTrips()).as("round trips when key %d was read", old).isEqualTo(1);
                    batch.removeLast();
                }
            }
        }
    }

    private static long directoryReads(WatchedMemory memory) {
        return memory.reads().stream().filter(read -> read.kind() == HeapKind.INDEX && read.address() >= memory.root()
                && read.address() < memory.root() + memory.rootBytes()).count();
    }
}
