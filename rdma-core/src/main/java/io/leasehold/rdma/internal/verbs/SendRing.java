package io.leasehold.rdma.internal.verbs;

import io.leasehold.rdma.WorkCompletionOpcode;
import org.jspecify.annotations.Nullable;

/// What a queue pair remembers of the requests in its send queue, in a ring, until their completions are polled.
///
/// The poster, who holds the queue pair's send lock, adds at `posted`; the poller, who holds the lock of the completion queue, takes
/// away at `retired`. Each writes one of the two counters, and what it wrote before is seen by whoever reads it after.
final class SendRing {
    /// An opcode of our own: a request that only rings the doorbell, and whose completion nobody sees.
    static final int NUDGE = 100;

    private final int mask;
    private final long[] ids;
    private final int[] opcodes;
    private final int[] lengths;
    private final int[] keys;
    /// Where the last bytes of an answer come, 0 if that is not watched; the mark that was put there, and what was there before.
    private final long[] answers;
    private final long[] marks;
    private final long[] overwritten;
    private final @Nullable VerbsMemoryWindow[] windows;
    private final @Nullable VerbsMemoryRegion[] regions;
    private volatile long posted;
    private volatile long retired;

    SendRing(int places) {
        int size = Integer.highestOneBit(Math.max(1, places - 1)) << 1;
        mask = size - 1;
        ids = new long[size];
        opcodes = new int[size];
        lengths = new int[size];
        keys = new int[size];
        answers = new long[size];
        marks = new long[size];
        overwritten = new long[size];
        windows = new VerbsMemoryWindow[size];
        regions = new VerbsMemoryRegion[size];
    }

    long posted() {
        return posted;
    }

    long retired() {
        return retired;
    }

    /// Requests posted and not retired.
    int used() {
        return (int) (posted - retired);
    }

    void put(long position, long id, int opcode, int lengthBytes, int key, @Nullable VerbsMemoryWindow window,
            @Nullable VerbsMemoryRegion region) {
        int at = (int) position & mask;
        ids[at] = id;
        opcodes[at] = opcode;
        lengths[at] = lengthBytes;
        keys[at] = key;
        answers[at] = 0;
        windows[at] = window;
        regions[at] = region;
    }

    /// Marks the last 8 bytes of where the answer to the request comes, to see whether it has come. Each mark is another: of two
    /// requests with the same place neither is taken for unanswered on account of the other.
    void watch(long position, long address, long mark) {
        int at = (int) position & mask;
        answers[at] = address;
        marks[at] = mark;
        overwritten[at] = RawMemory.getLong(address);
        RawMemory.putLong(address, mark);
    }

    /// The first of the requests up to and including `last` that are said to be done and whose answer has not come; -1 if there is
    /// none.
    long firstUnanswered(long last) {
        for (long position = retired; position <= last; position++) {
            if (isUnanswered((int) position & mask)) {
                return position;
            }
        }
        return -1;
    }

    private boolean isUnanswered(int at) {
        return answers[at] != 0 && RawMemory.getLong(answers[at]) == marks[at];
    }

    /// No answer comes any more: the place is left as it was.
    void unwatch(long position) {
        int at = (int) position & mask;
        if (isUnanswered(at)) {
            RawMemory.putLong(answers[at], overwritten[at]);
        }
        answers[at] = 0;
    }

    void posted(long next) {
        posted = next;
    }

    long id(long position) {
        return ids[(int) position & mask];
    }

    int opcode(long position) {
        return opcodes[(int) position & mask];
    }

    int length(long position) {
        return lengths[(int) position & mask];
    }

    /// Whether the request concerns the peer, so that its loss leaves one in doubt.
    boolean isRemote(long position) {
        int opcode = opcode(position);
        return opcode != Abi.BIND_WINDOW && opcode != Abi.LOCAL_INVALIDATE;
    }

    WorkCompletionOpcode completionOpcode(long position) {
        return switch (opcode(position)) {
            case Abi.WRITE, Abi.WRITE_WITH_IMMEDIATE -> WorkCompletionOpcode.RDMA_WRITE;
            case Abi.READ -> WorkCompletionOpcode.RDMA_READ;
            case Abi.COMPARE_AND_SWAP -> WorkCompletionOpcode.COMP_SWAP;
            case Abi.FETCH_AND_ADD -> WorkCompletionOpcode.FETCH_ADD;
            case Abi.BIND_WINDOW -> WorkCompletionOpcode.BIND_MW;
            case Abi.LOCAL_INVALIDATE -> WorkCompletionOpcode.LOCAL_INV;
            default -> WorkCompletionOpcode.SEND;
        };
    }

    /// The requests before `end` were carried out.
    void succeed(VerbsQueuePair queuePair, long end, WindowTable table) {
        for (long position = retired; position < end; position++) {
            int at = (int) position & mask;
            if (opcodes[at] == Abi.BIND_WINDOW) {
                VerbsMemoryWindow window = windows[at];
                VerbsMemoryRegion region = regions[at];
                if (window != null && region != null) {
                    window.bound(queuePair, region, keys[at]);
                }
                forget(at);
            } else if (opcodes[at] == Abi.LOCAL_INVALIDATE) {
                VerbsMemoryWindow window = table.find(keys[at] >>> 8);
                if (window != null) {
                    window.invalidated(keys[at]);
                }
            }
        }
        retired = end;
    }

    /// The oldest request has failed.
    void fail() {
        int at = (int) retired & mask;
        VerbsMemoryWindow window = windows[at];
        VerbsMemoryRegion region = regions[at];
        if (window != null && region != null) {
            window.notBound(region);
        }
        unwatch(retired);
        forget(at);
        retired++;
    }

    /// Nobody will know what became of the requests that are left. Under both locks.
    void abandon() {
        for (long position = retired; position < posted; position++) {
            int at = (int) position & mask;
            VerbsMemoryWindow window = windows[at];
            VerbsMemoryRegion region = regions[at];
            if (window != null && region != null) {
                window.inDoubt(region);
            }
            forget(at);
        }
        retired = posted;
    }

    private void forget(int at) {
        windows[at] = null;
        regions[at] = null;
    }
}
