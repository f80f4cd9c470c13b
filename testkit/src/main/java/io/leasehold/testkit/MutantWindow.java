package io.leasehold.testkit;

import io.leasehold.rdma.MemoryWindow;
import io.leasehold.rdma.MemoryWindowType;
import io.leasehold.rdma.ProtectionDomain;
import io.leasehold.rdma.QueuePair;
import io.leasehold.rdma.QueuePairState;

/// A window of a [MutantDevice]: what its owner believes, and what is true.
final class MutantWindow implements MemoryWindow {
    /// How it stands with what the owner believes.
    sealed interface Truth {
        /// It is so.
        record AsClaimed() implements Truth {
        }

        /// It is bound, but by another key.
        record BoundBy(int key) implements Truth {
        }

        /// A type 1 window is bound in its place.
        record Replaced(MemoryWindow standIn) implements Truth {
        }

        /// It is not bound, though its owner was told that it is.
        record NotBound() implements Truth {
        }

        /// It is still bound by `key` on `queuePair`, though its owner was told that it is not.
        record StillBound(int key, QueuePair queuePair) implements Truth {
        }
    }

    private static final Truth AS_CLAIMED = new Truth.AsClaimed();

    private final MutantDevice device;
    private final ProtectionDomain domain;
    private final MemoryWindow delegate;
    private Truth truth = AS_CLAIMED;
    private int claimedKey;
    private int realKey;
    private boolean wasBound;
    private boolean closed;

    MutantWindow(MutantDevice device, ProtectionDomain domain, MemoryWindow delegate) {
        this.device = device;
        this.domain = domain;
        this.delegate = delegate;
        claimedKey = delegate.remoteKey();
        realKey = claimedKey;
    }

    MemoryWindow delegate() {
        return delegate;
    }

    /// The part of its keys that names it.
    int index() {
        return delegate.remoteKey() >>> 8;
    }

    /// The key that it was really bound by last.
    synchronized int realKey() {
        return realKey;
    }

    /// Whether it was really bound before.
    synchronized boolean wasBound() {
        return wasBound;
    }

    /// What is true of the binding that its owner knows by `key`.
    synchronized Truth truth(int key) {
        return key == claimedKey ? truth : AS_CLAIMED;
    }

    /// The key that really opens what a peer thinks that `key` opens.
    synchronized int translated(int key) {
        return switch (truth(key)) {
            case Truth.BoundBy bound -> bound.key;
            case Truth.Replaced replaced -> replaced.standIn.remoteKey();
            default -> key;
        };
    }

    /// Puts an end to whatever its owner believes to be over; before it is bound again.
    synchronized void settle() {
        Truth before = truth;
        truth = AS_CLAIMED;
        if (before instanceof Truth.Replaced replaced) {
            replaced.standIn.close();
        } else if (before instanceof Truth.StillBound still && !closed && still.queuePair.state() == QueuePairState.RTS) {
            still.queuePair.newSendBatch().localInvalidate(0, still.key).unsignalled().post();
        }
    }

    /// As [#settle()], if `late` is still what is true.
    synchronized void settle(Truth late) {
        if (truth == late) {
            settle();
        }
    }

    /// Its owner binds it by `claimed`; what is done is to bind it by `real`.
    synchronized void bind(int claimed, int real) {
        settle();
        claimedKey = claimed;
        realKey = real;
        wasBound = true;
        truth = claimed == real ? AS_CLAIMED : new Truth.BoundBy(real);
    }

    /// Its owner binds it by `claimed`, and nothing is done.
    synchronized void bindInVain(int claimed) {
        settle();
        claimedKey = claimed;
        truth = new Truth.NotBound();
    }

    /// Its owner binds it by `claimed`; what is done is to bind the window that is returned.
    synchronized MemoryWindow replace(int claimed) {
        settle();
        claimedKey = claimed;
        MemoryWindow standIn = domain.allocateMemoryWindow(MemoryWindowType.TYPE_1);
        truth = new Truth.Replaced(standIn);
        return standIn;
    }

    /// Its owner invalidates it on `queuePair`, and nothing is done.
    synchronized Truth keep(QueuePair queuePair) {
        truth = new Truth.StillBound(realKey, queuePair);
        return truth;
    }

    @Override
    public MemoryWindowType type() {
        return delegate.type();
    }

    @Override
    public synchronized int remoteKey() {
        return truth == AS_CLAIMED ? delegate.remoteKey() : claimedKey;
    }

    @Override
    public void close() {
        if (device.mutation() == Mutation.LEAK_WINDOWS) {
            return;
        }
        synchronized (this) {
            if (closed) {
                return;
            }
            closed = true;
            settle();
        }
        device.closed(this);
        delegate.close();
    }
}
