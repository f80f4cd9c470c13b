package io.leasehold.rdma.internal.verbs;

import io.leasehold.rdma.PostStatus;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/// Receives that are laid out once and posted any number of times, with any number of local ranges each. Posting allocates nothing.
///
/// ```
///   0        16         16 + 32 n
/// +--------+----------+---------+---------+--
/// | bad_wr | receive  | ...     | element | ...
/// +--------+----------+---------+---------+--
/// ```
///
/// For one thread at a time.
public final class ReceiveChain {
    private static final int HEADER_BYTES = 16;

    private final VerbsQueuePair queuePair;
    private final MemorySegment memory;
    private final long base;
    private final long elements;
    private final long[] ids;
    private int size;
    private int elementCount;
    private int taken;

    /// A chain for so many receives, with so many local ranges in all.
    public ReceiveChain(VerbsQueuePair queuePair, int receives, int elements) {
        this.queuePair = queuePair;
        // Collected with the chain, which may never be closed.
        memory = Arena.ofAuto().allocate(HEADER_BYTES + (long) receives * Abi.ReceiveRequest.BYTES
                + (long) elements * Abi.Scatter.BYTES, 16);
        base = memory.address();
        this.elements = base + HEADER_BYTES + (long) receives * Abi.ReceiveRequest.BYTES;
        ids = new long[receives];
    }

    /// Adds a receive.
    public void add(long id) {
        if (size > 0) {
            RawMemory.putLong(request(size - 1) + Abi.ReceiveRequest.NEXT, request(size));
        }
        ids[size++] = id;
    }

    /// Adds a local range to the receive added last.
    public void addElement(long address, int lengthBytes, int key) {
        long request = request(size - 1);
        long element = elements + (long) elementCount++ * Abi.Scatter.BYTES;
        int count = RawMemory.getInt(request + Abi.ReceiveRequest.SCATTER_COUNT);
        if (count == 0) {
            RawMemory.putLong(request + Abi.ReceiveRequest.SCATTER_LIST, element);
        }
        RawMemory.putInt(request + Abi.ReceiveRequest.SCATTER_COUNT, count + 1);
        RawMemory.putLong(element + Abi.Scatter.ADDRESS, address);
        RawMemory.putInt(element + Abi.Scatter.LENGTH, lengthBytes);
        RawMemory.putInt(element + Abi.Scatter.KEY, key);
    }

    /// The id of receive `i`.
    public long id(int i) {
        return ids[i];
    }

    /// How many receives there are.
    public int size() {
        return size;
    }

    /// Posts the receives: all, or as many of the first as [#taken()] says.
    public PostStatus post() {
        return queuePair.post(this);
    }

    /// How many of them the last [#post()] has posted.
    public int taken() {
        return taken;
    }

    void taken(int count) {
        taken = Math.clamp(count, 0, size);
    }

    long request(int i) {
        return base + HEADER_BYTES + (long) i * Abi.ReceiveRequest.BYTES;
    }

    int indexOf(long address) {
        return (int) ((address - base - HEADER_BYTES) / Abi.ReceiveRequest.BYTES);
    }

    long badRequest() {
        return base;
    }

    Object keepAlive() {
        return memory;
    }
}
