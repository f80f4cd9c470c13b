package io.leasehold.rdma.internal.verbs;

import io.leasehold.rdma.PostStatus;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// Send requests that are laid out once and posted any number of times, with any number of local ranges each, named by address and
/// key: what a stateful verb call is. Posting allocates nothing.
///
/// ```
///   0        16         16 + 128 n            16 n bytes a request, 16 an element
/// +--------+----------+---------+---------+--
/// | bad_wr | request  | ...     | element | ...
/// +--------+----------+---------+---------+--
/// ```
///
/// A device checks the key of every range but those of inline payloads, which the library reads itself: each of these must lie in
/// the open region that its key names. For one thread at a time.
public final class SendChain implements RequestChain {
    private static final int HEADER_BYTES = 16;
    private static final int REQUEST_WORDS = Abi.SendRequest.BYTES / Long.BYTES;
    private static final Set<Integer> OPCODES = Set.of(Abi.WRITE, Abi.WRITE_WITH_IMMEDIATE, Abi.SEND, Abi.SEND_WITH_IMMEDIATE,
            Abi.READ, Abi.COMPARE_AND_SWAP, Abi.FETCH_AND_ADD, Abi.LOCAL_INVALIDATE, Abi.SEND_WITH_INVALIDATE);
    private static final int FLAGS = Abi.FENCE | Abi.SIGNALED | Abi.SOLICITED | Abi.INLINE;

    private final VerbsQueuePair queuePair;
    private final MemorySegment memory;
    private final long base;
    private final long elements;
    private final long[] ids;
    private final int[] immediates;
    private final @Nullable VerbsMemoryRegion[] regions;
    private int size;
    private int elementCount;
    private boolean inline;
    private boolean changed;

    /// A chain for so many requests, with so many local ranges in all.
    public SendChain(VerbsQueuePair queuePair, int requests, int elements) {
        this.queuePair = queuePair;
        // Collected with the chain, which may never be closed.
        memory = Arena.ofAuto().allocate(HEADER_BYTES + (long) requests * Abi.SendRequest.BYTES
                + (long) elements * Abi.Scatter.BYTES, 16);
        base = memory.address();
        this.elements = base + HEADER_BYTES + (long) requests * Abi.SendRequest.BYTES;
        ids = new long[requests];
        immediates = new int[requests];
        regions = new VerbsMemoryRegion[elements];
    }

    /// Whether requests of that kind can be posted: all that [Abi] names but a bind, which needs more than numbers.
    public static boolean allows(int opcode) {
        return OPCODES.contains(opcode);
    }

    /// Whether all these bits of `enum ibv_send_flags` are known.
    public static boolean allowsFlags(int flags) {
        return (flags & ~FLAGS) == 0;
    }

    /// Whether requests of that kind are atomic.
    public static boolean isAtomic(int opcode) {
        return opcode == Abi.COMPARE_AND_SWAP || opcode == Abi.FETCH_AND_ADD;
    }

    // ---- laying out

    /// Adds a request.
    ///
    /// @param opcode one that is allowed
    /// @param flags bits of `enum ibv_send_flags` that are allowed
    /// @param immediate as it is to lie in memory: immediate data in network byte order, or a key to invalidate
    public void add(long id, int opcode, int flags, int immediate) {
        if (!allows(opcode) || !allowsFlags(flags)) {
            throw new IllegalArgumentException("opcode " + opcode + ", flags " + flags);
        }
        long request = request(size);
        RawMemory.zero(request, REQUEST_WORDS);
        RawMemory.putInt(request + Abi.SendRequest.OPCODE, opcode);
        ids[size] = id;
        immediates[size] = immediate;
        size++;
        flags(size - 1, flags);
    }

    /// Adds a local range to the request added last.
    public void addElement(long address, int lengthBytes, int key) {
        long request = request(size - 1);
        long element = elements + (long) elementCount++ * Abi.Scatter.BYTES;
        int count = RawMemory.getInt(request + Abi.SendRequest.SCATTER_COUNT);
        if (count == 0) {
            RawMemory.putLong(request + Abi.SendRequest.SCATTER_LIST, element);
        }
        RawMemory.putInt(request + Abi.SendRequest.SCATTER_COUNT, count + 1);
        RawMemory.putLong(element + Abi.Scatter.ADDRESS, address);
        RawMemory.putInt(element + Abi.Scatter.LENGTH, lengthBytes);
        RawMemory.putInt(element + Abi.Scatter.KEY, key);
        changed = true;
    }

    /// Names what request `i` compares with and sets, or adds.
    public void operands(int i, long compareOrAdd, long swap) {
        RawMemory.putLong(request(i) + Abi.SendRequest.COMPARE_ADD, compareOrAdd);
        RawMemory.putLong(request(i) + Abi.SendRequest.SWAP, swap);
    }

    // ---- reading and changing it between two posts

    /// The id of request `i`.
    public long id(int i) {
        return ids[i];
    }

    /// Changes the id of request `i`.
    public void id(int i, long id) {
        ids[i] = id;
    }

    /// The opcode of request `i`.
    public int opcode(int i) {
        return RawMemory.getInt(request(i) + Abi.SendRequest.OPCODE);
    }

    /// The flags of request `i`.
    public int flags(int i) {
        return RawMemory.getInt(request(i) + Abi.SendRequest.FLAGS);
    }

    /// Changes the flags of request `i`.
    public void flags(int i, int flags) {
        if (!allowsFlags(flags)) {
            throw new IllegalArgumentException("flags " + flags);
        }
        RawMemory.putInt(request(i) + Abi.SendRequest.FLAGS, flags);
        inline |= (flags & Abi.INLINE) != 0;
        changed = true;
    }

    /// How many local ranges request `i` has.
    public int elementCount(int i) {
        return RawMemory.getInt(request(i) + Abi.SendRequest.SCATTER_COUNT);
    }

    /// The remote address of request `i`.
    public long remoteAddress(int i) {
        return RawMemory.getLong(request(i) + Abi.SendRequest.REMOTE_ADDRESS);
    }

    /// Changes the remote address of request `i`.
    public void remoteAddress(int i, long address) {
        RawMemory.putLong(request(i) + Abi.SendRequest.REMOTE_ADDRESS, address);
    }

    /// The remote key of request `i`.
    public int remoteKey(int i) {
        return RawMemory.getInt(request(i) + remoteKeyOffset(i));
    }

    /// Changes the remote key of request `i`.
    public void remoteKey(int i, int key) {
        RawMemory.putInt(request(i) + remoteKeyOffset(i), key);
    }

    private int remoteKeyOffset(int i) {
        return isAtomic(opcode(i)) ? Abi.SendRequest.ATOMIC_KEY : Abi.SendRequest.RDMA_KEY;
    }

    private long element(int i, int j) {
        return RawMemory.getLong(request(i) + Abi.SendRequest.SCATTER_LIST) + (long) j * Abi.Scatter.BYTES;
    }

    /// The address of local range `j` of request `i`.
    public long address(int i, int j) {
        return RawMemory.getLong(element(i, j) + Abi.Scatter.ADDRESS);
    }

    /// The length of local range `j` of request `i`.
    public int length(int i, int j) {
        return RawMemory.getInt(element(i, j) + Abi.Scatter.LENGTH);
    }

    /// The key of local range `j` of request `i`.
    public int key(int i, int j) {
        return RawMemory.getInt(element(i, j) + Abi.Scatter.KEY);
    }

    /// Changes local range `j` of request `i`.
    public void element(int i, int j, long address, int lengthBytes, int key) {
        long element = element(i, j);
        RawMemory.putLong(element + Abi.Scatter.ADDRESS, address);
        RawMemory.putInt(element + Abi.Scatter.LENGTH, lengthBytes);
        RawMemory.putInt(element + Abi.Scatter.KEY, key);
        changed = true;
    }

    // ---- posting

    /// Posts all requests, or none.
    public PostStatus post() {
        if (inline) {
            if (changed) {
                findInlineRegions();
            }
            PostStatus refused = checkInline();
            if (refused != PostStatus.POSTED) {
                return refused;
            }
        }
        changed = false;
        for (int i = 0; i < size; i++) {
            long request = request(i);
            // The last post has put its own there.
            RawMemory.putLong(request + Abi.SendRequest.ID, ids[i]);
            RawMemory.putInt(request + Abi.SendRequest.IMMEDIATE, immediates[i]);
        }
        return queuePair.post(this);
    }

    private void findInlineRegions() {
        Arrays.fill(regions, null);
        for (int i = 0; i < size; i++) {
            if ((flags(i) & Abi.INLINE) != 0) {
                for (int j = 0; j < elementCount(i); j++) {
                    regions[place(i, j)] = queuePair.device().region(key(i, j));
                }
            }
        }
    }

    private int place(int i, int j) {
        return (int) ((element(i, j) - elements) / Abi.Scatter.BYTES);
    }

    private PostStatus checkInline() {
        for (int i = 0; i < size; i++) {
            if ((flags(i) & Abi.INLINE) == 0) {
                continue;
            }
            long bytes = 0;
            for (int j = 0; j < elementCount(i); j++) {
                VerbsMemoryRegion region = regions[place(i, j)];
                int length = length(i, j);
                if (region == null || region.domain() != queuePair.domain()
                        || !region.contains(address(i, j) - region.address(), length)) {
                    return PostStatus.INVALID_REQUEST;
                }
                bytes += length;
            }
            if (bytes > queuePair.maxInlineBytes()) {
                return PostStatus.INLINE_TOO_LONG;
            }
        }
        return PostStatus.POSTED;
    }

    @Override
    public PostStatus verdict() {
        return PostStatus.POSTED;
    }

    @Override
    public int size() {
        return size;
    }

    @Override
    public long request(int i) {
        return base + HEADER_BYTES + (long) i * Abi.SendRequest.BYTES;
    }

    @Override
    public int indexOf(long address) {
        return (int) ((address - base - HEADER_BYTES) / Abi.SendRequest.BYTES);
    }

    @Override
    public long badRequest() {
        return base;
    }

    @Override
    public boolean hasBinds() {
        return false;
    }

    @Override
    public long bind() {
        throw new IllegalStateException("there is no bind among the requests");
    }

    @Override
    public @Nullable VerbsMemoryWindow window(int i) {
        return null;
    }

    @Override
    public @Nullable VerbsMemoryRegion region(int i) {
        return null;
    }

    @Override
    public Object keepAlive() {
        return memory;
    }
}
