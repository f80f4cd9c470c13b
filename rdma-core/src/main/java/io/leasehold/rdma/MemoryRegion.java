package io.leasehold.rdma;

import java.lang.foreign.MemorySegment;
import java.util.Set;

/// Memory that a device may touch: locally through [#localKey()], remotely through [#remoteKey()] if it has a remote right.
///
/// Thread-safe. The memory must outlive the region.
public interface MemoryRegion extends AutoCloseable {
    /// The registered memory.
    MemorySegment memory();

    /// The address of its first byte, as remote requests name it.
    long address();

    /// Its length in bytes.
    long lengthBytes();

    /// The key for local access.
    int localKey();

    /// The key for remote access; of use only with the rights in [#access()].
    int remoteKey();

    /// The rights of the region.
    Set<AccessFlag> access();

    /// Deregisters the memory.
    ///
    /// @throws RdmaException with [RdmaError#BUSY] while a window is bound to it
    @Override
    void close();
}
