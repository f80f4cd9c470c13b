package io.leasehold.lease;

import io.leasehold.rdma.MemoryRegion;
import io.leasehold.rdma.SendBatch;
import io.leasehold.rdma.WorkCompletionStatus;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/// Data operations that are posted with one doorbell, carried out in order, and waited for together. Reused for ever: a single
/// operation is a chain of one that lives in the session's pool, a [Batch] has a long one.
///
/// Operations `[0, from)` are done. `[from, limit)` are at the queue pair, of which only the last is signalled, since on a
/// reliable connection its success means that those before it succeeded, and a request that fails always completes. `[limit,
/// size)` are to be posted next.
///
/// ```
///  IDLE ──> READY ──> POSTING ──> POSTED ──> ENDED ──> IDLE
///             ^          └─> LANDED ─┘│
///             └──────────────────────┘   flushed, or longer than the send queue
/// ```
///
/// LANDED is what completed before its poster came back from the doorbell: the poster ends it, for until then it uses the send
/// batch.
final class WorkChain {
    /// What an operation does.
    enum Kind {
        READ, WRITE, COMPARE_AND_SWAP, FETCH_AND_ADD;

        boolean isAtomic() {
            return this == COMPARE_AND_SWAP || this == FETCH_AND_ADD;
        }
    }

    /// Why a chain stopped before its end; what was on the way before may be in doubt besides, see [#changeInDoubt()].
    enum Fault {
        /// It did not.
        NONE,
        /// The node's device refused the operation.
        REFUSED,
        /// The lease had ended before the operation was posted, or was found to have ended when the session recovered.
        EXPIRED,
        /// The connection broke while the operation was on the way.
        IN_DOUBT,
        /// The node was not reached in time to post the operation, or to post it again.
        UNREACHABLE,
        /// The session was closed before the operation was posted, or posted again.
        CLOSED
    }

    static final int IDLE = 0;
    static final int READY = 1;
    static final int POSTING = 2;
    static final int LANDED = 3;
    static final int POSTED = 4;
    static final int ENDED = 5;
    /// Never to be used again.
    static final int SHUT = 6;

    /// Most operations of one chain: what its part of a work request id can count.
    static final int LENGTH_MAX = 1 << 20;
    /// Longest WRITE that a device refuses as a whole: what the software fabric carries in one piece. Of a longer one a first part
    /// may have been written when its key was revoked.
    static final int WHOLE_MAX = 1 << 16;
    private static final int POSITION_BITS = 20;
    private static final int GENERATION_BITS = 24;

    private static final VarHandle STATE;

    static {
        try {
            STATE = MethodHandles.lookup().findVarHandle(WorkChain.class, "state", int.class);
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    /// Its place in the data path's table.
    final int number;

    // Where the bytes pass through; offsets are from the start of the region.
    MemoryRegion region;
    MemorySegment memory;

    private Kind[] kinds;
    private Lease[] leases;
    private long[] remotes;
    private int[] lengths;
    private long[] locals;
    private long[] operands;
    private long[] desireds;
    private int size;

    int from;
    int limit;
    @Nullable DataPair pair;
    private @Nullable SendBatch batch;
    private @Nullable DataPair batchPair;

    // What completions said; written by whoever drains, read by whoever ends the post.
    int errorAt = -1;
    WorkCompletionStatus errorStatus = WorkCompletionStatus.SUCCESS;
    /// `[from, doubtEnd)` may have been carried out, this time or when they were posted before; only their success ends the doubt.
    int doubtEnd;
    long flushOrder;

    // How it ended; valid when ENDED.
    Fault fault = Fault.NONE;
    WorkCompletionStatus status = WorkCompletionStatus.SUCCESS;

    @SuppressWarnings("unused") // By STATE.
    private volatile int state;
    volatile @Nullable Thread waiter;
    /// Runs when the chain has ended, instead of waking a waiter.
    @Nullable Runnable onEnd;
    /// When waiting began; 0 while nobody had to wait.
    long startNanos;
    /// Its time is over: it must not be posted again.
    volatile boolean givenUp;
    /// Its waiter is gone: whoever ends it runs `reclaim`.
    volatile boolean abandoned;
    @Nullable Runnable reclaim;
    @Nullable WorkChain next;

    WorkChain(int number, int capacity, MemoryRegion region, MemorySegment memory) {
        this.number = number;
        this.region = region;
        this.memory = memory;
        kinds = new Kind[capacity];
        leases = new Lease[capacity];
        remotes = new long[capacity];
        lengths = new int[capacity];
        locals = new long[capacity];
        operands = new long[capacity];
        desireds = new long[capacity];
    }

    int size() {
        return size;
    }

    Kind kind(int position) {
        return kinds[position];
    }

    Lease lease(int position) {
        return leases[position];
    }

    long remote(int position) {
        return remotes[position];
    }

    int lengthBytes(int position) {
        return lengths[position];
    }

    long local(int position) {
        return locals[position];
    }

    /// Adds an operation at the remote address `remote` whose bytes pass through the region at `local`.
    void add(Kind kind, Lease lease, long remote, int lengthBytes, long local, long operand, long desired) {
        if (size == kinds.length) {
            grow();
        }
        int position = size++;
        kinds[position] = kind;
        leases[position] = lease;
        remotes[position] = remote;
        lengths[position] = lengthBytes;
        locals[position] = local;
        operands[position] = operand;
        desireds[position] = desired;
    }

    private void grow() {
        if (size == LENGTH_MAX) {
            throw new IllegalStateException("a batch holds at most " + LENGTH_MAX + " operations: execute it in parts");
        }
        int capacity = Math.min(LENGTH_MAX, Math.max(16, size * 2));
        kinds = Arrays.copyOf(kinds, capacity);
        leases = Arrays.copyOf(leases, capacity);
        remotes = Arrays.copyOf(remotes, capacity);
        lengths = Arrays.copyOf(lengths, capacity);
        locals = Arrays.copyOf(locals, capacity);
        operands = Arrays.copyOf(operands, capacity);
        desireds = Arrays.copyOf(desireds, capacity);
    }

    /// Forgets the operations and how they ended.
    void clear() {
        size = 0;
        from = 0;
        limit = 0;
        errorAt = -1;
        doubtEnd = 0;
        fault = Fault.NONE;
        status = WorkCompletionStatus.SUCCESS;
        startNanos = 0;
        onEnd = null;
        // Volatile, and hardly ever set: a look costs less than a store.
        if (givenUp) {
            givenUp = false;
            abandoned = false;
        }
    }

    int state() {
        return (int) STATE.getAcquire(this);
    }

    void setState(int newState) {
        STATE.setVolatile(this, newState);
    }

    /// As [#setState], for a state that nobody looks for before something else has been made known: the doorbell.
    void prepareState(int newState) {
        STATE.setRelease(this, newState);
    }

    boolean casState(int expected, int newState) {
        return STATE.compareAndSet(this, expected, newState);
    }

    boolean hasEnded() {
        return state() == ENDED;
    }

    /// The first operation from `from` on that cannot be posted to `target` now, or `size`.
    int postable(DataPair target) {
        Lease seen = null;
        for (int i = from; i < size; i++) {
            Lease lease = leases[i];
            if (lease != seen && !lease.isUsableOn(target.generation)) {
                return i;
            }
            seen = lease;
        }
        return size;
    }

    /// Adds the requests `[from, limit)` to a send batch of `target`.
    SendBatch build(DataPair target) {
        SendBatch requests = batch;
        if (requests == null || batchPair != target) {
            requests = target.queuePair.newSendBatch();
            batch = requests;
            batchPair = target;
        }
        int last = limit - 1;
        for (int i = from; i <= last; i++) {
            long id = requestId(i, target.generation);
            int key = leases[i].key();
            switch (kinds[i]) {
                case READ -> requests.read(id, region, locals[i], lengths[i], remotes[i], key);
                case WRITE -> requests.write(id, region, locals[i], lengths[i], remotes[i], key);
                case COMPARE_AND_SWAP ->
                    requests.compareAndSwap(id, region, locals[i], remotes[i], key, operands[i], desireds[i]);
                case FETCH_AND_ADD -> requests.fetchAndAdd(id, region, locals[i], remotes[i], key, operands[i]);
            }
            if (i < last) {
                requests.unsignalled();
            }
        }
        return requests;
    }

    /// The id of a work request: which chain, which operation, posted in which generation.
    ///
    /// ```
    ///  63          44 43          24 23           0
    /// +--------------+--------------+--------------+
    /// |    chain     |   position   |  generation  |
    /// +--------------+--------------+--------------+
    /// ```
    private long requestId(int position, int generation) {
        return (long) number << POSITION_BITS + GENERATION_BITS | (long) position << GENERATION_BITS
                | generation & (1 << GENERATION_BITS) - 1;
    }

    static int chainOf(long requestId) {
        return (int) (requestId >>> POSITION_BITS + GENERATION_BITS);
    }

    static int positionOf(long requestId) {
        return (int) (requestId >>> GENERATION_BITS) & (1 << POSITION_BITS) - 1;
    }

    static boolean isOf(long requestId, int generation) {
        return ((int) requestId ^ generation) << Integer.SIZE - GENERATION_BITS == 0;
    }

    /// Takes the notes on errors back before the rest of the chain is posted.
    void forgetError() {
        errorAt = -1;
    }

    /// Notes that the request at `position` failed.
    void failed(int position, WorkCompletionStatus how, long order) {
        if (errorAt < 0) {
            errorAt = position;
            errorStatus = how;
            flushOrder = order;
        }
        if (how.mayHaveTakenEffect() || how == WorkCompletionStatus.REM_ACCESS_ERR && kinds[position] == Kind.WRITE
                && lengths[position] > WHOLE_MAX) {
            doubtEnd = Math.max(doubtEnd, position + 1);
        }
    }

    /// Whether the first error is the node's answer to its request: it is not repeated, and none behind it was carried out.
    boolean isRefused() {
        return errorStatus != WorkCompletionStatus.WR_FLUSH_ERR && !errorStatus.mayHaveTakenEffect();
    }

    /// Notes that nobody will tell how the posted requests ended: from the first error on, or from the first request.
    void unanswered() {
        if (errorAt >= 0 && isRefused()) {
            return;
        }
        for (int i = Math.max(from, errorAt); i < limit; i++) {
            failed(i, WorkCompletionStatus.RESP_TIMEOUT_ERR, Long.MAX_VALUE);
        }
    }

    /// Whether an atomic is among the requests that may have been carried out: then they cannot be repeated.
    boolean isAtomicInDoubt() {
        for (int i = errorAt; i < doubtEnd; i++) {
            if (kinds[i].isAtomic()) {
                return true;
            }
        }
        return false;
    }

    /// The first operation that may have been carried out and changes memory, or −1: if there is one, a chain that has ended with
    /// a fault must not be said to have changed nothing.
    int changeInDoubt() {
        for (int i = from; i < doubtEnd; i++) {
            if (kinds[i] != Kind.READ) {
                return i;
            }
        }
        return -1;
    }

    /// How the operation at `position` ended; the chain has ended.
    Batch.Outcome outcome(int position) {
        if (position < from) {
            return Batch.Outcome.DONE;
        }
        if (position < doubtEnd) {
            return Batch.Outcome.UNKNOWN;
        }
        boolean refused = fault == Fault.REFUSED || fault == Fault.EXPIRED;
        return position == from && refused ? Batch.Outcome.REFUSED : Batch.Outcome.NOT_EXECUTED;
    }
}
