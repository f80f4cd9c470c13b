package io.leasehold.rdma;

import java.lang.foreign.MemorySegment;
import java.util.Set;

/// The set of regions, windows and queue pairs that may work together; a key of one domain opens nothing through a queue pair of
/// another. Thread-safe.
public interface ProtectionDomain extends AutoCloseable {
    /// Registers native memory with `access`. Remote write or atomic rights, and windows with such rights, need
    /// [AccessFlag#LOCAL_WRITE].
    ///
    /// @throws RdmaException if the memory is not native, is empty, or a limit of the device is reached
    MemoryRegion register(MemorySegment memory, Set<AccessFlag> access);

    /// Allocates an unbound window.
    ///
    /// @throws RdmaException with [RdmaError#OUT_OF_RESOURCES] at the device's limit, [RdmaError#UNSUPPORTED] if it has no such type
    MemoryWindow allocateMemoryWindow(MemoryWindowType type);

    /// Creates a reliable-connected queue pair in [QueuePairState#RESET].
    ///
    /// @throws RdmaException if an option exceeds the device's limits, or a completion queue belongs to another device
    QueuePair createQueuePair(QueuePairOptions options);

    /// Frees the domain.
    ///
    /// @throws RdmaException with [RdmaError#BUSY] while it holds regions, windows or queue pairs
    @Override
    void close();
}
