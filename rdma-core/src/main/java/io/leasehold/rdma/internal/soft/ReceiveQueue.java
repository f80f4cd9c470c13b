package io.leasehold.rdma.internal.soft;

import io.leasehold.rdma.PostStatus;
import io.leasehold.rdma.WorkCompletionOpcode;
import io.leasehold.rdma.WorkCompletionStatus;

/// The receive queue of a queue pair: a ring of buffers that incoming SENDs consume in order. Its monitor guards it and is the
/// innermost lock but that of a completion queue.
final class ReceiveQueue {
    private static final int STRIDE = 3;
    private static final int ID = 0;
    private static final int ADDRESS = 1;
    private static final int KEY_LENGTH = 2;

    private final WorkQueues owner;
    private final SoftCompletionQueue completions;
    private final long[] words;
    private final int capacity;
    private final int mask;
    private volatile long reclaimed;
    private long head;
    private long tail;
    private boolean senderWaits;

    ReceiveQueue(WorkQueues owner, SoftCompletionQueue completions, int capacity) {
        this.owner = owner;
        this.completions = completions;
        this.capacity = capacity;
        int size = capacity == 1 ? 1 : Integer.highestOneBit(capacity - 1) << 1;
        mask = size - 1;
        words = new long[size * STRIDE];
    }

    /// Appends a buffer.
    synchronized PostStatus post(long id, long address, int key, int lengthBytes) {
        if (tail - reclaimed >= capacity) {
            return PostStatus.QUEUE_FULL;
        }
        int at = at(tail);
        words[at + ID] = id;
        words[at + ADDRESS] = address;
        words[at + KEY_LENGTH] = (long) lengthBytes << 32 | key & 0xffff_ffffL;
        tail++;
        return PostStatus.POSTED;
    }

    /// Takes the oldest buffer for a message; [#complete] must follow.
    ///
    /// @return its place; -1 if there is none, and then [#takeWaitingSender] will say so once
    synchronized long take() {
        if (head == tail) {
            senderWaits = true;
            return -1;
        }
        return head++;
    }

    /// Whether a message came while there was no buffer, and there is one now; answers `true` once.
    synchronized boolean takeWaitingSender() {
        boolean waits = senderWaits && head != tail;
        if (waits) {
            senderWaits = false;
        }
        return waits;
    }

    long address(long place) {
        return words[at(place) + ADDRESS];
    }

    int key(long place) {
        return (int) words[at(place) + KEY_LENGTH];
    }

    int length(long place) {
        return (int) (words[at(place) + KEY_LENGTH] >>> 32);
    }

    /// Completes a buffer that was taken.
    void complete(long place, WorkCompletionStatus status, WorkCompletionOpcode opcode, int byteLength, int flags, int data) {
        completions.add(owner, place, words[at(place) + ID], status, opcode, byteLength, flags | SoftCompletionQueue.OF_RECEIVE,
                data);
    }

    /// Fails all buffers that are left.
    synchronized void flush() {
        while (head < tail) {
            complete(head++, WorkCompletionStatus.WR_FLUSH_ERR, WorkCompletionOpcode.RECV, 0, 0, 0);
        }
    }

    /// Forgets all buffers without completions.
    synchronized void drop() {
        head = tail;
        senderWaits = false;
        completions.reclaim(owner, true, tail);
    }

    /// Gives back the places before `place`; as [SendQueue#reclaim].
    void reclaim(long place) {
        if (place > reclaimed) {
            reclaimed = place;
        }
    }

    private int at(long place) {
        return ((int) place & mask) * STRIDE;
    }
}
