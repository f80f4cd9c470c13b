package io.leasehold.structures;

import io.leasehold.lease.HeapKind;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Predicate;

/// A simulated node with one map in it, for tests in which a client is stopped at a chosen step while others run.
final class MapWorld implements AutoCloseable {
    static final MapOptions OPTIONS = MapOptions.defaults().withGroupsPerSubtable(2).withMaxDepth(8);

    final SimulatedNode node;
    private final MapOptions options;
    private int clients;

    MapWorld() {
        this(OPTIONS, 16 << 20);
    }

    MapWorld(MapOptions options, int memoryBytes) {
        this.options = options;
        node = new SimulatedNode(Schedule.free(), memoryBytes, MapRoot.bytes(options.maxDepth()));
        open(client());
    }

    /// Frees the node's memory.
    @Override
    public void close() {
        node.close();
    }

    SimulatedMemory client() {
        return new SimulatedMemory(node, ++clients, false);
    }

    RemoteHashMap<String, String> open(Memory memory) {
        return RemoteHashMap.on(memory, "world", Codec.UTF_8, Codec.UTF_8, options);
    }

    RemoteHashMap<String, String> open() {
        return open(client());
    }

    /// Where an insertion is stopped.
    enum Stop {
        /// It has seen that there is no entry.
        BEFORE_CLAIM,
        /// Its tentative word is in place.
        AFTER_CLAIM,
        /// It has seen that it has no rival.
        BEFORE_COMMIT
    }

    /// Runs `action` once, when `client`, which inserts, has come to `stop`.
    static void at(Stop stop, SimulatedMemory client, Runnable action) {
        int[] swaps = new int[1];
        boolean[] done = new boolean[1];
        client.hook((at, verb, address) -> {
            boolean isSwap = verb.equals("CAS");
            boolean isThere = switch (stop) {
                case BEFORE_CLAIM -> isSwap;
                case AFTER_CLAIM -> !isSwap && swaps[0] == 1;
                case BEFORE_COMMIT -> isSwap && swaps[0] == 1;
            };
            if (isThere && !done[0]) {
                done[0] = true;
                action.run();
            }
            swaps[0] += isSwap ? 1 : 0;
        });
    }

    /// Runs `action` once, when `client` is about to do its first step that `step` accepts.
    static void before(SimulatedMemory client, Predicate<String> step, Runnable action) {
        boolean[] seen = new boolean[1];
        client.hook((at, verb, address) -> {
            if (!seen[0] && step.test(verb)) {
                seen[0] = true;
                action.run();
            }
        });
    }

    /// Runs `action` before every step of `client`.
    static void always(SimulatedMemory client, Runnable action) {
        boolean[] inside = new boolean[1];
        client.hook((at, verb, address) -> {
            if (!inside[0]) {
                inside[0] = true;
                action.run();
                inside[0] = false;
            }
        });
    }

    /// What `memory` resizes subtables with, without an operation that needs it.
    Resizing resizing(SimulatedMemory memory) {
        MapContext<String, String> context = MapContext.open("resizing", memory, options, Codec.UTF_8, Codec.UTF_8);
        return new Resizing(new Resizer(context), context);
    }

    /// Splits and merges on demand.
    record Resizing(Resizer resizer, MapContext<String, String> context) {
        void split(long hash, long subtable) {
            resizer.split(hash, subtable, context.deadline("split"));
        }

        void finish(long hash, long subtable) {
            resizer.finish(hash, subtable, context.deadline("split"));
        }

        void mergeAround(long hash) {
            resizer.mergeAround(hash, context.deadline("merge"));
        }

        long hash(String key) {
            return context.hashFunction().hashString(key, java.nio.charset.StandardCharsets.UTF_8).asLong();
        }
    }

    MapRoot root() {
        return MapRoot.open(client(), options, Codec.UTF_8.name(), Codec.UTF_8.name());
    }

    /// The slot words of all subtables that the directory leads to, which are not empty.
    List<Long> slots() {
        List<Long> words = new ArrayList<>();
        MapRoot root = root();
        try (Access access = client().access()) {
            for (long subtable : subtables(access, root)) {
                MemorySegment table = read(access, subtable, root.shape().bytes());
                for (int i = 0; i < root.shape().words(); i++) {
                    long word = table.getAtIndex(ValueLayout.JAVA_LONG, i);
                    if (!SubtableShape.isHeader(i) && !SlotWord.isEmpty(word)) {
                        words.add(word);
                    }
                }
            }
        }
        return words;
    }

    /// The addresses of the subtables that the directory leads to.
    List<Long> subtables() {
        try (Access access = client().access()) {
            return subtables(access, root());
        }
    }

    private static List<Long> subtables(Access access, MapRoot root) {
        long depth = read(access, root.depthAddress(), Long.BYTES).get(ValueLayout.JAVA_LONG, 0);
        MemorySegment entries = read(access, root.entryAddress(0), Long.BYTES << depth);
        List<Long> subtables = new ArrayList<>();
        for (int i = 0; i < 1 << depth; i++) {
            long subtable = MapRoot.entrySubtable(entries.getAtIndex(ValueLayout.JAVA_LONG, i));
            if (!subtables.contains(subtable)) {
                subtables.add(subtable);
            }
        }
        return subtables;
    }

    private static MemorySegment read(Access access, long address, int lengthBytes) {
        access.next();
        int position = access.read(HeapKind.INDEX, address, lengthBytes);
        access.execute();
        return access.data(position);
    }

    /// Bytes that `entries` entries of small keys and values, and the subtables that the directory leads to, take.
    long bytesOf(int entries) {
        return (long) entries * Memory.GRANULE + (long) subtables().size() * root().shape().bytes();
    }
}
