package io.leasehold.rdma.internal.soft;

import io.leasehold.rdma.WorkCompletionOpcode;
import io.leasehold.rdma.WorkCompletionStatus;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;

/// The send queue of a queue pair: a ring of requests with four counters that only grow. Guarded by the queue pair's send lock,
/// except [#reclaim], which whoever polls calls.
///
/// ```
///  reclaimed <= done <= started <= tail <= reclaimed + capacity
///            |       |          |
///            |       |          +-- posted, not yet begun
///            |       +-- on the way to the peer
///            +-- completed, place not yet given back by a poll
/// ```
final class SendQueue {
    private static final VarHandle RECLAIMED;

    static {
        try {
            RECLAIMED = MethodHandles.lookup().findVarHandle(SendQueue.class, "reclaimed", long.class);
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    private final WorkQueues owner;
    private final SoftCompletionQueue completions;
    private final WorkRequests requests;
    private final int capacity;
    private final int mask;
    private volatile long reclaimed;
    private long done;
    private long started;
    private long tail;

    SendQueue(WorkQueues owner, SoftCompletionQueue completions, int capacity, int maxInlineBytes) {
        this.owner = owner;
        this.completions = completions;
        this.capacity = capacity;
        int size = capacity == 1 ? 1 : Integer.highestOneBit(capacity - 1) << 1;
        mask = size - 1;
        requests = new WorkRequests(size, maxInlineBytes);
    }

    WorkRequests requests() {
        return requests;
    }

    int slot(long place) {
        return (int) place & mask;
    }

    /// The first place that is not completed.
    long done() {
        return done;
    }

    /// The first place that is not begun.
    long started() {
        return started;
    }

    /// The first place that is free.
    long tail() {
        return tail;
    }

    boolean hasRoomFor(int count) {
        return tail + count - reclaimed <= capacity;
    }

    /// Takes the requests of a batch; there is room for them.
    void append(WorkRequests batch, int count) {
        int slot = slot(tail);
        int first = Math.min(count, mask + 1 - slot);
        requests.copyFrom(batch, 0, slot, first);
        requests.copyFrom(batch, first, 0, count - first);
        tail += count;
    }

    /// The request at [#started] has begun.
    void start() {
        started++;
    }

    /// What was begun from `place` on has to begin again.
    void rewind(long place) {
        started = place;
    }

    /// The request at [#done] was carried out, or has failed.
    void finish(WorkCompletionStatus status) {
        if (done == tail) {
            throw new IllegalStateException("an answer for which there is no request");
        }
        int slot = slot(done);
        if (status != WorkCompletionStatus.SUCCESS || !requests.has(slot, WorkRequests.UNSIGNALLED)) {
            WorkCompletionOpcode opcode = requests.completesAs(slot);
            boolean answered = opcode == WorkCompletionOpcode.RDMA_READ || opcode == WorkCompletionOpcode.COMP_SWAP
                    || opcode == WorkCompletionOpcode.FETCH_ADD;
            completions.add(owner, done, requests.get(slot, WorkRequests.ID), status, opcode,
                    answered ? requests.length(slot) : 0, 0, 0);
        }
        if (requests.opcode(slot) == WorkRequests.BIND) {
            requests.forget(slot);
        }
        done++;
        if (started < done) {
            started = done;
        }
    }

    /// Fails what is left: what may have been carried out as in doubt, the rest as flushed.
    ///
    /// @param inDoubt the first place that was certainly not carried out
    void flush(long inDoubt) {
        while (done < tail) {
            finish(done < inDoubt ? WorkCompletionStatus.RETRY_EXC_ERR : WorkCompletionStatus.WR_FLUSH_ERR);
        }
    }

    /// Forgets everything without completions.
    void drop() {
        for (; done < tail; done++) {
            int slot = slot(done);
            if (requests.opcode(slot) == WorkRequests.BIND) {
                requests.forget(slot);
            }
        }
        started = done;
        completions.reclaim(owner, false, tail);
    }

    /// Gives back the places before `place`. Called under the lock of the completion queue; an old completion that is polled
    /// after a reset changes nothing.
    void reclaim(long place) {
        if (place > reclaimed) {
            RECLAIMED.setRelease(this, place);
        }
    }
}
