package io.leasehold.rdma.internal.verbs;

import io.leasehold.rdma.CompletionQueue;
import io.leasehold.rdma.RdmaError;
import io.leasehold.rdma.RdmaException;
import io.leasehold.rdma.WorkCompletion;
import io.leasehold.rdma.WorkCompletionStatus;
import io.leasehold.rdma.internal.CompletionHandler;
import io.leasehold.rdma.internal.NicClock;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.HashSet;
import java.util.Iterator;
import java.util.Set;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/// An `ibv_cq`, polled a handful of completions at a time.
///
/// Who waits, and the handler, are told by the device's event thread: the queue asks the device for one event, *arms*, when somebody
/// waits or a handler is set, looks once more whether it is still empty, and is told when a completion comes.
public final class VerbsCompletionQueue implements CompletionQueue {
    private static final int BUFFERED = 16;

    private final VerbsDevice device;
    private final int slot;
    private final long pointer;
    private final int capacity;
    private final MemorySegment memory = Arena.ofAuto().allocate((long) BUFFERED * Abi.Completion.BYTES, 16);
    private final long buffer = memory.address();
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition added = lock.newCondition();
    private final Set<VerbsQueuePair> users = new HashSet<>();
    /// Requests that the device never took, whose completions come after those that it did; nearly always empty.
    private final ArrayDeque<Refused> refused = new ArrayDeque<>(0);
    private final WorkCompletion dropped = new WorkCompletion();
    private int taken;
    private int filled;
    private volatile boolean untold;
    private boolean armed;
    private boolean armedForSolicited;
    private boolean broken;
    private final CompletionHandler handler;
    private @Nullable Runnable onEvent;
    private boolean eventWanted;
    private boolean closed;

    /// A request of which the device says nothing.
    private record Refused(VerbsQueuePair queuePair, long tag, WorkCompletionStatus status) {
        /// Whether all before it have completed, or nobody waits for it any more.
        boolean isDue() {
            return !queuePair.isOf(tag) || queuePair.ahead(tag) <= 0;
        }
    }

    VerbsCompletionQueue(VerbsDevice device, int slot, long pointer) {
        this.device = device;
        this.slot = slot;
        this.pointer = pointer;
        handler = new CompletionHandler(thrown -> device.handlerThrew("a completion handler", thrown));
        capacity = RawMemory.getInt(pointer + Abi.Handle.QUEUE_ENTRIES);
    }

    VerbsDevice device() {
        return device;
    }

    /// Its place in the device's table, by which events find it.
    int slot() {
        return slot;
    }

    /// `ibv_cq *`, good while a queue pair uses the queue.
    long pointer() {
        return pointer;
    }

    /// The lock under which completions are taken, and queue pairs retire requests.
    ReentrantLock lock() {
        return lock;
    }

    boolean use(VerbsQueuePair queuePair) {
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

    void unuse(VerbsQueuePair queuePair) {
        lock.lock();
        try {
            users.remove(queuePair);
            refused.removeIf(one -> one.queuePair == queuePair);
        } finally {
            lock.unlock();
        }
    }

    /// The queue pairs that use it.
    Set<VerbsQueuePair> users() {
        lock.lock();
        try {
            return Set.copyOf(users);
        } finally {
            lock.unlock();
        }
    }

    /// Requests of which the device says nothing, from `position` on, complete when all before them have.
    void refuse(VerbsQueuePair queuePair, long tags, long position, int count, WorkCompletionStatus status) {
        lock.lock();
        try {
            for (int i = 0; i < count; i++) {
                refused.add(new Refused(queuePair, RequestTag.at(tags, position + i), status));
            }
            untold = true;
            added.signalAll();
        } finally {
            lock.unlock();
        }
    }

    /// Tells of what was added by [#refuse]. By who added it, when it holds no lock: not by who announces, whom a handler that waits
    /// for an announcement would wait for.
    void tellOfRefused() {
        if (untold) {
            untold = false;
            tell();
        }
    }

    @Override
    public int capacity() {
        return capacity;
    }

    @Override
    public boolean poll(WorkCompletion into) {
        return poll(into, null);
    }

    /// As [#poll(WorkCompletion)], with what the device itself said.
    ///
    /// @param raw filled as well
    public boolean poll(WorkCompletion into, @Nullable RawCompletion raw) {
        lock.lock();
        try {
            while (available()) {
                long completion = buffer + (long) taken++ * Abi.Completion.BYTES;
                if (device.retire(completion, into)) {
                    if (raw != null) {
                        raw.copy(completion);
                    }
                    return true;
                }
            }
            boolean found = pollRefused(into);
            if (found && raw != null) {
                raw.ended(into.status());
            }
            return found;
        } finally {
            lock.unlock();
        }
    }

    /// Whether there is a completion in the buffer, or one could be got from the device.
    private boolean available() {
        if (taken < filled) {
            return true;
        }
        if (closed) {
            return false;
        }
        int count = device.operations().poll(pointer, BUFFERED, buffer);
        taken = 0;
        filled = Math.max(0, count);
        if (count < 0 && !broken) {
            broken = true;
            device.unreadable(this, count);
        }
        return filled > 0;
    }

    private boolean pollRefused(WorkCompletion into) {
        if (refused.isEmpty()) {
            return false;
        }
        for (Iterator<Refused> all = refused.iterator(); all.hasNext();) {
            Refused one = all.next();
            if (one.isDue()) {
                all.remove();
                if (one.queuePair.retireRefused(one.tag, one.status, into)) {
                    return true;
                }
            }
        }
        return false;
    }

    /// Whether the next poll would find something. Throws away what nobody wants any more.
    private boolean isReady() {
        while (available()) {
            if (device.isWanted(buffer + (long) taken * Abi.Completion.BYTES)) {
                return true;
            }
            // It may still be what others wait for.
            device.retire(buffer + (long) taken++ * Abi.Completion.BYTES, dropped);
        }
        for (Refused one : refused) {
            if (one.queuePair.isOf(one.tag) && one.queuePair.ahead(one.tag) == 0) {
                return true;
            }
        }
        return false;
    }

    @Override
    public boolean await(Duration timeout) throws InterruptedException {
        long deadline = NicClock.deadline(timeout);
        lock.lockInterruptibly();
        try {
            while (!closed) {
                if (isReady()) {
                    return true;
                }
                // What comes between the look and the arming raises no event.
                if (!armed) {
                    arm();
                    continue;
                }
                long left = deadline - NicClock.nanos();
                if (left <= 0) {
                    return false;
                }
                added.awaitNanos(left);
            }
            return false;
        } finally {
            lock.unlock();
        }
    }

    private void arm() {
        arm(false);
        armed = true;
    }

    private void arm(boolean solicitedOnly) {
        int status = device.operations().requestNotification(pointer, solicitedOnly);
        if (status != 0) {
            throw new NativeFailure("ibv_req_notify_cq", status).toRdmaException("waiting for completions");
        }
    }

    /// Has `event` run once for each [#requestNotification]; on the device's event thread, with no lock held.
    public void onEvent(Runnable event) {
        lock.lock();
        try {
            onEvent = event;
        } finally {
            lock.unlock();
        }
    }

    /// Asks for one event when the next completion is added, or one that the peer solicited. It may come though there is none.
    public void requestNotification(boolean solicitedOnly) {
        lock.lock();
        try {
            if (closed) {
                throw new RdmaException(RdmaError.CLOSED, "the completion queue is closed");
            }
            if (!solicitedOnly && !armed) {
                arm();
            } else if (solicitedOnly && !armed && !armedForSolicited) {
                arm(true);
                armedForSolicited = true;
            }
            eventWanted = true;
        } finally {
            lock.unlock();
        }
    }

    /// The device says that a completion has come, or one was added here. On the event thread, or that of who posted.
    void tell() {
        Runnable event = null;
        lock.lock();
        try {
            armed = false;
            armedForSolicited = false;
            if (closed) {
                return;
            }
            event = eventWanted ? onEvent : null;
            eventWanted = false;
            added.signalAll();
            // Before the handler polls, so that what it does not see raises an event. Under the lock, so that who sets a handler
            // arms the queue, or this does.
            if (handler.isSet()) {
                arm();
            }
        } catch (RdmaException e) {
            // Who waits asks once more, and is told; a handler has this call.
            device.handlerThrew("arming a completion queue", e);
        } finally {
            lock.unlock();
        }
        if (event != null) {
            event.run();
        }
        handler.run();
    }

    @Override
    public void onCompletion(Runnable newHandler) {
        handler.set(newHandler);
        lock.lock();
        try {
            if (!closed && !armed) {
                arm();
            }
        } finally {
            lock.unlock();
        }
    }

    @Override
    public void close() {
        lock.lock();
        try {
            if (closed) {
                return;
            }
            if (!users.isEmpty()) {
                throw new RdmaException(RdmaError.BUSY, users.size() + " queue pairs use the completion queue; close them first");
            }
            closed = true;
            filled = 0;
            taken = 0;
            added.signalAll();
        } finally {
            lock.unlock();
        }
        // Not under the lock: it waits until the event thread, which may want the lock, has acknowledged the last event.
        try {
            device.library().destroyCq(pointer);
        } catch (NativeFailure e) {
            throw e.toRdmaException("freeing a completion queue");
        } finally {
            device.remove(this);
        }
    }
}
