package io.leasehold.rdma.internal.soft;

import io.leasehold.rdma.MemoryRegion;
import io.leasehold.rdma.MemoryWindow;
import io.leasehold.rdma.PostStatus;
import io.leasehold.rdma.SendBatch;
import java.lang.foreign.MemorySegment;

/// Builds requests in a table of the send queue's own layout, so that the doorbell copies them in one piece.
///
/// What can be told wrong when a request is added is remembered and answered by [#post].
final class SoftSendBatch implements SendBatch {
    private static final int INITIAL_CAPACITY = 16;

    private final WorkQueues queues;
    private final WorkRequests requests;
    private int size;
    private PostStatus verdict = PostStatus.POSTED;

    SoftSendBatch(WorkQueues queues) {
        this.queues = queues;
        requests = new WorkRequests(INITIAL_CAPACITY, queues.maxInlineBytes());
    }

    WorkRequests requests() {
        return requests;
    }

    /// [PostStatus#POSTED] if each request was well formed when it was added.
    PostStatus verdict() {
        return verdict;
    }

    private int next(long id, int opcode, int flags, int lengthBytes) {
        if (size == requests.capacity()) {
            requests.grow(size * 2);
        }
        int slot = size++;
        requests.put(slot, WorkRequests.ID, id);
        requests.putControl(slot, opcode, flags, lengthBytes);
        return slot;
    }

    private void refuse(PostStatus status) {
        if (verdict == PostStatus.POSTED) {
            verdict = status;
        }
    }

    private SendBatch transfer(long id, int opcode, MemoryRegion local, long offset, int lengthBytes, long remoteAddress,
            int remoteKey, int extra) {
        int slot = next(id, opcode, 0, lengthBytes);
        if (!queues.isLocalRange(local, offset, lengthBytes)) {
            refuse(PostStatus.INVALID_REQUEST);
            return this;
        }
        requests.put(slot, WorkRequests.LOCAL, local.address() + offset);
        requests.putKeys(slot, local.localKey(), remoteKey);
        requests.put(slot, WorkRequests.REMOTE, remoteAddress);
        requests.put(slot, WorkRequests.EXTRA, extra);
        return this;
    }

    private SendBatch inline(long id, int opcode, MemorySegment payload, long offset, int lengthBytes, long remoteAddress,
            int remoteKey) {
        if (lengthBytes > queues.maxInlineBytes()) {
            next(id, opcode, 0, 0);
            refuse(PostStatus.INLINE_TOO_LONG);
        } else if (lengthBytes < 0 || offset < 0 || offset > payload.byteSize() - lengthBytes) {
            next(id, opcode, 0, 0);
            refuse(PostStatus.INVALID_REQUEST);
        } else {
            int slot = next(id, opcode, WorkRequests.INLINE, lengthBytes);
            NativeMemory.copyIn(payload, offset, requests.inlineAddress(slot), lengthBytes);
            requests.putKeys(slot, 0, remoteKey);
            requests.put(slot, WorkRequests.REMOTE, remoteAddress);
        }
        return this;
    }

    @Override
    public SendBatch read(long id, MemoryRegion local, long offset, int lengthBytes, long remoteAddress, int remoteKey) {
        return transfer(id, WorkRequests.READ, local, offset, lengthBytes, remoteAddress, remoteKey, 0);
    }

    @Override
    public SendBatch write(long id, MemoryRegion local, long offset, int lengthBytes, long remoteAddress, int remoteKey) {
        return transfer(id, WorkRequests.WRITE, local, offset, lengthBytes, remoteAddress, remoteKey, 0);
    }

    @Override
    public SendBatch writeInline(long id, MemorySegment payload, long offset, int lengthBytes, long remoteAddress,
            int remoteKey) {
        return inline(id, WorkRequests.WRITE, payload, offset, lengthBytes, remoteAddress, remoteKey);
    }

    @Override
    public SendBatch writeWithImmediate(long id, MemoryRegion local, long offset, int lengthBytes, long remoteAddress,
            int remoteKey, int immediate) {
        return transfer(id, WorkRequests.WRITE_WITH_IMMEDIATE, local, offset, lengthBytes, remoteAddress, remoteKey, immediate);
    }

    @Override
    public SendBatch compareAndSwap(long id, MemoryRegion local, long offset, long remoteAddress, int remoteKey, long expected,
            long desired) {
        int slot = size;
        transfer(id, WorkRequests.COMPARE_AND_SWAP, local, offset, Long.BYTES, remoteAddress, remoteKey, 0);
        requests.put(slot, WorkRequests.OPERAND, expected);
        requests.put(slot, WorkRequests.SWAP, desired);
        return this;
    }

    @Override
    public SendBatch fetchAndAdd(long id, MemoryRegion local, long offset, long remoteAddress, int remoteKey, long addend) {
        int slot = size;
        transfer(id, WorkRequests.FETCH_AND_ADD, local, offset, Long.BYTES, remoteAddress, remoteKey, 0);
        requests.put(slot, WorkRequests.OPERAND, addend);
        return this;
    }

    @Override
    public SendBatch send(long id, MemoryRegion local, long offset, int lengthBytes) {
        return transfer(id, WorkRequests.SEND, local, offset, lengthBytes, 0, 0, 0);
    }

    @Override
    public SendBatch sendInline(long id, MemorySegment payload, long offset, int lengthBytes) {
        return inline(id, WorkRequests.SEND, payload, offset, lengthBytes, 0, 0);
    }

    @Override
    public SendBatch sendWithInvalidate(long id, MemoryRegion local, long offset, int lengthBytes, int peerKey) {
        return transfer(id, WorkRequests.SEND_WITH_INVALIDATE, local, offset, lengthBytes, 0, 0, peerKey);
    }

    @Override
    public SendBatch bindMemoryWindow(long id, MemoryWindow window, int newKey, MemoryRegion region, long address,
            long lengthBytes, int access) {
        int slot = next(id, WorkRequests.BIND, 0, 0);
        if (window instanceof SoftMemoryWindow softWindow && softWindow.domain() == queues.domain() && !softWindow.isClosed()
                && region instanceof SoftMemoryRegion softRegion && softRegion.domain() == queues.domain()
                && !softRegion.isClosed()) {
            requests.putBind(slot, softWindow, softRegion);
            requests.put(slot, WorkRequests.REMOTE, address);
            requests.put(slot, WorkRequests.OPERAND, lengthBytes);
            requests.put(slot, WorkRequests.SWAP, access);
            requests.put(slot, WorkRequests.EXTRA, newKey);
        } else {
            requests.putControl(slot, WorkRequests.INVALIDATE, 0, 0);
            refuse(PostStatus.INVALID_REQUEST);
        }
        return this;
    }

    @Override
    public SendBatch localInvalidate(long id, int localKey) {
        int slot = next(id, WorkRequests.INVALIDATE, 0, 0);
        requests.put(slot, WorkRequests.EXTRA, localKey);
        return this;
    }

    @Override
    public SendBatch unsignalled() {
        requests.addFlag(last(), WorkRequests.UNSIGNALLED);
        return this;
    }

    @Override
    public SendBatch fence() {
        requests.addFlag(last(), WorkRequests.FENCED);
        return this;
    }

    private int last() {
        if (size == 0) {
            throw new IllegalStateException("the batch is empty: add a request first");
        }
        return size - 1;
    }

    @Override
    public int size() {
        return size;
    }

    @Override
    public void clear() {
        for (int slot = 0; slot < size; slot++) {
            if (requests.opcode(slot) == WorkRequests.BIND) {
                requests.forget(slot);
            }
        }
        size = 0;
        verdict = PostStatus.POSTED;
    }

    @Override
    public PostStatus post() {
        try {
            return queues.post(this);
        } finally {
            clear();
        }
    }
}
