package io.leasehold.rdma.internal.soft;

import java.util.ArrayDeque;
import java.util.HashMap;
import java.util.Map;
import java.util.function.Consumer;

/// Completions that the hostile fabric holds back for a moment, while those of other queue pairs overtake them; those of one
/// queue pair stay in order. Guarded by the lock of its completion queue.
final class HeldCompletions {
    private final NicTimer timer;
    private final Consumer<WorkQueues> onDue;
    private final Map<WorkQueues, ArrayDeque<Held>> held = new HashMap<>();
    private int size;

    /// One completion, packed as the queue packs it.
    private record Held(long place, long id, long kind, long data) {
    }

    /// Takes a completion in.
    @FunctionalInterface
    interface Sink {
        /// As the queue's own entries.
        void accept(WorkQueues owner, long place, long id, long kind, long data);
    }

    /// Holds completions and calls `onDue` from the timer, without a lock, when those of a queue pair are to be released.
    HeldCompletions(NicTimer timer, Consumer<WorkQueues> onDue) {
        this.timer = timer;
        this.onDue = onDue;
    }

    /// How many are held.
    int size() {
        return size;
    }

    /// Holds a completion back, if the dice say so or an earlier one of its queue pair is held.
    boolean keep(WorkQueues owner, long place, long id, long kind, long data) {
        ArrayDeque<Held> earlier = held.get(owner);
        if (earlier == null) {
            Mischief mischief = owner.mischief((kind & SoftCompletionQueue.OF_RECEIVE) != 0);
            if (!mischief.reorders()) {
                return false;
            }
            earlier = new ArrayDeque<>();
            held.put(owner, earlier);
            timer.after(mischief.holdNanos(), () -> onDue.accept(owner));
        }
        earlier.add(new Held(place, id, kind, data));
        size++;
        return true;
    }

    /// Lets go of those of one queue pair.
    void release(WorkQueues owner, Sink sink) {
        ArrayDeque<Held> due = held.remove(owner);
        if (due != null) {
            size -= due.size();
            due.forEach(one -> sink.accept(owner, one.place, one.id, one.kind, one.data));
        }
    }
}
