package io.leasehold.rdma.internal.verbs;

import java.lang.foreign.Arena;

/// Zeroed native memory for one control call.
final class Scratch implements AutoCloseable {
    private final Arena arena = Arena.ofConfined();

    /// The address of `bytes` zeroed bytes, aligned for any structure.
    long allocate(long bytes) {
        return arena.allocate(bytes, 16).address();
    }

    @Override
    public void close() {
        arena.close();
    }
}
