package io.leasehold.rdma;

/// A revocable view of part of a memory region, with rights of its own; bound by [SendBatch#bindMemoryWindow] and unbound by
/// [SendBatch#localInvalidate].
///
/// Thread-safe. Closing it unbinds it: when `close()` returns no access through it can take effect any more.
public interface MemoryWindow extends AutoCloseable {
    /// The window's kind.
    MemoryWindowType type();

    /// The key of the last bind that completed; before the first, a key that opens nothing.
    int remoteKey();

    /// Frees the window, whether bound or not. Closing twice is harmless.
    @Override
    void close();
}
