package io.leasehold.benchmarks;

import java.util.List;
import org.jspecify.annotations.Nullable;

/// A map as a client has it open. Thread-safe unless the class says otherwise.
interface MapStore {
    byte @Nullable [] get(byte[] key) throws Exception;

    /// Sets a value without asking for the one before.
    void set(byte[] key, byte[] value) throws Exception;

    /// Carries many operations out at once, in the way that is fastest with this client; in any order.
    void execute(Requests requests) throws Exception;

    void remove(List<byte[]> keys) throws Exception;
}
