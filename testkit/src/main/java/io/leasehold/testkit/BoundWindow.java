package io.leasehold.testkit;

import io.leasehold.rdma.MemoryWindow;

/// A window that is bound.
///
/// @param window the window
/// @param key the key of the bind
/// @param address the first address
/// @param lengthBytes the length
public record BoundWindow(MemoryWindow window, int key, long address, long lengthBytes) {
}
