package io.leasehold.structures;

import com.google.common.hash.HashFunction;
import com.google.common.hash.Hashing;

/// What the operations of one handle on a map have in common.
///
/// @param name of the map, for messages
/// @param memory where it is
/// @param options as it was opened
/// @param codecs of keys and values
/// @param root of the map
/// @param directory this client's copy
/// @param counters of entries
/// @param locations this client's cache
/// @param hashFunction seeded for this map
/// @param expiry when entries expire
/// @param near entries that this client keeps
record MapContext<K, V>(String name, Memory memory, MapOptions options, MapCodecs<K, V> codecs, MapRoot root, Directory directory,
        SizeCounters counters, LocationCache locations, HashFunction hashFunction,
        ExpiryClock expiry, NearEntries near) {
    static <K, V> MapContext<K, V> open(String name, Memory memory, MapOptions options, Codec<K> keys, Codec<V> values) {
        MapRoot root = MapRoot.open(memory, options, keys.name(), values.name());
        return new MapContext<>(name, memory, options, MapCodecs.of(keys, values), root, new Directory(root),
                new SizeCounters(root), new LocationCache(options.locationCacheEntries()), Hashing.murmur3_128(root.seed()),
                new ExpiryClock(memory.nodeClock()), new NearEntries(options.nearCache(), memory.clock()));
    }

    SubtableShape shape() {
        return root.shape();
    }

    /// Starts the time of an operation.
    Deadline deadline(String operation) {
        return new Deadline(memory.clock(), operation + " of map '" + name + "'", options.timeout());
    }
}
