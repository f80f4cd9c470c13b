package io.leasehold.rdma.internal.soft;

import io.leasehold.rdma.AccessFlag;
import io.leasehold.rdma.MemoryWindowType;
import io.leasehold.rdma.RemoteKey;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import org.jspecify.annotations.Nullable;

/// What one key index opens now, and how many accesses through it are under way.
///
/// ```
///  63       41 40 39     32 31               0
/// +-----------+---+---------+------------------+
/// |     0     | v | variant |      users       |      v: valid
/// +-----------+---+---------+------------------+
/// ```
///
/// All protection hangs on this one word. An access [enters][#enter] by a compare-and-set that demands `valid` and the key's
/// variant and counts it as a user; it checks, copies and [leaves][#leave]. A revocation takes `valid` away, from when nobody
/// enters, and [waits][#awaitIdle] for those inside: when it returns, no access through the key can take effect any more. The
/// other fields change only while the entry is invalid and idle, so whoever is inside reads them without further care.
final class KeyEntry {
    private static final long USERS = 0xffff_ffffL;
    private static final int VARIANT_SHIFT = 32;
    private static final long VALID = 1L << 40;
    private static final VarHandle STATE;

    static {
        try {
            STATE = MethodHandles.lookup().findVarHandle(KeyEntry.class, "state", long.class);
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    private final int index;
    private volatile long state;

    private MemorySegment.@Nullable Scope scope;
    private long base;
    private long length;
    private int access;
    private @Nullable SoftProtectionDomain domain;
    private @Nullable MemoryWindowType windowType;
    private @Nullable WorkQueues queuePair;

    KeyEntry(int index, int variant) {
        this.index = index;
        state = (long) (variant & RemoteKey.VARIANT_MASK) << VARIANT_SHIFT;
    }

    /// The key of this index with the variant in force, or last in force.
    int key() {
        return index << 8 | variant();
    }

    private int variant() {
        return (int) (state >>> VARIANT_SHIFT) & RemoteKey.VARIANT_MASK;
    }

    /// The key of this index that follows the last one.
    int nextKey() {
        return index << 8 | variant() + 1 & RemoteKey.VARIANT_MASK;
    }

    int index() {
        return index;
    }

    /// Makes the entry open a range. It must be invalid and idle, and the caller the only one that changes it.
    ///
    /// @param memory the registered memory that the range lies in
    /// @param newQueuePair the queue pair a type 2 window answers on
    void publish(int key, MemorySegment memory, long newBase, long newLength, int newAccess, SoftProtectionDomain newDomain,
            @Nullable MemoryWindowType type, @Nullable WorkQueues newQueuePair) {
        if ((state & (VALID | USERS)) != 0 || key >>> 8 != index) {
            throw new IllegalStateException("key entry " + Integer.toHexString(index) + " is in use");
        }
        scope = memory.scope();
        base = newBase;
        length = newLength;
        access = newAccess;
        domain = newDomain;
        windowType = type;
        queuePair = newQueuePair;
        STATE.setVolatile(this, VALID | (long) (key & RemoteKey.VARIANT_MASK) << VARIANT_SHIFT);
    }

    /// Counts the caller as a user if `key` is in force.
    boolean enter(int key) {
        long wanted = VALID | (long) (key & RemoteKey.VARIANT_MASK) << VARIANT_SHIFT;
        long seen = state;
        while ((seen & ~USERS) == wanted) {
            long before = (long) STATE.compareAndExchange(this, seen, seen + 1);
            if (before == seen) {
                return true;
            }
            seen = before;
        }
        return false;
    }

    /// Whether `key` is in force now. What a caller who is not inside concludes from that may be wrong by the time it is told.
    boolean isInForce(int key) {
        return (state & ~USERS) == (VALID | (long) (key & RemoteKey.VARIANT_MASK) << VARIANT_SHIFT);
    }

    void leave() {
        STATE.getAndAdd(this, -1L);
    }

    /// Takes the validity away, whichever variant is in force; [#awaitIdle] must follow.
    void revoke() {
        STATE.getAndBitwiseAnd(this, ~VALID);
    }

    /// Waits until the last access is over; of use after [#revoke] only. Never called from inside.
    void awaitIdle() {
        if (!isIdle()) {
            var backoff = new Backoff();
            while (!isIdle()) {
                backoff.pause();
            }
        }
    }

    /// Whether nobody is inside.
    boolean isIdle() {
        return (state & USERS) == 0;
    }

    /// Forgets whom it belonged to. Only while invalid and idle.
    void clear() {
        scope = null;
        domain = null;
        queuePair = null;
        windowType = null;
        access = 0;
        length = 0;
    }

    /// Whether the caller, who is inside, may touch the range from its own side.
    boolean allowsLocal(SoftProtectionDomain wanted, long address, long lengthBytes, boolean write) {
        return windowType == null && domain == wanted && covers(address, lengthBytes)
                && (!write || AccessFlag.LOCAL_WRITE.in(access));
    }

    /// Whether the caller, who is inside, may touch the range by a request that arrived on `arrival`.
    boolean allowsRemote(WorkQueues arrival, long address, long lengthBytes, AccessFlag right) {
        if (!right.in(access) || !covers(address, lengthBytes)) {
            return false;
        }
        return switch (windowType) {
            case null -> domain == arrival.domain();
            case TYPE_1 -> domain == arrival.domain();
            case TYPE_2A -> queuePair == arrival;
            case TYPE_2B -> queuePair == arrival && domain == arrival.domain();
        };
    }

    /// Whether windows may be bound to the range with `rights`. The caller is inside, or keeps the region from being closed.
    boolean allowsBind(SoftProtectionDomain wanted, long address, long lengthBytes, int rights) {
        boolean writes = AccessFlag.REMOTE_WRITE.in(rights) || AccessFlag.REMOTE_ATOMIC.in(rights);
        return windowType == null && domain == wanted && AccessFlag.MW_BIND.in(access)
                && (!writes || AccessFlag.LOCAL_WRITE.in(access)) && lengthBytes > 0 && covers(address, lengthBytes);
    }

    /// Whether this is a window that `owner` can invalidate.
    boolean isTypeTwoOn(WorkQueues owner) {
        return (windowType == MemoryWindowType.TYPE_2A || windowType == MemoryWindowType.TYPE_2B) && queuePair == owner;
    }

    private boolean covers(long address, long lengthBytes) {
        MemorySegment.Scope alive = scope;
        if (alive == null || !alive.isAlive()) {
            // The user freed the memory before the region: refuse what would otherwise bring the process down. Not more than a
            // help, for the user might free it now; the memory must outlive the region.
            return false;
        }
        // As unsigned numbers, and without a sum that could run over.
        long offset = address - base;
        return lengthBytes >= 0 && Long.compareUnsigned(offset, length) <= 0 && lengthBytes <= length - offset;
    }
}
