package io.leasehold.rdma;

import java.lang.foreign.MemorySegment;

/// A reusable builder of send-queue work requests: add some, then ring the doorbell once with [#post()].
///
/// Requests are carried out in the order they were added. Each is signalled (it will complete) unless [#unsignalled()] follows it;
/// a request that fails always completes. Adding and posting allocate nothing once the builder has grown to its largest batch. A
/// builder is for one thread at a time and is empty again after every `post()`, whatever that answers.
///
/// Remote ranges are given as the peer's address and key; local ranges as a region, an offset in it and a length, and must stay
/// valid until the request completes, except for inline payloads, which are copied when they are added.
public interface SendBatch {
    /// RDMA READ of the remote range into the local one.
    SendBatch read(long id, MemoryRegion local, long offset, int lengthBytes, long remoteAddress, int remoteKey);

    /// RDMA WRITE of the local range to the remote one.
    SendBatch write(long id, MemoryRegion local, long offset, int lengthBytes, long remoteAddress, int remoteKey);

    /// RDMA WRITE of an inline payload: `lengthBytes` of `payload` from `offset`, copied now.
    SendBatch writeInline(long id, MemorySegment payload, long offset, int lengthBytes, long remoteAddress, int remoteKey);

    /// RDMA WRITE that also consumes a receive at the peer and hands it `immediate`.
    SendBatch writeWithImmediate(long id, MemoryRegion local, long offset, int lengthBytes, long remoteAddress, int remoteKey,
            int immediate);

    /// Atomic compare-and-swap of the aligned 8 remote bytes; their previous value, in native byte order, goes to the 8 local bytes.
    SendBatch compareAndSwap(long id, MemoryRegion local, long offset, long remoteAddress, int remoteKey, long expected,
            long desired);

    /// Atomic addition to the aligned 8 remote bytes; their previous value, in native byte order, goes to the 8 local bytes.
    SendBatch fetchAndAdd(long id, MemoryRegion local, long offset, long remoteAddress, int remoteKey, long addend);

    /// SEND of the local range to the peer's next receive.
    SendBatch send(long id, MemoryRegion local, long offset, int lengthBytes);

    /// SEND of an inline payload, copied now.
    SendBatch sendInline(long id, MemorySegment payload, long offset, int lengthBytes);

    /// SEND that also invalidates the peer's window with key `peerKey`; the peer's completion carries the key.
    SendBatch sendWithInvalidate(long id, MemoryRegion local, long offset, int lengthBytes, int peerKey);

    /// Binds `window` to `[address, address + lengthBytes)` of `region` with the rights `access` (bits of [AccessFlag]).
    ///
    /// For a type 2 window, `newKey` must have the window's index; its variant is the consumer's choice, and the window answers only
    /// to requests that arrive through this queue pair. For type 1 `newKey` is ignored; read the key with
    /// [MemoryWindow#remoteKey()] after completion.
    SendBatch bindMemoryWindow(long id, MemoryWindow window, int newKey, MemoryRegion region, long address, long lengthBytes,
            int access);

    /// Invalidates the window of this queue pair that has the key `localKey`. When it completes no access through that key can take
    /// effect any more.
    SendBatch localInvalidate(long id, int localKey);

    /// Makes the request added last complete only if it fails.
    SendBatch unsignalled();

    /// Makes the request added last wait until the READs and atomics before it are done.
    SendBatch fence();

    /// The number of requests added since the last doorbell.
    int size();

    /// Forgets the requests added since the last doorbell.
    void clear();

    /// Rings the doorbell: posts all requests added, or none.
    PostStatus post();
}
