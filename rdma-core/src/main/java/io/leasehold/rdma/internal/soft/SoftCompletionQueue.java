package io.leasehold.rdma.internal.soft;

import io.leasehold.rdma.CompletionQueue;
import io.leasehold.rdma.RdmaError;
import io.leasehold.rdma.RdmaException;
import io.leasehold.rdma.WorkCompletion;
import io.leasehold.rdma.WorkCompletionOpcode;
import io.leasehold.rdma.WorkCompletionStatus;
import io.leasehold.rdma.internal.CompletionHandler;
import io.leasehold.rdma.internal.NicClock;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/// A bounded ring of completions.
///
/// Adding and telling are two steps: [#add] runs under the locks of a queue pair, and whoever added calls [#tell] when it has let
/// them go, once for all that was added in between.
final class SoftCompletionQueue implements CompletionQueue {
    private static final WorkCompletionStatus[] STATUSES = WorkCompletionStatus.values();
    private static final WorkCompletionOpcode[] OPCODES = WorkCompletionOpcode.values();

    /// The completion is of the receive queue.
    static final int OF_RECEIVE = 1;
    /// There is immediate data.
    static final int WITH_IMMEDIATE = 2;
    /// A window was invalidated.
    static final int WITH_INVALIDATE = 4;

    private static final PolledWire[] NO_WIRES = {};
    /// Whoever polls looks at no more wires than that; beyond, the threads of the wires do it all.
    private static final int POLLED_WIRES_MAX = 8;
    /// For how long a waiter looks for itself before it sleeps: as long as it takes to be woken.
    private static final long LOOK_NANOS = 50_000;

    private static final int STRIDE = 4;
    private static final int ID = 0;
    private static final int KIND = 1;
    private static final int PLACE = 2;
    private static final int DATA = 3;

    private static final VarHandle TAIL;
    private static final VarHandle POLLED;
    private static final VarHandle UNTOLD;

    static {
        try {
            MethodHandles.Lookup lookup = MethodHandles.lookup();
            TAIL = lookup.findVarHandle(SoftCompletionQueue.class, "tail", long.class);
            POLLED = lookup.findVarHandle(SoftCompletionQueue.class, "polled", long.class);
            UNTOLD = lookup.findVarHandle(SoftCompletionQueue.class, "untold", boolean.class);
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    private final SoftDevice device;
    private final int capacity;
    private final int mask;
    private final long[] words;
    private final @Nullable WorkQueues[] owners;
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition added = lock.newCondition();
    // Only on a hostile device.
    private final @Nullable HeldCompletions held;
    private final Set<WorkQueues> users = ConcurrentHashMap.newKeySet();
    private volatile PolledWire[] wires = NO_WIRES;
    private long head;
    // These are hints for those who do not hold the lock; the lock orders them, and a volatile store would once more.
    private volatile long tail;
    // Equal to head except for a moment inside poll: lets an empty queue be seen without the lock.
    private volatile long polled;
    private int waiters;
    private boolean overflowed;
    private volatile boolean untold;
    private final CompletionHandler handler;
    private volatile boolean closed;

    SoftCompletionQueue(SoftDevice device, int capacity, boolean reorders) {
        this.device = device;
        handler = new CompletionHandler(thrown -> device.handlerThrew("a completion handler", thrown));
        held = reorders ? new HeldCompletions(device.timer(), this::release) : null;
        this.capacity = capacity;
        int size = Integer.highestOneBit(Math.max(1, capacity - 1)) << 1;
        mask = size - 1;
        words = new long[size * STRIDE];
        owners = new WorkQueues[size];
    }

    SoftDevice device() {
        return device;
    }

    /// A queue pair begins to use this queue.
    ///
    /// @return whether it is open
    boolean use(WorkQueues queuePair) {
        lock.lock();
        try {
            if (!closed) {
                users.add(queuePair);
            }
            return !closed;
        } finally {
            lock.unlock();
        }
    }

    /// A queue pair is closed and uses this queue no more.
    void unuse(WorkQueues queuePair) {
        users.remove(queuePair);
    }

    /// Whoever polls may carry on this wire from now on.
    void addPolled(PolledWire wire) {
        lock.lock();
        try {
            PolledWire[] more = Arrays.copyOf(wires, wires.length + 1);
            more[wires.length] = wire;
            wires = more;
        } finally {
            lock.unlock();
        }
    }

    /// The wire has ended.
    void removePolled(PolledWire wire) {
        lock.lock();
        try {
            wires = Arrays.stream(wires).filter(other -> other != wire).toArray(PolledWire[]::new);
        } finally {
            lock.unlock();
        }
    }

    /// Carries on the wires, if the queue is empty. The caller holds no lock.
    ///
    /// @return whether there is something to poll
    private boolean advance() {
        PolledWire[] current = wires;
        if (current.length <= POLLED_WIRES_MAX) {
            for (int i = 0; i < current.length && tail == polled; i++) {
                current[i].advance();
            }
        }
        return tail != polled;
    }

    /// Adds a completion. The caller holds a lock of `owner` and calls [#tell] later without it.
    ///
    /// @param place the request's place in its ring, freed when the completion is polled
    /// @param flags any of the constants above
    /// @param data immediate data or invalidated key, as the flags say
    void add(WorkQueues owner, long place, long id, WorkCompletionStatus status, WorkCompletionOpcode opcode, int byteLength,
            int flags, int data) {
        long kind = (long) status.ordinal() << 16 | (long) opcode.ordinal() << 8 | flags;
        long packed = (long) byteLength << 32 | data & 0xffff_ffffL;
        lock.lock();
        try {
            if (held == null) {
                enter(owner, place, id, kind, packed);
            } else if (tail - head + held.size() >= capacity) {
                overflow();
            } else if (!held.keep(owner, place, id, kind, packed)) {
                enter(owner, place, id, kind, packed);
            }
        } finally {
            lock.unlock();
        }
    }

    /// Puts a completion into the ring. Under the lock.
    private void enter(WorkQueues owner, long place, long id, long kind, long data) {
        if (overflowed || tail - head >= capacity) {
            overflow();
            return;
        }
        int slot = (int) tail & mask;
        int at = slot * STRIDE;
        words[at + ID] = id;
        words[at + KIND] = kind;
        words[at + PLACE] = place;
        words[at + DATA] = data;
        owners[slot] = owner;
        TAIL.setRelease(this, tail + 1);
        // Stored always: whoever looked first could take what another teller is about to withdraw for told.
        UNTOLD.setRelease(this, true);
        if (waiters > 0) {
            added.signal();
        }
    }

    /// Lets in what the hostile fabric held back for `owner`.
    private void release(WorkQueues owner) {
        lock.lock();
        try {
            Objects.requireNonNull(held).release(owner, this::enter);
        } finally {
            lock.unlock();
        }
        tell();
    }

    private void overflow() {
        if (!overflowed) {
            overflowed = true;
            List<WorkQueues> broken = new ArrayList<>(users);
            String detail = "a completion queue of " + capacity + " entries overflowed; its " + broken.size()
                    + " queue pairs fail";
            for (WorkQueues queuePair : broken) {
                queuePair.markError();
            }
            device.completionQueueBroke(broken, detail);
        }
    }

    /// Runs the handler if something was added since it ran last. The caller holds no lock.
    void tell() {
        if (untold) {
            untold = false;
            handler.run();
        }
    }

    @Override
    public int capacity() {
        return capacity;
    }

    @Override
    public boolean poll(WorkCompletion into) {
        if (tail == polled && !advance()) {
            return false;
        }
        lock.lock();
        try {
            if (tail == head || closed) {
                return false;
            }
            int slot = (int) head & mask;
            int at = slot * STRIDE;
            WorkQueues owner = owners[slot];
            owners[slot] = null;
            if (owner == null) {
                throw new IllegalStateException("an entry without a queue pair");
            }
            long kind = words[at + KIND];
            int data = (int) words[at + DATA];
            into.set(words[at + ID], STATUSES[(int) (kind >> 16)], OPCODES[(int) (kind >> 8) & 0xff], owner.number(),
                    (int) (words[at + DATA] >> 32));
            if ((kind & WITH_IMMEDIATE) != 0) {
                into.setImmediate(data);
            }
            if ((kind & WITH_INVALIDATE) != 0) {
                into.setInvalidatedKey(data);
            }
            owner.reclaim((kind & OF_RECEIVE) != 0, words[at + PLACE] + 1);
            head++;
            POLLED.setRelease(this, head);
            if (tail == head && untold) {
                // Nothing is left to be told.
                UNTOLD.setRelease(this, false);
            }
            return true;
        } finally {
            lock.unlock();
        }
    }

    /// Gives back the places of a ring before `place` that no completion will give back.
    void reclaim(WorkQueues owner, boolean ofReceive, long place) {
        lock.lock();
        try {
            owner.reclaim(ofReceive, place);
        } finally {
            lock.unlock();
        }
    }

    @Override
    public boolean await(Duration timeout) throws InterruptedException {
        if (tail != polled && !closed) {
            return true;
        }
        long left = look(NicClock.nanosOf(timeout));
        if (left < 0) {
            return true;
        }
        lock.lockInterruptibly();
        try {
            waiters++;
            try {
                while (tail == head && !closed && left > 0) {
                    left = added.awaitNanos(left);
                }
                return tail != head && !closed;
            } finally {
                waiters--;
            }
        } finally {
            lock.unlock();
        }
    }

    /// Looks for itself for a moment, where that can help.
    ///
    /// @return what is left of the time; negative if there is something to poll
    private long look(long nanos) {
        if (wires.length == 0 || nanos == 0) {
            return nanos;
        }
        long start = NicClock.nanos();
        long spent;
        do {
            if (advance()) {
                return -1;
            }
            Thread.yield();
            spent = NicClock.nanos() - start;
        } while (spent < Math.min(nanos, LOOK_NANOS) && !closed);
        for (PolledWire wire : wires) {
            wire.leave();
        }
        return Math.max(0, nanos - spent);
    }

    @Override
    public void onCompletion(Runnable newHandler) {
        handler.set(newHandler);
    }

    @Override
    public void close() {
        end(false);
    }

    /// Ends with the device, though a queue pair that somebody else is closing may still use it.
    void abandon() {
        end(true);
    }

    private void end(boolean evenIfUsed) {
        lock.lock();
        try {
            if (closed) {
                return;
            }
            if (!evenIfUsed && !users.isEmpty()) {
                throw new RdmaException(RdmaError.BUSY, users.size() + " queue pairs use the completion queue; close them first");
            }
            closed = true;
            added.signalAll();
        } finally {
            lock.unlock();
        }
        device.remove(this);
    }
}
