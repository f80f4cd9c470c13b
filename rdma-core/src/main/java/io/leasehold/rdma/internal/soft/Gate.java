package io.leasehold.rdma.internal.soft;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;

/// Lets incoming requests of a queue pair through while it is open, and knows when the last one has left.
///
/// ```
///  63                 1  0
/// +--------------------+---+
/// |       inside       | o |      o: open
/// +--------------------+---+
/// ```
final class Gate {
    private static final long OPEN = 1;
    private static final long ONE = 2;
    private static final VarHandle WORD;

    static {
        try {
            WORD = MethodHandles.lookup().findVarHandle(Gate.class, "word", long.class);
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    private volatile long word;

    /// Lets requests in.
    void open() {
        WORD.getAndBitwiseOr(this, OPEN);
    }

    /// Lets no more requests in; those inside go on.
    void shut() {
        WORD.getAndBitwiseAnd(this, ~OPEN);
    }

    /// Waits until nobody is inside; a shut gate stays empty from then on. Never called by one who is inside.
    void awaitEmpty() {
        if (word >= ONE) {
            var backoff = new Backoff();
            while (word >= ONE) {
                backoff.pause();
            }
        }
    }

    /// Goes in, if it is open.
    boolean enter() {
        long seen = word;
        while ((seen & OPEN) != 0) {
            long before = (long) WORD.compareAndExchange(this, seen, seen + ONE);
            if (before == seen) {
                return true;
            }
            seen = before;
        }
        return false;
    }

    /// Whether whoever is inside may carry out one more request.
    boolean isOpen() {
        return (word & OPEN) != 0;
    }

    /// Goes out again.
    void leave() {
        WORD.getAndAdd(this, -ONE);
    }
}
