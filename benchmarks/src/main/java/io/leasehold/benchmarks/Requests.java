package io.leasehold.benchmarks;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// Reads and writes of a map that are on the way together; no two writes of one key. For one thread at a time.
final class Requests {
    private final List<byte[]> reads = new ArrayList<>();
    private final List<byte @Nullable []> found = new ArrayList<>();
    private final List<byte[]> writes = new ArrayList<>();
    private final List<byte[]> values = new ArrayList<>();

    void clear() {
        reads.clear();
        found.clear();
        writes.clear();
        values.clear();
    }

    void addRead(byte[] key) {
        reads.add(key);
        found.add(null);
    }

    void addWrite(byte[] key, byte[] value) {
        writes.add(key);
        values.add(value);
    }

    /// The keys to read.
    List<byte[]> reads() {
        return reads;
    }

    /// The keys to write.
    List<byte[]> writes() {
        return writes;
    }

    /// The value to write for the key at `position` of [#writes()].
    byte[] value(int position) {
        return values.get(position);
    }

    /// Says what the key at `position` of [#reads()] has.
    void answer(int position, byte @Nullable [] value) {
        found.set(position, value);
    }

    byte @Nullable [] found(int position) {
        return found.get(position);
    }
}
