package io.leasehold.lease;

import io.leasehold.lease.WorkChain.Fault;
import io.leasehold.lease.WorkChain.Kind;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.concurrent.CompletableFuture;

/// A reusable list of data operations under any leases of one session that are posted with one doorbell and carried out in order.
///
/// Add operations, [#execute()], read the results by the positions that adding returned, [#reset()]. If one fails, those before
/// it were carried out, those after it were not, unless the connection broke, and [#outcome(int)] says which is which. Results
/// stay valid until `reset()` or `close()`. Executing allocates nothing once the batch has grown to its largest use. For one
/// thread at a time.
public final class Batch implements AutoCloseable {
    /// How one operation of an executed batch ended.
    public enum Outcome {
        /// It was carried out.
        DONE,
        /// It was refused: nothing was changed.
        REFUSED,
        /// It was not carried out.
        NOT_EXECUTED,
        /// It may have been carried out.
        UNKNOWN
    }

    private enum Phase {
        FILLING, EXECUTING, EXECUTED, ABANDONED, CLOSED
    }

    private final SessionCore session;
    private BatchScratch scratch;
    private WorkChain chain;
    private volatile Phase phase = Phase.FILLING;

    Batch(SessionCore session, BatchScratch scratch) {
        this.session = session;
        this.scratch = scratch;
        chain = scratch.chain;
    }

    /// Adds a read of `lengthBytes` from `offset` of `lease`; see [#data(int)].
    ///
    /// @return its position
    public int read(Lease lease, long offset, int lengthBytes) {
        requireFilling(lease);
        if (lengthBytes < 0) {
            throw new IllegalArgumentException("lengthBytes " + lengthBytes + " is negative");
        }
        long remote = lease.check(AccessRight.READ, offset, lengthBytes);
        return add(Kind.READ, lease, remote, lengthBytes, scratch.take(lengthBytes), 0, 0);
    }

    /// Adds a write of all of `from` at `offset` of `lease`; `from` is copied now.
    ///
    /// @return its position
    public int write(Lease lease, long offset, MemorySegment from) {
        requireFilling(lease);
        long length = from.byteSize();
        long remote = lease.check(AccessRight.WRITE, offset, length);
        long local = scratch.take(length);
        MemorySegment.copy(from, 0, chain.memory, local, length);
        return add(Kind.WRITE, lease, remote, (int) length, local, 0, 0);
    }

    /// Adds a compare-and-swap; see [#previous(int)].
    ///
    /// @return its position
    public int compareAndSwap(Lease lease, long offset, long expected, long desired) {
        requireFilling(lease);
        long remote = lease.checkWord(offset);
        return add(Kind.COMPARE_AND_SWAP, lease, remote, Long.BYTES, scratch.take(Long.BYTES), expected, desired);
    }

    /// Adds a fetch-and-add; see [#previous(int)].
    ///
    /// @return its position
    public int fetchAndAdd(Lease lease, long offset, long addend) {
        requireFilling(lease);
        long remote = lease.checkWord(offset);
        return add(Kind.FETCH_AND_ADD, lease, remote, Long.BYTES, scratch.take(Long.BYTES), addend, 0);
    }

    /// Adds a compare-and-swap of a lease word.
    void addToWord(long remote, long expected, long desired) {
        add(Kind.COMPARE_AND_SWAP, session.wordRow(), remote, Long.BYTES, scratch.take(Long.BYTES), expected, desired);
    }

    private int add(Kind kind, Lease lease, long remote, int lengthBytes, long local, long operand, long desired) {
        chain.add(kind, lease, remote, lengthBytes, local, operand, desired);
        return chain.size() - 1;
    }

    /// The number of operations added.
    public int size() {
        requireUsable();
        return chain.size();
    }

    /// Posts all operations and waits until they have ended. One round trip, as long as they fit the send queue.
    ///
    /// @throws LeaseException the first failure, as for the operations of [Lease]
    public void execute() {
        start();
        if (chain.size() > 0) {
            session.path().submit(chain);
            ChainWaiter waiter = session.operations().waiter();
            if (!chain.hasEnded() && !waiter.await(chain)) {
                RuntimeException unanswered = session.failure().unanswered(chain, session.requestTimeoutNanos());
                if (waiter.abandon(chain)) {
                    // What is on the way still uses the memory, which goes back when that has ended.
                    phase = Phase.ABANDONED;
                    throw unanswered;
                }
            }
        }
        phase = Phase.EXECUTED;
        if (chain.fault != Fault.NONE) {
            throw session.failure().of(chain);
        }
    }

    /// Posts all operations; the batch may be touched again when the future has ended.
    ///
    /// The future ends on the thread that found the completions, as a rule one of the device: what depends on it directly must be
    /// quick and must not wait for other operations; use the `…Async` forms of [CompletableFuture] for what is not or does.
    public CompletableFuture<Void> executeAsync() {
        start();
        if (chain.size() == 0) {
            phase = Phase.EXECUTED;
            return CompletableFuture.completedFuture(null);
        }
        CompletableFuture<Void> future = new CompletableFuture<>();
        chain.startNanos = SystemClock.NANOS.getAsLong();
        chain.onEnd = () -> ended(future);
        session.path().submit(chain);
        return future;
    }

    private void ended(CompletableFuture<Void> future) {
        chain.onEnd = null;
        chain.startNanos = 0;
        phase = Phase.EXECUTED;
        if (chain.fault == Fault.NONE) {
            future.complete(null);
        } else {
            future.completeExceptionally(session.failure().of(chain));
        }
    }

    private void start() {
        if (phase != Phase.FILLING) {
            throw wrongPhase();
        }
        session.state().requireOpen("batch");
        phase = Phase.EXECUTING;
        chain.setState(WorkChain.READY);
    }

    /// How the operation at `position` ended; unknown of all, if none was answered in time.
    public Outcome outcome(int position) {
        if (phase == Phase.ABANDONED) {
            return Outcome.UNKNOWN;
        }
        requireExecuted(position);
        return chain.outcome(position);
    }

    /// The bytes that the read at `position` brought; a view that is 8-byte aligned.
    public MemorySegment data(int position) {
        requireExecuted(position);
        return chain.memory.asSlice(chain.local(position), chain.lengthBytes(position));
    }

    /// The word before the atomic at `position`.
    public long previous(int position) {
        requireExecuted(position);
        return chain.memory.get(ValueLayout.JAVA_LONG, chain.local(position));
    }

    /// Forgets all operations and results; the memory stays, unless operations that were not answered in time still use it.
    public void reset() {
        if (phase == Phase.ABANDONED) {
            scratch = session.takeScratch();
            chain = scratch.chain;
        } else {
            requireUsable();
        }
        scratch.clear();
        phase = Phase.FILLING;
    }

    /// Gives the batch back to its session.
    ///
    /// @throws IllegalStateException while it is executing
    @Override
    public void close() {
        if (phase == Phase.EXECUTING) {
            throw wrongPhase();
        }
        boolean isMine = phase != Phase.CLOSED && phase != Phase.ABANDONED;
        phase = Phase.CLOSED;
        if (isMine) {
            session.give(scratch);
        }
    }

    private void requireFilling(Lease lease) {
        if (phase != Phase.FILLING) {
            throw wrongPhase();
        }
        if (lease.session() != session) {
            throw new IllegalArgumentException(lease + " belongs to another session");
        }
    }

    private void requireUsable() {
        if (phase == Phase.EXECUTING || phase == Phase.ABANDONED || phase == Phase.CLOSED) {
            throw wrongPhase();
        }
    }

    private void requireExecuted(int position) {
        if (phase != Phase.EXECUTED) {
            throw wrongPhase();
        }
        if (position < 0 || position >= chain.size()) {
            throw new IndexOutOfBoundsException("position " + position + " of a batch of " + chain.size());
        }
    }

    private IllegalStateException wrongPhase() {
        return new IllegalStateException(switch (phase) {
            case FILLING -> "the batch was not executed";
            case EXECUTING -> "the batch is executing: wait for its future";
            case EXECUTED -> "the batch was executed: reset it first";
            case ABANDONED -> "the batch was not answered in time: reset it first";
            case CLOSED -> "the batch is closed";
        });
    }
}
