package io.leasehold.rdma.internal.verbs;

import io.leasehold.rdma.AccessFlag;
import io.leasehold.rdma.MemoryRegion;
import io.leasehold.rdma.MemoryWindow;
import io.leasehold.rdma.PostStatus;
import io.leasehold.rdma.SendBatch;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/// Writes requests straight into native `ibv_send_wr`, each with its scatter element and inline payload behind it.
///
/// ```
///   0                64        64+stride
/// +----------------+---------+---------+--
/// | bad_wr | bind  | request | request | ...      request: ibv_send_wr 128 | ibv_sge 16 | inline payload
/// +----------------+---------+---------+--
/// ```
///
/// What can be told wrong when a request is added is remembered and answered by [#post]; only opcodes of [Abi] are ever written.
final class VerbsSendBatch implements SendBatch, RequestChain {
    private static final int INITIAL_CAPACITY = 16;
    private static final int HEADER_BYTES = 64;
    private static final int BIND_OFFSET = 8;
    private static final int SCATTER_OFFSET = Abi.SendRequest.BYTES;
    private static final int INLINE_OFFSET = SCATTER_OFFSET + Abi.Scatter.BYTES;
    private static final int REQUEST_WORDS = Abi.SendRequest.BYTES / Long.BYTES;
    private static final int WINDOW_RIGHTS =
            AccessFlag.mask(AccessFlag.REMOTE_READ, AccessFlag.REMOTE_WRITE, AccessFlag.REMOTE_ATOMIC);
    /// A device ignores the right to local writes in a bind; so does this.
    private static final int BIND_RIGHTS = WINDOW_RIGHTS | AccessFlag.LOCAL_WRITE.bit();

    private final VerbsQueuePair queuePair;
    private final int stride;
    private int capacity;
    private MemorySegment memory;
    private long base;
    private @Nullable VerbsMemoryWindow[] windows;
    private @Nullable VerbsMemoryRegion[] regions;
    private int size;
    private int binds;
    private PostStatus verdict = PostStatus.POSTED;

    VerbsSendBatch(VerbsQueuePair queuePair) {
        this.queuePair = queuePair;
        stride = INLINE_OFFSET + (queuePair.maxInlineBytes() + 15 & ~15);
        capacity = INITIAL_CAPACITY;
        memory = allocate(capacity);
        base = memory.address();
        windows = new VerbsMemoryWindow[capacity];
        regions = new VerbsMemoryRegion[capacity];
    }

    // Collected with the builder, which has no end of its own.
    private MemorySegment allocate(int requests) {
        return Arena.ofAuto().allocate(HEADER_BYTES + (long) requests * stride, 64);
    }

    @Override
    public long badRequest() {
        return base;
    }

    @Override
    public long bind() {
        return base + BIND_OFFSET;
    }

    @Override
    public long request(int i) {
        return base + HEADER_BYTES + (long) i * stride;
    }

    @Override
    public int indexOf(long address) {
        return (int) ((address - base - HEADER_BYTES) / stride);
    }

    @Override
    public Object keepAlive() {
        return memory;
    }

    @Override
    public PostStatus verdict() {
        return verdict;
    }

    @Override
    public boolean hasBinds() {
        return binds > 0;
    }

    @Override
    public @Nullable VerbsMemoryWindow window(int i) {
        return windows[i];
    }

    @Override
    public @Nullable VerbsMemoryRegion region(int i) {
        return regions[i];
    }

    private long next(long id, int opcode) {
        if (size == capacity) {
            grow();
        }
        long request = request(size++);
        RawMemory.zero(request, REQUEST_WORDS);
        RawMemory.putLong(request + Abi.SendRequest.ID, id);
        RawMemory.putInt(request + Abi.SendRequest.OPCODE, opcode);
        RawMemory.putInt(request + Abi.SendRequest.FLAGS, Abi.SIGNALED);
        return request;
    }

    private void grow() {
        MemorySegment larger = allocate(capacity * 2);
        MemorySegment.copy(memory, 0, larger, 0, memory.byteSize());
        long moved = larger.address() - base;
        memory = larger;
        base = larger.address();
        capacity *= 2;
        windows = Arrays.copyOf(windows, capacity);
        regions = Arrays.copyOf(regions, capacity);
        for (int i = 0; i < size; i++) {
            long list = RawMemory.getLong(request(i) + Abi.SendRequest.SCATTER_LIST);
            if (list != 0) {
                RawMemory.putLong(request(i) + Abi.SendRequest.SCATTER_LIST, list + moved);
                if ((RawMemory.getInt(request(i) + Abi.SendRequest.FLAGS) & Abi.INLINE) != 0) {
                    RawMemory.putLong(list + moved, RawMemory.getLong(list + moved) + moved);
                }
            }
        }
    }

    private void refuse(PostStatus status) {
        if (verdict == PostStatus.POSTED) {
            verdict = status;
        }
    }

    private long transfer(long id, int opcode, MemoryRegion local, long offset, int lengthBytes, long remoteAddress) {
        long request = next(id, opcode);
        if (local instanceof VerbsMemoryRegion own && own.domain() == queuePair.domain() && own.contains(offset, lengthBytes)
                && lengthBytes <= queuePair.maxMessageBytes()) {
            scatter(request, own.address() + offset, lengthBytes, own.localKey());
        } else {
            refuse(PostStatus.INVALID_REQUEST);
        }
        RawMemory.putLong(request + Abi.SendRequest.REMOTE_ADDRESS, remoteAddress);
        return request;
    }

    /// Names the local range. An empty one has no element: some devices take a length of 0 for 2 GiB.
    private static void scatter(long request, long address, int lengthBytes, int key) {
        if (lengthBytes > 0) {
            long element = request + SCATTER_OFFSET;
            RawMemory.putLong(element + Abi.Scatter.ADDRESS, address);
            RawMemory.putInt(element + Abi.Scatter.LENGTH, lengthBytes);
            RawMemory.putInt(element + Abi.Scatter.KEY, key);
            RawMemory.putLong(request + Abi.SendRequest.SCATTER_LIST, element);
            RawMemory.putInt(request + Abi.SendRequest.SCATTER_COUNT, 1);
        }
    }

    private long inline(long id, int opcode, MemorySegment payload, long offset, int lengthBytes) {
        long request = next(id, opcode);
        if (lengthBytes > queuePair.maxInlineBytes()) {
            refuse(PostStatus.INLINE_TOO_LONG);
        } else if (lengthBytes < 0 || offset < 0 || offset > payload.byteSize() - lengthBytes) {
            refuse(PostStatus.INVALID_REQUEST);
        } else if (lengthBytes > 0) {
            try {
                RawMemory.copyIn(payload, offset, request + INLINE_OFFSET, lengthBytes);
            } catch (RuntimeException e) {
                // Its arena is closed, or of another thread: the request was never added.
                size--;
                throw e;
            }
            scatter(request, request + INLINE_OFFSET, lengthBytes, 0);
            RawMemory.putInt(request + Abi.SendRequest.FLAGS, Abi.SIGNALED | Abi.INLINE);
        }
        return request;
    }

    @Override
    public SendBatch read(long id, MemoryRegion local, long offset, int lengthBytes, long remoteAddress, int remoteKey) {
        long request = transfer(id, Abi.READ, local, offset, lengthBytes, remoteAddress);
        RawMemory.putInt(request + Abi.SendRequest.RDMA_KEY, remoteKey);
        return this;
    }

    @Override
    public SendBatch write(long id, MemoryRegion local, long offset, int lengthBytes, long remoteAddress, int remoteKey) {
        long request = transfer(id, Abi.WRITE, local, offset, lengthBytes, remoteAddress);
        RawMemory.putInt(request + Abi.SendRequest.RDMA_KEY, remoteKey);
        return this;
    }

    @Override
    public SendBatch writeInline(long id, MemorySegment payload, long offset, int lengthBytes, long remoteAddress,
            int remoteKey) {
        long request = inline(id, Abi.WRITE, payload, offset, lengthBytes);
        RawMemory.putLong(request + Abi.SendRequest.REMOTE_ADDRESS, remoteAddress);
        RawMemory.putInt(request + Abi.SendRequest.RDMA_KEY, remoteKey);
        return this;
    }

    @Override
    public SendBatch writeWithImmediate(long id, MemoryRegion local, long offset, int lengthBytes, long remoteAddress,
            int remoteKey, int immediate) {
        long request = transfer(id, Abi.WRITE_WITH_IMMEDIATE, local, offset, lengthBytes, remoteAddress);
        RawMemory.putInt(request + Abi.SendRequest.RDMA_KEY, remoteKey);
        // Immediate data travel in network byte order; both architectures are little-endian.
        RawMemory.putInt(request + Abi.SendRequest.IMMEDIATE, Integer.reverseBytes(immediate));
        return this;
    }

    private long atomic(long id, int opcode, MemoryRegion local, long offset, long remoteAddress, int remoteKey) {
        long request = transfer(id, opcode, local, offset, Long.BYTES, remoteAddress);
        RawMemory.putInt(request + Abi.SendRequest.ATOMIC_KEY, remoteKey);
        // Devices differ in who refuses it, the requester's library or the responder.
        if ((remoteAddress & Long.BYTES - 1) != 0) {
            refuse(PostStatus.INVALID_REQUEST);
        }
        return request;
    }

    @Override
    public SendBatch compareAndSwap(long id, MemoryRegion local, long offset, long remoteAddress, int remoteKey, long expected,
            long desired) {
        long request = atomic(id, Abi.COMPARE_AND_SWAP, local, offset, remoteAddress, remoteKey);
        RawMemory.putLong(request + Abi.SendRequest.COMPARE_ADD, expected);
        RawMemory.putLong(request + Abi.SendRequest.SWAP, desired);
        return this;
    }

    @Override
    public SendBatch fetchAndAdd(long id, MemoryRegion local, long offset, long remoteAddress, int remoteKey, long addend) {
        long request = atomic(id, Abi.FETCH_AND_ADD, local, offset, remoteAddress, remoteKey);
        RawMemory.putLong(request + Abi.SendRequest.COMPARE_ADD, addend);
        return this;
    }

    @Override
    public SendBatch send(long id, MemoryRegion local, long offset, int lengthBytes) {
        transfer(id, Abi.SEND, local, offset, lengthBytes, 0);
        return this;
    }

    @Override
    public SendBatch sendInline(long id, MemorySegment payload, long offset, int lengthBytes) {
        inline(id, Abi.SEND, payload, offset, lengthBytes);
        return this;
    }

    @Override
    public SendBatch sendWithInvalidate(long id, MemoryRegion local, long offset, int lengthBytes, int peerKey) {
        long request = transfer(id, Abi.SEND_WITH_INVALIDATE, local, offset, lengthBytes, 0);
        RawMemory.putInt(request + Abi.SendRequest.IMMEDIATE, peerKey);
        return this;
    }

    @Override
    public SendBatch bindMemoryWindow(long id, MemoryWindow window, int newKey, MemoryRegion region, long address,
            long lengthBytes, int access) {
        long request = next(id, Abi.BIND_WINDOW);
        if (window instanceof VerbsMemoryWindow ownWindow && ownWindow.domain() == queuePair.domain()
                && region instanceof VerbsMemoryRegion ownRegion && ownRegion.domain() == queuePair.domain()
                && (ownWindow.isType1() || newKey >>> 8 == ownWindow.index()) && (access & ~BIND_RIGHTS) == 0
                && ownRegion.allowsBind(address, lengthBytes, access) && lengthBytes <= queuePair.maxWindowBytes()) {
            windows[size - 1] = ownWindow;
            regions[size - 1] = ownRegion;
            binds++;
            RawMemory.putInt(request + Abi.SendRequest.BIND_KEY, newKey);
            RawMemory.putLong(request + Abi.SendRequest.BIND_ADDRESS, address);
            RawMemory.putLong(request + Abi.SendRequest.BIND_LENGTH, lengthBytes);
            RawMemory.putInt(request + Abi.SendRequest.BIND_ACCESS, access & WINDOW_RIGHTS);
        } else {
            refuse(PostStatus.INVALID_REQUEST);
        }
        return this;
    }

    @Override
    public SendBatch localInvalidate(long id, int localKey) {
        long request = next(id, Abi.LOCAL_INVALIDATE);
        RawMemory.putInt(request + Abi.SendRequest.IMMEDIATE, localKey);
        return this;
    }

    @Override
    public SendBatch unsignalled() {
        long flags = last() + Abi.SendRequest.FLAGS;
        RawMemory.putInt(flags, RawMemory.getInt(flags) & ~Abi.SIGNALED);
        return this;
    }

    @Override
    public SendBatch fence() {
        long flags = last() + Abi.SendRequest.FLAGS;
        RawMemory.putInt(flags, RawMemory.getInt(flags) | Abi.FENCE);
        return this;
    }

    private long last() {
        if (size == 0) {
            throw new IllegalStateException("the batch is empty: add a request first");
        }
        return request(size - 1);
    }

    @Override
    public int size() {
        return size;
    }

    @Override
    public void clear() {
        if (binds > 0) {
            Arrays.fill(windows, 0, size, null);
            Arrays.fill(regions, 0, size, null);
            binds = 0;
        }
        size = 0;
        verdict = PostStatus.POSTED;
    }

    @Override
    public PostStatus post() {
        try {
            return queuePair.post(this);
        } finally {
            clear();
        }
    }
}
