package io.leasehold.lease;

import io.leasehold.lease.ControlMessage.Acquire;
import io.leasehold.lease.ControlMessage.Allocate;
import io.leasehold.lease.ControlMessage.AllocateExtent;
import io.leasehold.lease.ControlMessage.DestroyHeap;
import io.leasehold.lease.ControlMessage.Free;
import io.leasehold.lease.ControlMessage.FreeNamed;
import io.leasehold.lease.ControlMessage.OpenHeap;
import io.leasehold.lease.ControlMessage.OpenNamed;
import io.leasehold.lease.ControlMessage.Reply;
import io.leasehold.lease.ControlMessage.Request;
import io.leasehold.lease.ControlMessage.Retire;
import java.util.function.BiConsumer;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/// One control request and what becomes of it. It ends once: with a reply, or with an exception.
final class ControlCall {
    private static final int SPINS = 32;
    private static final int YIELDS = 50;

    private final String operation;
    private final Request request;
    private final long startNanos;
    private final long deadlineNanos;
    private final @Nullable BiConsumer<ControlCall, Object> onEnd;
    private volatile @Nullable Thread waiter;
    private volatile @Nullable Object result;

    // Guarded by the channel's lock.
    /// Chosen when it is first sent; the same when it is sent again.
    long id;
    /// The client's clock just before it was first sent, and when the reply was taken.
    long sentNanos;
    long receivedNanos;
    /// Nobody waits for it any more.
    boolean abandoned;

    /// A call that ends by `deadlineNanos` of the system's clock. If nobody waits for it, `onEnd` is given its end: a [Reply] or
    /// a [RuntimeException].
    ///
    /// @param operation what the request is for, for messages
    ControlCall(String operation, Request request, long deadlineNanos, @Nullable BiConsumer<ControlCall, Object> onEnd) {
        this.operation = operation;
        this.request = request;
        startNanos = SystemClock.NANOS.getAsLong();
        this.deadlineNanos = deadlineNanos;
        this.onEnd = onEnd;
    }

    /// Whether the node may hold the reply back for long: such requests may not take all places.
    boolean isPatient() {
        return request instanceof Acquire acquire && acquire.patienceNanos() > 0;
    }

    /// What to send now: patience that was spent waiting for a place is not asked for again.
    Request toSend(long nowNanos) {
        if (request instanceof Acquire acquire && acquire.patienceNanos() > 0) {
            long spent = nowNanos - startNanos;
            return new Acquire(acquire.offset(), acquire.lengthBytes(), acquire.access(), acquire.mode(), acquire.unitNanos(),
                    acquire.units(), acquire.maxLifeNanos(), Math.max(0, acquire.patienceNanos() - spent),
                    acquire.wholeChunk());
        }
        return request;
    }

    String operation() {
        return operation;
    }

    Request request() {
        return request;
    }

    /// Whether the node may have carried the request out, or still may, and it changes what others see or what cannot be asked
    /// for twice. A lease that nobody waits for any more is relinquished, so asking for one does not count.
    boolean isInDoubt() {
        return sentNanos != 0 && switch (request) {
            case Allocate _, AllocateExtent _, Free _, FreeNamed _, Retire _, DestroyHeap _ -> true;
            case OpenNamed open -> open.create();
            case OpenHeap open -> open.create();
            default -> false;
        };
    }

    long deadlineNanos() {
        return deadlineNanos;
    }

    long elapsedNanos() {
        return SystemClock.NANOS.getAsLong() - startNanos;
    }

    boolean hasEnded() {
        return result != null;
    }

    /// Ends the call with a [Reply] or a [RuntimeException]; `callbacks` run what is to be done then.
    void end(Object outcome, CallbackQueue callbacks) {
        if (result != null) {
            return;
        }
        result = outcome;
        BiConsumer<ControlCall, Object> action = onEnd;
        if (action != null) {
            callbacks.add(() -> action.accept(this, outcome));
        }
        Thread parked = waiter;
        if (parked != null) {
            LockSupport.unpark(parked);
        }
    }

    /// Waits for the end, at most until the deadline; keeps the interrupt status.
    ///
    /// @return whether it has ended
    boolean await(Runnable poll) {
        for (int i = 0; i < SPINS && result == null; i++) {
            Thread.onSpinWait();
        }
        for (int i = 0; i < YIELDS && result == null; i++) {
            poll.run();
            Thread.yield();
        }
        if (result == null) {
            park();
        }
        return result != null;
    }

    private void park() {
        boolean interrupted = false;
        waiter = Thread.currentThread();
        while (result == null) {
            long left = deadlineNanos - SystemClock.NANOS.getAsLong();
            if (left <= 0) {
                break;
            }
            LockSupport.parkNanos(this, left);
            interrupted |= Thread.interrupted();
        }
        waiter = null;
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    /// The reply; the call has ended.
    Reply reply() {
        Object outcome = result;
        if (outcome instanceof RuntimeException failure) {
            throw failure;
        }
        if (outcome instanceof Reply reply) {
            return reply;
        }
        throw new IllegalStateException("the call has not ended");
    }
}
