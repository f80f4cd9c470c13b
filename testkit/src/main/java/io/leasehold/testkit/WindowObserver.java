package io.leasehold.testkit;

/// Is told what a [MutantDevice] really does to memory windows, and which regions it registers, on the thread that does it: of binds
/// and invalidations when their batch was posted, in the order of the batch.
public interface WindowObserver {
    /// A window was bound.
    ///
    /// @param key the key that was really bound, 0 for type 1; its index names the window
    /// @param address the range's first byte
    /// @param lengthBytes the range's length
    /// @param access bits of [io.leasehold.rdma.AccessFlag]
    /// @param queuePair the number of the queue pair that the bind was posted to
    default void bound(int key, long address, long lengthBytes, int access, int queuePair) {
    }

    /// A region was registered that has a remote right.
    default void registered(int key, long address, long lengthBytes, int access) {
    }

    /// A key was invalidated.
    default void invalidated(int key) {
    }

    /// A window was closed, whose last key was `key`.
    default void closed(int key) {
    }
}
