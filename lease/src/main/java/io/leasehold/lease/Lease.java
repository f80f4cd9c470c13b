package io.leasehold.lease;

import io.leasehold.lease.ControlMessage.Granted;
import io.leasehold.lease.LeaseEnding.Loss;
import io.leasehold.lease.WorkChain.Kind;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.time.temporal.ChronoUnit;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Future;
import org.jspecify.annotations.Nullable;

/// The right of one session to read, write or use atomics on a range of a node's memory until a deadline, enforced by the node's
/// device.
///
/// The data operations take one round trip, allocate nothing, and throw [LeaseExpiredException] without touching the network when
/// the lease has ended by the holder's clock, [OutOfBoundsException] when they leave the range, [AccessDeniedException] when the
/// lease lacks the right or the node refuses them, [OutcomeUnknownException] or [NodeUnavailableException] when the connection
/// breaks. A transfer longer than 64 MiB is made in parts. Thread-safe.
public final class Lease implements AutoCloseable {
    private final SessionCore session;
    private final long id;
    private final RemoteAddress address;
    private final long lengthBytes;
    private final long remote;
    private final Set<AccessRight> rights;
    private final int access;
    private final LeaseMode mode;
    private final @Nullable LeaseWord word;
    private final long renewalNanos;

    /// The activation that `key` belongs to, high, and the key, low: read as one.
    private volatile long binding;
    /// Whether the node may hold the lease for longer than its word, as it is known here, says.
    private volatile boolean mayOutlive;
    private final LeaseEnding ending = new LeaseEnding();
    private volatile @Nullable Future<?> deadlineWatch;
    private volatile @Nullable Renewal renewal;

    /// A lease as it was granted. `renewalNanos` is by how much the session extends it at half-life; 0: not at all.
    Lease(SessionCore session, Granted granted, Set<AccessRight> rights, LeaseMode mode, long renewalNanos) {
        this.session = session;
        id = granted.lease();
        address = new RemoteAddress(session.node(), granted.offset());
        lengthBytes = granted.lengthBytes();
        remote = session.remote(granted.offset());
        this.rights = rights;
        access = AccessRight.mask(rights);
        this.mode = mode;
        this.renewalNanos = renewalNanos;
        word = new LeaseWord(session, granted);
        bind(granted.generation(), granted.key());
    }

    /// A lease without deadline and word on memory at `remote`: the row of lease words, or all memory unprotected.
    Lease(SessionCore session, long remote, long lengthBytes, Set<AccessRight> rights, int key) {
        this.session = session;
        id = -1;
        address = new RemoteAddress(session.node(), 0);
        this.lengthBytes = lengthBytes;
        this.remote = remote;
        this.rights = rights;
        access = AccessRight.mask(rights);
        mode = LeaseMode.UNCHECKED;
        renewalNanos = 0;
        word = null;
        bind(0, key);
    }

    /// First byte of the range.
    public RemoteAddress address() {
        return address;
    }

    /// Length of the range in bytes.
    public long lengthBytes() {
        return lengthBytes;
    }

    /// What the holder may do.
    public Set<AccessRight> rights() {
        return rights;
    }

    /// Which other leases may overlap.
    public LeaseMode mode() {
        return mode;
    }

    /// Time until the deadline by the holder's clock, less the clocks' uncertainty; zero or negative when it has ended.
    public Duration remaining() {
        if (ending.hasEnded()) {
            return Duration.ZERO;
        }
        LeaseWord own = word;
        return own == null ? ChronoUnit.FOREVER.getDuration()
                : Duration.ofNanos(own.deadlineNanos() - session.clock().latestNodeNanos());
    }

    /// Whether operations can still be posted, by the holder's clock.
    public boolean isLive() {
        return !hasEnded(session.clock());
    }

    /// Whether `[address, address + lengthBytes)` lies in the range.
    public boolean covers(RemoteAddress first, long length) {
        long offset = first.offset() - address.offset();
        return first.node() == address.node() && offset >= 0 && length >= 0 && offset <= lengthBytes - length;
    }

    /// Reads `into.byteSize()` bytes from `offset` (from the start of the range) into a caller's buffer.
    public void read(long offset, MemorySegment into) {
        long length = into.byteSize();
        long at = check(AccessRight.READ, offset, length);
        SingleOperations operations = session.operations();
        if (length == 0) {
            return;
        }
        if (length <= operations.transferMax()) {
            operations.read(this, at, into);
        } else {
            LargeTransfer.read(session, this, offset, into);
        }
    }

    /// Writes all of `from` at `offset`.
    public void write(long offset, MemorySegment from) {
        long length = from.byteSize();
        long at = check(AccessRight.WRITE, offset, length);
        SingleOperations operations = session.operations();
        if (length == 0) {
            return;
        }
        if (length <= operations.transferMax()) {
            operations.write(this, at, from);
        } else {
            LargeTransfer.write(session, this, offset, from);
        }
    }

    /// Writes all of `from` at `offset`.
    public void write(long offset, byte[] from) {
        if (from.length == 0 || from.length > session.operations().transferMax()) {
            write(offset, MemorySegment.ofArray(from));
        } else {
            session.operations().write(this, check(AccessRight.WRITE, offset, from.length), from);
        }
    }

    /// If the aligned word at `offset` is `expected`, makes it `desired`.
    ///
    /// @return the word before: the swap was made iff it equals `expected`
    public long compareAndSwap(long offset, long expected, long desired) {
        long at = checkWord(offset);
        return session.operations().atomic(Kind.COMPARE_AND_SWAP, this, at, expected, desired);
    }

    /// Adds `addend` to the aligned word at `offset`.
    ///
    /// @return the word before
    public long fetchAndAdd(long offset, long addend) {
        long at = checkWord(offset);
        return session.operations().atomic(Kind.FETCH_AND_ADD, this, at, addend, 0);
    }

    /// Moves the deadline `time` further, by one CAS on the lease word, without the node's CPU.
    ///
    /// @throws LeaseExpiredException if the lease has ended, or would outlive its longest life
    /// @throws OutcomeUnknownException if the connection broke and nobody could look in time: the deadline may have moved
    public void extend(Duration time) {
        LeaseWord own = word;
        if (own == null) {
            return;
        }
        if (time.isNegative()) {
            throw new IllegalArgumentException("time " + time + " is negative");
        }
        if (ending.hasEnded()) {
            throw endedException("extension of " + this);
        }
        boolean isThere;
        try {
            isThere = own.extend(SystemClock.nanosOf(time));
        } catch (OutcomeUnknownException e) {
            extensionInDoubt();
            throw e;
        }
        if (!isThere) {
            lose(Loss.ENDED_BY_NODE);
        }
        if (!isThere || !extended()) {
            throw endedException("extension of " + this);
        }
    }

    /// After the deadline has moved at the node. If that was learned too late, and the lease has ended here, the node is told.
    ///
    /// @return whether the lease has not ended
    boolean extended() {
        if (!ending.hasEnded()) {
            return true;
        }
        session.relinquishLater(id);
        return false;
    }

    /// After an attempt to move the deadline that may have succeeded. When the lease ends here, the node is told.
    void extensionInDoubt() {
        mayOutlive = true;
        // It may have ended just now without seeing that.
        extended();
    }

    /// Has `action` run once when the session finds that the lease ended other than by [#close()], on a thread of the session; at
    /// once if it already has.
    public void onLost(Runnable action) {
        ending.onLost(action);
        if (deadlineWatch == null) {
            watchDeadline();
        }
    }

    /// Relinquishes: when it returns the key is dead, and conflicting leases can be granted. Closing twice, or after the end,
    /// is harmless. If the node cannot be reached the lease ends at its deadline. One control round trip.
    @Override
    public void close() {
        if (leave()) {
            session.relinquish(List.of(id));
        }
    }

    /// Relinquishes with the session's next control message, without waiting for it: for leases nobody waits for.
    public void relinquishLater() {
        if (leave()) {
            session.relinquishLater(id);
        }
    }

    /// Ends the lease for this holder.
    ///
    /// @return whether the node has to be told
    boolean leave() {
        if (!ending.close()) {
            return false;
        }
        forget();
        return word != null;
    }

    /// Ends the lease because it was lost; the first loss counts, and none after [#close()].
    void lose(Loss why) {
        if (ending.lose(why)) {
            forget();
        }
    }

    /// Ends the lease if its deadline has passed.
    void expire() {
        LeaseWord own = word;
        if (own != null && own.endAt(session.clock().latestNodeNanos(), () -> ending.lose(Loss.EXPIRED))) {
            forget();
            if (mayOutlive) {
                session.relinquishLater(id);
            }
        }
    }

    private void forget() {
        session.leases().remove(this);
        Future<?> watch = deadlineWatch;
        if (watch != null) {
            watch.cancel(false);
        }
        Renewal running = renewal;
        if (running != null) {
            running.cancel();
        }
    }

    /// Looks again when the deadline, as it is known now, has surely passed.
    private void watchDeadline() {
        LeaseWord own = word;
        if (own != null && !ending.hasEnded()) {
            deadlineWatch = SessionTimer.after(own.deadlineNanos() - session.clock().latestNodeNanos(), this::deadlineCame);
        }
    }

    private void deadlineCame() {
        expire();
        watchDeadline();
    }

    /// Starts what extends the lease at half-life.
    void renewLater() {
        LeaseWord own = word;
        if (own != null) {
            renewal = new Renewal(session, this, own, renewalNanos);
            renewal.schedule();
        }
    }

    long id() {
        return id;
    }

    SessionCore session() {
        return session;
    }

    /// Sets the key that opens the range through the queue pair of activation `generation`.
    void bind(int generation, int key) {
        binding = (long) generation << Integer.SIZE | key & 0xffff_ffffL;
    }

    int key() {
        return (int) binding;
    }

    boolean isBehind(int generation) {
        return word != null && (int) (binding >>> Integer.SIZE) < generation;
    }

    boolean isAheadOf(int generation) {
        return word != null && !ending.hasEnded() && (int) (binding >>> Integer.SIZE) > generation;
    }

    /// Whether an operation may be posted through the queue pair of activation `generation`, by the holder's clock.
    boolean isUsableOn(int generation) {
        LeaseWord own = word;
        return !ending.hasEnded() && (own == null || (int) (binding >>> Integer.SIZE) == generation
                && session.clock().latestNodeNanos() < own.deadlineNanos());
    }

    /// Whether it has ended, or its deadline may have passed.
    boolean hasEnded(ClusterClock clock) {
        LeaseWord own = word;
        return ending.hasEnded() || own != null && clock.latestNodeNanos() >= own.deadlineNanos();
    }

    /// Where in the range `remoteAddress` is.
    long offsetOf(long remoteAddress) {
        return remoteAddress - remote;
    }

    /// Checks the right and the range of an operation.
    ///
    /// @return its remote address
    long check(AccessRight right, long offset, long length) {
        if (ending.hasEnded()) {
            throw endedException(right + " at offset " + offset + " of " + this);
        }
        if (offset < 0 || length > lengthBytes || offset > lengthBytes - length) {
            throw new OutOfBoundsException(right + " of " + length + " bytes at offset " + offset + " leaves " + this);
        }
        if (!right.in(access)) {
            throw new AccessDeniedException(
                    right + " is not among the rights " + rights + " of " + this + "; acquire it with that right");
        }
        return remote + offset;
    }

    /// As [#check], of an atomic.
    long checkWord(long offset) {
        if ((remote + offset & Long.BYTES - 1) != 0) {
            throw new IllegalArgumentException("atomics need words aligned to 8; offset " + offset + " of " + this + " is not");
        }
        return check(AccessRight.ATOMIC, offset, Long.BYTES);
    }

    /// Why `what` cannot be done any more.
    RuntimeException endedException(String what) {
        return ending.exception(what, session.state());
    }

    @Override
    public String toString() {
        String range = " on [" + address.offset() + ", " + (address.offset() + lengthBytes) + ") of node " + address.node();
        return word == null ? "unlimited access" + range : mode + " lease " + id + range;
    }
}
