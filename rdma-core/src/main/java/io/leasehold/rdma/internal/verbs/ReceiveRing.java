package io.leasehold.rdma.internal.verbs;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/// What a queue pair remembers of its receives until their completions are polled, and the one native request by which they are
/// posted. As with [SendRing], the poster writes one counter and the poller the other.
final class ReceiveRing {
    private static final int SCATTER_OFFSET = Abi.ReceiveRequest.BYTES;
    private static final int BAD_OFFSET = SCATTER_OFFSET + Abi.Scatter.BYTES;

    private final int mask;
    private final long[] ids;
    private final MemorySegment memory = Arena.ofAuto().allocate(BAD_OFFSET + Long.BYTES, 16);
    private final long request = memory.address();
    private volatile long posted;
    private volatile long retired;

    ReceiveRing(int places) {
        int size = Integer.highestOneBit(Math.max(1, places - 1)) << 1;
        mask = size - 1;
        ids = new long[size];
    }

    int used() {
        return (int) (posted - retired);
    }

    long retired() {
        return retired;
    }

    long id(long position) {
        return ids[(int) position & mask];
    }

    boolean isPosted(long position) {
        return position < posted;
    }

    void retire(long next) {
        retired = next;
    }

    /// Forgets what is outstanding. Under both locks.
    void abandon() {
        retired = posted;
    }

    /// Posts a chain for which there is room; the caller holds the receive lock. Of a chain that the library refuses in the middle
    /// the first ones stay posted.
    ///
    /// @return what the native call answers
    int post(ContextOperations operations, long queuePair, long tagBase, ReceiveChain chain) {
        long first = posted;
        int size = chain.size();
        for (int i = 0; i < size; i++) {
            ids[(int) (first + i) & mask] = chain.id(i);
            RawMemory.putLong(chain.request(i) + Abi.ReceiveRequest.ID, RequestTag.at(tagBase, first + i));
        }
        // Before the call: a completion may be polled before it returns.
        posted = first + size;
        int status = size == 0 ? 0 : operations.postReceive(queuePair, chain.request(0), chain.badRequest());
        chain.taken(status == 0 ? size : chain.indexOf(RawMemory.getLong(chain.badRequest())));
        posted = first + chain.taken();
        return status;
    }

    /// Posts one receive; the caller holds the receive lock.
    ///
    /// @return what the native call answers
    int post(ContextOperations operations, long queuePair, long tagBase, long id, long address, int lengthBytes, int key) {
        long position = posted;
        ids[(int) position & mask] = id;
        RawMemory.putLong(request + Abi.ReceiveRequest.ID, RequestTag.at(tagBase, position));
        RawMemory.putLong(request + Abi.ReceiveRequest.NEXT, 0);
        RawMemory.putLong(request + Abi.ReceiveRequest.SCATTER_LIST, request + SCATTER_OFFSET);
        RawMemory.putInt(request + Abi.ReceiveRequest.SCATTER_COUNT, lengthBytes == 0 ? 0 : 1);
        RawMemory.putLong(request + SCATTER_OFFSET + Abi.Scatter.ADDRESS, address);
        RawMemory.putInt(request + SCATTER_OFFSET + Abi.Scatter.LENGTH, lengthBytes);
        RawMemory.putInt(request + SCATTER_OFFSET + Abi.Scatter.KEY, key);
        posted = position + 1;
        int status = operations.postReceive(queuePair, request, request + BAD_OFFSET);
        if (status != 0) {
            posted = position;
        }
        return status;
    }
}
