package io.leasehold.lease;

import io.leasehold.lease.WorkChain.Fault;
import io.leasehold.lease.WorkChain.Kind;
import io.leasehold.rdma.MemoryRegion;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/// The blocking operations of leases: each takes a chain of one from a pool, with scratch memory of its own, and gives it back.
///
/// A caller that finds no free chain waits, bounded like everything else. Allocates nothing unless it waits.
final class SingleOperations {
    /// Longest scratch of one operation; longer transfers take a batch, whose scratch grows.
    private static final long SCRATCH_MAX = 1 << 20;
    static final int ALIGNMENT = 64;
    /// 2^64 divided by the golden ratio: neighbouring numbers come to lie far apart.
    private static final long SPREAD = 0x9e3779b97f4a7c15L;
    private static final long SHUT_POLL_NANOS = 100_000;

    private final ChainPath path;
    private final SessionState state;
    private final ChainFailure failure;
    private final ChainWaiter waiter;
    private final MemorySegment memory;
    private final int scratchBytes;
    private final WorkChain[] pool;
    private final AtomicInteger waiting = new AtomicInteger();
    // A hint, given when somebody waits, that it may be worth looking for a free chain.
    private final Semaphore freed = new Semaphore(0);
    private final long timeoutNanos;

    SingleOperations(ChainPath path, SessionState state, ChainFailure failure, CallbackQueue callbacks, MemoryRegion scratch,
            int depth, long timeoutNanos) {
        this.path = path;
        this.state = state;
        this.failure = failure;
        this.timeoutNanos = timeoutNanos;
        memory = scratch.memory();
        scratchBytes = (int) (memory.byteSize() / depth);
        pool = new WorkChain[depth];
        waiter = new ChainWaiter(path, callbacks, timeoutNanos);
        for (int number = 0; number < depth; number++) {
            WorkChain chain = new WorkChain(number, 1, scratch, memory);
            chain.reclaim = () -> give(chain);
            pool[number] = chain;
            path.enter(chain);
        }
    }

    /// Bytes of scratch that `depth` operations need, given that about `wanted` may be taken.
    static long scratchBytes(int depth, int wanted) {
        long each = Math.min(SCRATCH_MAX, Math.max(ALIGNMENT, wanted / depth / ALIGNMENT * ALIGNMENT));
        return each * depth;
    }

    /// How many bytes one operation can transfer.
    int transferMax() {
        return scratchBytes;
    }

    ChainWaiter waiter() {
        return waiter;
    }

    /// Reads into `into`, at most [#transferMax()] bytes.
    void read(Lease lease, long remote, MemorySegment into) {
        WorkChain chain = take();
        int length = (int) into.byteSize();
        long local = (long) chain.number * scratchBytes;
        chain.add(Kind.READ, lease, remote, length, local, 0, 0);
        run(chain);
        try {
            MemorySegment.copy(memory, local, into, 0, length);
        } finally {
            give(chain);
        }
    }

    /// Writes all of `from`, at most [#transferMax()] bytes.
    void write(Lease lease, long remote, MemorySegment from) {
        WorkChain chain = take();
        int length = (int) from.byteSize();
        long local = (long) chain.number * scratchBytes;
        try {
            MemorySegment.copy(from, 0, memory, local, length);
        } catch (RuntimeException e) {
            give(chain);
            throw e;
        }
        chain.add(Kind.WRITE, lease, remote, length, local, 0, 0);
        run(chain);
        give(chain);
    }

    /// Writes all of `from`, at most [#transferMax()] bytes.
    void write(Lease lease, long remote, byte[] from) {
        WorkChain chain = take();
        long local = (long) chain.number * scratchBytes;
        MemorySegment.copy(from, 0, memory, ValueLayout.JAVA_BYTE, local, from.length);
        chain.add(Kind.WRITE, lease, remote, from.length, local, 0, 0);
        run(chain);
        give(chain);
    }

    /// A compare-and-swap or a fetch-and-add.
    ///
    /// @return the word before
    long atomic(Kind kind, Lease lease, long remote, long operand, long desired) {
        WorkChain chain = take();
        long local = (long) chain.number * scratchBytes;
        chain.add(kind, lease, remote, Long.BYTES, local, operand, desired);
        run(chain);
        long previous = memory.get(ValueLayout.JAVA_LONG, local);
        give(chain);
        return previous;
    }

    private void run(WorkChain chain) {
        path.submit(chain);
        if (!chain.hasEnded() && !waiter.await(chain)) {
            RuntimeException unanswered = failure.unanswered(chain, timeoutNanos);
            if (waiter.abandon(chain)) {
                throw unanswered;
            }
        }
        if (chain.fault != Fault.NONE) {
            RuntimeException thrown = failure.of(chain);
            give(chain);
            throw thrown;
        }
    }

    private WorkChain take() {
        WorkChain chain = tryTake();
        return chain != null ? chain : waitForFree();
    }

    private @Nullable WorkChain tryTake() {
        // Callers that begin to look at different places do not meet at one chain.
        long spread = Thread.currentThread().threadId() * SPREAD >>> Integer.SIZE;
        int first = (int) (spread * pool.length >>> Integer.SIZE);
        int at = first;
        do {
            WorkChain chain = pool[at];
            if (chain.state() == WorkChain.IDLE && chain.casState(WorkChain.IDLE, WorkChain.READY)) {
                return chain;
            }
            at = at + 1 == pool.length ? 0 : at + 1;
        } while (at != first);
        return null;
    }

    private WorkChain waitForFree() {
        long deadline = SystemClock.NANOS.getAsLong() + timeoutNanos;
        boolean interrupted = false;
        WorkChain chain = null;
        waiting.incrementAndGet();
        try {
            // Counted as waiting before it looks: who gives a chain back after that leaves a hint.
            chain = tryTake();
            long left = timeoutNanos;
            while (chain == null && left > 0 && state.isOpen()) {
                interrupted |= awaitHint(left);
                chain = tryTake();
                left = deadline - SystemClock.NANOS.getAsLong();
            }
        } finally {
            waiting.decrementAndGet();
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
        if (chain == null) {
            state.requireOpen("operation");
            throw new NodeUnavailableException(state.node() + ": all " + pool.length + " operations of the session were on the way for "
                    + timeoutNanos / 1_000_000 + " ms; the node is slow, or the session needs a larger depth");
        }
        return chain;
    }

    /// Waits for a hint.
    ///
    /// @return whether the thread was interrupted
    private boolean awaitHint(long nanos) {
        try {
            freed.tryAcquire(nanos, TimeUnit.NANOSECONDS);
            return false;
        } catch (InterruptedException _) {
            return true;
        }
    }

    private void give(WorkChain chain) {
        chain.clear();
        chain.setState(WorkChain.IDLE);
        if (waiting.get() > 0) {
            freed.release();
        }
    }

    /// Takes all chains that are free, for ever; those that are not are taken by the next call.
    ///
    /// @return whether now all are taken, so that nothing uses the scratch memory
    boolean shut() {
        boolean all = true;
        for (WorkChain chain : pool) {
            all &= chain.state() == WorkChain.SHUT || chain.casState(WorkChain.IDLE, WorkChain.SHUT);
        }
        // Those who wait for a chain find that the session is closed.
        freed.release(waiting.get());
        return all;
    }

    /// As [#shut()], again and again for up to `nanos`.
    boolean shutWithin(long nanos) {
        long deadline = SystemClock.NANOS.getAsLong() + nanos;
        boolean interrupted = false;
        boolean all = shut();
        while (!all && SystemClock.NANOS.getAsLong() - deadline < 0) {
            LockSupport.parkNanos(SHUT_POLL_NANOS);
            interrupted |= Thread.interrupted();
            all = shut();
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
        return all;
    }
}
