package io.leasehold.rdma.internal.soft;

import io.leasehold.rdma.AccessFlag;
import io.leasehold.rdma.AsyncEvent;
import io.leasehold.rdma.WorkCompletionOpcode;
import io.leasehold.rdma.WorkCompletionStatus;

/// The responder half of a queue pair: carries out what the peer asks, after every check that hardware makes.
///
/// One request at a time, by whichever thread brings it: the peer's posting thread on the local link, the reader on the others;
/// that thread has entered the queue pair's [Gate], and calls [#rest] before it leaves it. Each method answers with the status that
/// the *requester* gets. After any other than [WorkCompletionStatus#SUCCESS] and [#NOT_READY] the queue pair is in ERR, marked but
/// not flushed.
final class Responder {
    /// No receive is posted: nothing has happened, try again when there is one.
    static final WorkCompletionStatus NOT_READY = WorkCompletionStatus.RNR_RETRY_EXC_ERR;

    private final WorkQueues queues;
    private final KeyHold hold;
    private final Mischief mischief;
    private long previous;

    private long place = -1;
    private int room;

    Responder(WorkQueues queues, KeyTable keys, Mischief mischief) {
        this.queues = queues;
        hold = new KeyHold(keys);
        this.mischief = mischief;
    }

    Mischief mischief() {
        return mischief;
    }

    /// What the word held that the last atomic changed.
    long previous() {
        return previous;
    }

    /// Copies `length` bytes at `address` to `destination`.
    WorkCompletionStatus read(long address, int key, int length, long destination) {
        if (length == 0) {
            // The specification has zero-length requests pass without a look at the key.
            return WorkCompletionStatus.SUCCESS;
        }
        if (!mayAccess(address, key, length, AccessFlag.REMOTE_READ)) {
            return refuseAccess("READ", address, key, length);
        }
        mischief.read(address, destination, length);
        return WorkCompletionStatus.SUCCESS;
    }

    /// Copies `length` bytes from `source` to `address`.
    WorkCompletionStatus write(long source, long address, int key, int length) {
        if (length == 0) {
            return WorkCompletionStatus.SUCCESS;
        }
        if (!mayAccess(address, key, length, AccessFlag.REMOTE_WRITE)) {
            return refuseAccess("WRITE", address, key, length);
        }
        mischief.write(source, address, length);
        return WorkCompletionStatus.SUCCESS;
    }

    /// Compares and swaps; see [#previous].
    WorkCompletionStatus compareAndSwap(long address, int key, long expected, long desired) {
        return atomic(address, key, true, expected, desired);
    }

    /// Fetches and adds; see [#previous].
    WorkCompletionStatus fetchAndAdd(long address, int key, long addend) {
        return atomic(address, key, false, addend, 0);
    }

    private WorkCompletionStatus atomic(long address, int key, boolean compare, long operand, long desired) {
        if ((address & Long.BYTES - 1) != 0) {
            return refuse(WorkCompletionStatus.REM_INV_REQ_ERR, AsyncEvent.Type.QP_REQ_ERR,
                    "an atomic at 0x" + Long.toHexString(address) + ", which is not a multiple of 8");
        }
        if (!mayAccess(address, key, Long.BYTES, AccessFlag.REMOTE_ATOMIC)) {
            return refuseAccess("atomic", address, key, Long.BYTES);
        }
        previous = compare ? NativeMemory.compareAndSwap(address, operand, desired)
                : NativeMemory.fetchAndAdd(address, operand);
        return WorkCompletionStatus.SUCCESS;
    }

    private boolean mayAccess(long address, int key, int length, AccessFlag right) {
        KeyEntry entry = hold.enter(key);
        return entry != null && entry.allowsRemote(queues, address, length, right);
    }

    /// Ends a pass over requests: must follow, or a key that one of them used can never be revoked.
    void rest() {
        hold.leave();
    }

    /// Takes the next receive for a message of `length` bytes; [#deliver] and [#received] follow.
    ///
    /// @param carriesData whether the message goes into the receive's buffer, not merely consumes it
    WorkCompletionStatus beginReceive(int length, boolean carriesData) {
        place = queues.receives().take();
        if (place < 0) {
            return NOT_READY;
        }
        room = queues.receives().length(place);
        if (carriesData && length > room) {
            abandonReceive(WorkCompletionStatus.LOC_LEN_ERR);
            return refuse(WorkCompletionStatus.REM_INV_REQ_ERR, AsyncEvent.Type.QP_REQ_ERR,
                    "a message of " + length + " bytes for a receive of " + room);
        }
        return WorkCompletionStatus.SUCCESS;
    }

    /// Copies a piece of the message into the receive.
    WorkCompletionStatus deliver(long source, int offset, int length) {
        if (length == 0) {
            return WorkCompletionStatus.SUCCESS;
        }
        ReceiveQueue receives = queues.receives();
        long address = receives.address(place) + offset;
        KeyEntry entry = queues.enterLocal(receives.key(place), address, length, true);
        if (entry == null) {
            abandonReceive(WorkCompletionStatus.LOC_PROT_ERR);
            return refuse(WorkCompletionStatus.REM_OP_ERR, AsyncEvent.Type.QP_FATAL,
                    "a receive buffer that may not be written");
        }
        try {
            NativeMemory.write(source, address, length);
        } finally {
            entry.leave();
        }
        return WorkCompletionStatus.SUCCESS;
    }

    /// Invalidates the window that a SEND names.
    WorkCompletionStatus invalidate(int key) {
        hold.leave();
        if (queues.device().invalidate(queues, key)) {
            return WorkCompletionStatus.SUCCESS;
        }
        abandonReceive(WorkCompletionStatus.WR_FLUSH_ERR);
        return refuse(WorkCompletionStatus.REM_ACCESS_ERR, AsyncEvent.Type.QP_ACCESS_ERR,
                "a SEND to invalidate key 0x" + Integer.toHexString(key) + ", which is of no window of this queue pair");
    }

    /// Completes the receive: the whole message is there.
    void received(WorkCompletionOpcode opcode, int length, int flags, int data) {
        long taken = place;
        place = -1;
        queues.receives().complete(taken, WorkCompletionStatus.SUCCESS, opcode, length, flags, data);
    }

    /// Fails the receive that was taken, if one was.
    void abandonReceive(WorkCompletionStatus status) {
        if (place >= 0) {
            long taken = place;
            place = -1;
            queues.receives().complete(taken, status, WorkCompletionOpcode.RECV, 0, 0, 0);
        }
    }

    /// Forgets a receive under way, as at a reset.
    void forget() {
        place = -1;
    }

    private WorkCompletionStatus refuseAccess(String verb, long address, int key, int length) {
        abandonReceive(WorkCompletionStatus.WR_FLUSH_ERR);
        return refuse(WorkCompletionStatus.REM_ACCESS_ERR, AsyncEvent.Type.QP_ACCESS_ERR, verb + " of " + length
                + " bytes at 0x" + Long.toHexString(address) + " with key 0x" + Integer.toHexString(key));
    }

    /// Answers a request with an error, from where the queue pair serves no more.
    WorkCompletionStatus refuse(WorkCompletionStatus status, AsyncEvent.Type event, String what) {
        if (queues.markError()) {
            queues.raise(event, "refused " + what + " from " + queues.remote());
        }
        return status;
    }
}
