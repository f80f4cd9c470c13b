package io.leasehold.benchmarks;

import java.time.Duration;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// A queue as a client has it open. Thread-safe.
interface QueueStore {
    void put(byte[] element) throws Exception;

    /// Takes one element, waiting for it for so long.
    byte @Nullable [] take(Duration patience) throws Exception;

    /// Puts many with one request, or what comes closest to it.
    void putAll(List<byte[]> elements) throws Exception;

    /// Takes up to `most` with one request, or what comes closest to it, waiting for the first for so long.
    ///
    /// @return how many
    int takeAll(int most, Duration patience) throws Exception;
}
