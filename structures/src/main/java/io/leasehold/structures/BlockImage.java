package io.leasehold.structures;

import com.google.common.hash.HashFunction;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/// The block that an operation may write, put together in local memory: the key at once, the value when it is known. For one
/// thread; reused from operation to operation.
final class BlockImage<K, V> {
    /// A buffer that has become longer is not kept for the next operation.
    private static final int KEPT_BYTES_MAX = 1 << 16;
    private static final int INITIAL_BYTES = 256;

    private final MapCodecs<K, V> codecs;
    private final HashFunction hashFunction;
    private byte[] bytes = new byte[INITIAL_BYTES];
    private MemorySegment segment = MemorySegment.ofArray(bytes);
    private int keyBytes;
    private int valueBytes;
    private long hash;
    private boolean hasValue;

    BlockImage(MapCodecs<K, V> codecs, HashFunction hashFunction) {
        this.codecs = codecs;
        this.hashFunction = hashFunction;
    }

    /// Begins the block of another entry.
    ///
    /// @throws IllegalArgumentException if the key is too long
    void key(K key) {
        hasValue = false;
        valueBytes = 0;
        keyBytes = codecs.keys().encodedBytes(key);
        if (keyBytes > KeyValueBlock.KEY_BYTES_MAX) {
            throw new IllegalArgumentException(
                    "key of " + keyBytes + " bytes is longer than the limit of " + KeyValueBlock.KEY_BYTES_MAX);
        }
        reserve(KeyValueBlock.HEADER_BYTES + keyBytes);
        codecs.keys().encode(key, segment.asSlice(KeyValueBlock.HEADER_BYTES, keyBytes));
        hash = hashFunction.hashBytes(bytes, KeyValueBlock.HEADER_BYTES, keyBytes).asLong();
    }

    /// Puts the value in, in place of one that is in, and seals the block.
    ///
    /// @param expiry see [ExpiryClock]
    /// @throws IllegalArgumentException if the value is too long
    void value(V value, long expiry) {
        hasValue = false;
        valueBytes = codecs.values().encodedBytes(value);
        if (valueBytes > KeyValueBlock.VALUE_BYTES_MAX) {
            throw new IllegalArgumentException(
                    "value of " + valueBytes + " bytes is longer than the limit of " + KeyValueBlock.VALUE_BYTES_MAX);
        }
        int start = KeyValueBlock.HEADER_BYTES + keyBytes;
        reserve(start + valueBytes);
        codecs.values().encode(value, segment.asSlice(start, valueBytes));
        KeyValueBlock.seal(segment, codecs.keyId(), codecs.valueId(), keyBytes, valueBytes, hash, expiry);
        hasValue = true;
    }

    boolean hasValue() {
        return hasValue;
    }

    long hash() {
        return hash;
    }

    int keyBytes() {
        return keyBytes;
    }

    /// The length of the header and the key.
    int keyEnd() {
        return KeyValueBlock.HEADER_BYTES + keyBytes;
    }

    int blockBytes() {
        return KeyValueBlock.bytes(keyBytes, valueBytes);
    }

    MemorySegment block() {
        return segment.asSlice(0, blockBytes());
    }

    /// Whether the intact `block` is of the same key.
    boolean hasKeyOf(MemorySegment block) {
        return KeyValueBlock.hasKey(block, segment, keyBytes, hash);
    }

    /// Lets go of a buffer that has become long.
    void trim() {
        if (bytes.length > KEPT_BYTES_MAX) {
            bytes = new byte[INITIAL_BYTES];
            segment = MemorySegment.ofArray(bytes);
        }
    }

    private void reserve(int length) {
        if (length > bytes.length) {
            bytes = Arrays.copyOf(bytes, Math.max(length, 2 * bytes.length));
            segment = MemorySegment.ofArray(bytes);
        }
    }
}
