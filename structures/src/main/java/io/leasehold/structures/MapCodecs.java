package io.leasehold.structures;

import java.lang.foreign.MemorySegment;

/// The codecs of a map, with the ids that its blocks carry.
///
/// @param keys of the keys
/// @param values of the values
/// @param keyId of the codec of the keys
/// @param valueId of the codec of the values
record MapCodecs<K, V>(Codec<K> keys, Codec<V> values, short keyId, short valueId) {
    static <K, V> MapCodecs<K, V> of(Codec<K> keys, Codec<V> values) {
        return new MapCodecs<>(keys, values, KeyValueBlock.codecId(keys.name()), KeyValueBlock.codecId(values.name()));
    }

    /// @throws IllegalStateException if `block` was written with other codecs
    void check(MemorySegment block) {
        if (KeyValueBlock.keyCodec(block) != keyId || KeyValueBlock.valueCodec(block) != valueId) {
            throw new IllegalStateException("an entry was written with other codecs than '" + keys.name() + "' and '"
                    + values.name() + "', which the map has");
        }
    }

    /// The encoding of a value, to compare others with.
    MemorySegment encode(V value) {
        MemorySegment encoded = MemorySegment.ofArray(new byte[values.encodedBytes(value)]);
        values.encode(value, encoded);
        return encoded;
    }

    /// Whether `encoded` is what `key` is encoded to.
    boolean isEncoding(MemorySegment encoded, K key) {
        MemorySegment expected = MemorySegment.ofArray(new byte[keys.encodedBytes(key)]);
        keys.encode(key, expected);
        return expected.mismatch(encoded) < 0;
    }
}
