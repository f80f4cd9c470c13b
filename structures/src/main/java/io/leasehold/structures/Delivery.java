package io.leasehold.structures;

import java.util.concurrent.locks.ReentrantLock;

/// An element that was received from a queue with [DeliveryMode#ACKNOWLEDGED] and is still in it, out of sight of other
/// consumers.
///
/// It has to be acknowledged when it has been dealt with. If nothing is said about it for the queue's visibility, it goes to
/// another consumer, and this one learns so by `false` from each method. A consumer that needs longer says so with [#renew()].
/// Thread-safe; each call costs two round trips.
///
/// @param <E> the elements
public final class Delivery<E> {
    private final E value;
    private final QueueScan<E> scan;
    private final long takenWord;
    private final ReentrantLock lock = new ReentrantLock();
    private Leftovers.SlotAt slot;
    private boolean isOver;

    Delivery(E value, Leftovers.SlotAt slot, QueueScan<E> scan, long takenWord) {
        this.value = value;
        this.slot = slot;
        this.scan = scan;
        this.takenWord = takenWord;
    }

    /// The element.
    public E value() {
        return value;
    }

    /// Takes the element out of the queue for good.
    ///
    /// @return whether it was still this consumer's: if not, another has received it or will
    /// @throws io.leasehold.lease.OutcomeUnknownException if the connection broke and it cannot be known: unless it was,
    ///     the element comes back
    public boolean acknowledge() {
        return settle(takenWord);
    }

    /// Gives the element back, for any consumer to receive at once. It has lost its place in the order.
    ///
    /// @return whether it was still this consumer's
    public boolean release() {
        lock.lock();
        try {
            return settle(QueueSlot.changed(slot.word(), QueueSlot.RELEASED));
        } finally {
            lock.unlock();
        }
    }

    /// Keeps the element for another visibility, from the beginning of this call.
    ///
    /// @return whether it was still this consumer's
    public boolean renew() {
        lock.lock();
        try {
            long word = QueueSlot.changed(slot.word(), QueueSlot.CLAIMED);
            if (isOver || !scan.change(slot, word)) {
                isOver = true;
                return false;
            }
            slot = new Leftovers.SlotAt(slot.segment(), slot.ticket(), word);
            return true;
        } finally {
            lock.unlock();
        }
    }

    private boolean settle(long word) {
        lock.lock();
        try {
            if (isOver) {
                return false;
            }
            boolean isMine = scan.change(slot, word);
            isOver = true;
            return isMine;
        } finally {
            lock.unlock();
        }
    }

    @Override
    public String toString() {
        return "Delivery[" + value + "]";
    }
}
