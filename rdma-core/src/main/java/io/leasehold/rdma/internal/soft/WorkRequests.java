package io.leasehold.rdma.internal.soft;

import io.leasehold.rdma.WorkCompletionOpcode;
import java.lang.foreign.Arena;
import java.lang.ref.Reference;
import java.util.Arrays;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/// A table of send-queue work requests, one cache line each: what a batch is built in and what a send queue is made of.
///
/// ```
///  word  0            1                     2         3                 4          5            6        7
/// +------------+---------------------+-----------+-------------------+----------+------------+--------+----------+
/// |    id      | length:32 | flags:8 |  local    | local : remote    | remote   | compare or | swap   | imm, key |
/// |            |           | op:8    |  address  | key     key       | address  | length     | rights |          |
/// +------------+---------------------+-----------+-------------------+----------+------------+--------+----------+
/// ```
final class WorkRequests {
    static final int READ = 1;
    static final int WRITE = 2;
    static final int WRITE_WITH_IMMEDIATE = 3;
    static final int COMPARE_AND_SWAP = 4;
    static final int FETCH_AND_ADD = 5;
    static final int SEND = 6;
    static final int SEND_WITH_INVALIDATE = 7;
    static final int BIND = 8;
    static final int INVALIDATE = 9;

    static final int UNSIGNALLED = 1;
    static final int FENCED = 2;
    static final int INLINE = 4;

    static final int ID = 0;
    static final int CONTROL = 1;
    static final int LOCAL = 2;
    static final int KEYS = 3;
    static final int REMOTE = 4;
    static final int OPERAND = 5;
    static final int SWAP = 6;
    static final int EXTRA = 7;
    static final int STRIDE = 8;

    private static final int FLAGS_SHIFT = 8;
    private static final int LENGTH_SHIFT = 32;
    private static final WorkCompletionOpcode[] COMPLETES_AS = {WorkCompletionOpcode.SEND, WorkCompletionOpcode.RDMA_READ,
        WorkCompletionOpcode.RDMA_WRITE, WorkCompletionOpcode.RDMA_WRITE, WorkCompletionOpcode.COMP_SWAP,
        WorkCompletionOpcode.FETCH_ADD, WorkCompletionOpcode.SEND, WorkCompletionOpcode.SEND, WorkCompletionOpcode.BIND_MW,
        WorkCompletionOpcode.LOCAL_INV};

    private final int inlineStride;
    private long[] words;
    private @Nullable SoftMemoryWindow[] windows;
    private @Nullable SoftMemoryRegion[] regions;
    // Collected with the table: no request can outlive the payload it points to.
    private Arena inlineArena = Arena.ofAuto();
    private long inlineAddress;

    /// A table of `capacity` places for inline payloads up to `maxInlineBytes`.
    WorkRequests(int capacity, int maxInlineBytes) {
        words = new long[capacity * STRIDE];
        windows = new SoftMemoryWindow[capacity];
        regions = new SoftMemoryRegion[capacity];
        inlineStride = maxInlineBytes + Long.BYTES - 1 & -Long.BYTES;
    }

    int capacity() {
        return windows.length;
    }

    /// Makes room for `capacity` places, keeping what there is.
    void grow(int capacity) {
        int old = capacity();
        words = Arrays.copyOf(words, capacity * STRIDE);
        windows = Arrays.copyOf(windows, capacity);
        regions = Arrays.copyOf(regions, capacity);
        if (inlineAddress != 0) {
            long from = inlineAddress;
            Arena keep = inlineArena;
            inlineArena = Arena.ofAuto();
            inlineAddress = inlineArena.allocate((long) capacity * inlineStride, Long.BYTES).address();
            NativeMemory.read(from, inlineAddress, old * inlineStride);
            Reference.reachabilityFence(keep);
        }
    }

    long get(int slot, int word) {
        return words[slot * STRIDE + word];
    }

    void put(int slot, int word, long value) {
        words[slot * STRIDE + word] = value;
    }

    void putControl(int slot, int opcode, int flags, int length) {
        words[slot * STRIDE + CONTROL] = (long) length << LENGTH_SHIFT | (long) flags << FLAGS_SHIFT | opcode;
    }

    void addFlag(int slot, int flag) {
        words[slot * STRIDE + CONTROL] |= (long) flag << FLAGS_SHIFT;
    }

    void putKeys(int slot, int local, int remote) {
        words[slot * STRIDE + KEYS] = (long) local << 32 | remote & 0xffff_ffffL;
    }

    int opcode(int slot) {
        return (int) words[slot * STRIDE + CONTROL] & 0xff;
    }

    WorkCompletionOpcode completesAs(int slot) {
        return COMPLETES_AS[opcode(slot)];
    }

    boolean has(int slot, int flag) {
        return (words[slot * STRIDE + CONTROL] >>> FLAGS_SHIFT & flag) != 0;
    }

    /// Whether the answer is written to the local range.
    boolean answersIntoMemory(int slot) {
        int opcode = opcode(slot);
        return opcode == READ || opcode == COMPARE_AND_SWAP || opcode == FETCH_AND_ADD;
    }

    /// Whether the request is carried out on this side alone.
    boolean isLocal(int slot) {
        int opcode = opcode(slot);
        return opcode == BIND || opcode == INVALIDATE;
    }

    /// Whether requests of this kind need a receive at the peer.
    static boolean consumesReceive(int opcode) {
        return opcode == SEND || opcode == SEND_WITH_INVALIDATE || opcode == WRITE_WITH_IMMEDIATE;
    }

    int length(int slot) {
        return (int) (words[slot * STRIDE + CONTROL] >>> LENGTH_SHIFT);
    }

    int localKey(int slot) {
        return (int) (words[slot * STRIDE + KEYS] >>> 32);
    }

    int remoteKey(int slot) {
        return (int) words[slot * STRIDE + KEYS];
    }

    void putBind(int slot, SoftMemoryWindow window, SoftMemoryRegion region) {
        windows[slot] = window;
        regions[slot] = region;
    }

    /// The window of a bind.
    SoftMemoryWindow window(int slot) {
        return Objects.requireNonNull(windows[slot]);
    }

    /// The region of a bind.
    SoftMemoryRegion region(int slot) {
        return Objects.requireNonNull(regions[slot]);
    }

    /// Lets go of the objects of a bind that was carried out.
    void forget(int slot) {
        windows[slot] = null;
        regions[slot] = null;
    }

    /// Where the inline payload of a slot lies.
    long inlineAddress(int slot) {
        if (inlineAddress == 0) {
            inlineAddress = inlineArena.allocate((long) capacity() * inlineStride, Long.BYTES).address();
        }
        return inlineAddress + (long) slot * inlineStride;
    }

    /// Copies `count` requests from the start of a batch to slots from `slot`.
    void copyFrom(WorkRequests batch, int first, int slot, int count) {
        System.arraycopy(batch.words, first * STRIDE, words, slot * STRIDE, count * STRIDE);
        for (int i = 0; i < count; i++) {
            if (opcode(slot + i) == BIND) {
                putBind(slot + i, batch.window(first + i), batch.region(first + i));
                batch.forget(first + i);
            }
            if (has(slot + i, INLINE)) {
                long here = inlineAddress(slot + i);
                NativeMemory.read(batch.inlineAddress(first + i), here, length(slot + i));
                put(slot + i, LOCAL, here);
            }
        }
    }
}
