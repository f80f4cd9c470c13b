package io.leasehold.rdma.internal.soft;

import io.leasehold.rdma.AsyncEvent;
import io.leasehold.rdma.QueuePairState;
import io.leasehold.rdma.WorkCompletionOpcode;
import io.leasehold.rdma.WorkCompletionStatus;
import java.util.Objects;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/// The link between two queue pairs of one JVM: the posting thread carries its requests out at the peer.
///
/// Locks: the poster holds its own send lock while it works at the peer, and there takes only leaves (the receive queue's
/// monitor, a completion queue's lock, a window's monitor). Whatever needs the peer's send lock, as flushing it, waits until the
/// own is released ([#settle]); so two queue pairs may post to each other, or one to itself, and never wait in a circle.
final class LocalWire implements Wire {
    private final WorkQueues own;
    private final WorkQueues peer;
    // One for both ends: burnt through, the connection is no more.
    private final AtomicBoolean fuse;
    private @Nullable LocalWire twin;
    // Runs while the peer has no receive for the request at the head.
    private @Nullable Future<?> patience;

    private LocalWire(WorkQueues own, WorkQueues peer, AtomicBoolean fuse) {
        this.own = own;
        this.peer = peer;
        this.fuse = fuse;
    }

    /// The end of `one` of a new connection with `other`; the other end is its [#twin].
    static LocalWire between(WorkQueues one, WorkQueues other) {
        var fuse = new AtomicBoolean();
        var wire = new LocalWire(one, other, fuse);
        wire.twin = one == other ? wire : new LocalWire(other, one, fuse);
        wire.twin.twin = wire;
        return wire;
    }

    /// The other end.
    LocalWire twin() {
        return Objects.requireNonNull(twin);
    }

    /// Makes sure that nothing passes any more, without telling anybody.
    void cut() {
        fuse.set(true);
    }

    @Override
    public int pump(long limit) {
        SendQueue queue = own.sends();
        int effects = NOTHING;
        while (queue.started() < limit && own.state() != QueuePairState.ERR) {
            int slot = queue.slot(queue.started());
            WorkRequests requests = queue.requests();
            WorkCompletionStatus status = requests.isLocal(slot) ? own.carryOutLocally(requests, slot)
                    : carryOutAtPeer(requests, slot);
            if (status == Responder.NOT_READY) {
                return effects | waitForReceive();
            }
            queue.start();
            stopWaiting();
            queue.finish(status);
            effects |= TELL_PEER;
            if (status != WorkCompletionStatus.SUCCESS) {
                own.markError();
                queue.flush(0);
                return effects | FAILED;
            }
        }
        return effects;
    }

    private WorkCompletionStatus carryOutAtPeer(WorkRequests requests, int slot) {
        KeyEntry local = null;
        int length = requests.length(slot);
        if (length > 0 && !requests.has(slot, WorkRequests.INLINE)) {
            local = own.enterLocal(requests.localKey(slot), requests.get(slot, WorkRequests.LOCAL), length,
                    requests.answersIntoMemory(slot));
            if (local == null) {
                return WorkCompletionStatus.LOC_PROT_ERR;
            }
        }
        try {
            if (!peer.gate().enter()) {
                return WorkCompletionStatus.RETRY_EXC_ERR;
            }
            try {
                // Looked at inside: a peer that was reset and connected anew has burnt the fuse before it opened its gate again.
                return fuse.get() ? WorkCompletionStatus.RETRY_EXC_ERR : respondOrBreak(requests, slot, length);
            } finally {
                peer.gate().leave();
            }
        } finally {
            if (local != null) {
                local.leave();
            }
        }
    }

    /// On the hostile fabric the connection may break here, before the effect or after it.
    private WorkCompletionStatus respondOrBreak(WorkRequests requests, int slot, int length) {
        Mischief mischief = peer.responder().mischief();
        try {
            mischief.delay();
            if (!mischief.breaks()) {
                return respond(requests, slot, length);
            }
            if (mischief.coin() && respond(requests, slot, length) == Responder.NOT_READY) {
                return Responder.NOT_READY;
            }
            // The failure of the request takes the rest of the connection with it.
            return WorkCompletionStatus.RETRY_EXC_ERR;
        } finally {
            peer.responder().rest();
        }
    }

    private WorkCompletionStatus respond(WorkRequests requests, int slot, int length) {
        Responder responder = peer.responder();
        int opcode = requests.opcode(slot);
        long local = requests.get(slot, WorkRequests.LOCAL);
        long remote = requests.get(slot, WorkRequests.REMOTE);
        int key = requests.remoteKey(slot);
        return switch (opcode) {
            case WorkRequests.READ -> responder.read(remote, key, length, local);
            case WorkRequests.WRITE -> responder.write(local, remote, key, length);
            case WorkRequests.COMPARE_AND_SWAP -> answer(responder, local, responder.compareAndSwap(remote, key,
                    requests.get(slot, WorkRequests.OPERAND), requests.get(slot, WorkRequests.SWAP)));
            case WorkRequests.FETCH_AND_ADD -> answer(responder, local,
                    responder.fetchAndAdd(remote, key, requests.get(slot, WorkRequests.OPERAND)));
            default -> message(responder, opcode, local, remote, key, length, (int) requests.get(slot, WorkRequests.EXTRA));
        };
    }

    private static WorkCompletionStatus answer(Responder responder, long local, WorkCompletionStatus status) {
        if (status == WorkCompletionStatus.SUCCESS) {
            NativeMemory.putLong(local, responder.previous());
        }
        return status;
    }

    /// A request that consumes a receive.
    private static WorkCompletionStatus message(Responder responder, int opcode, long local, long remote, int key, int length,
            int extra) {
        boolean write = opcode == WorkRequests.WRITE_WITH_IMMEDIATE;
        WorkCompletionStatus status = responder.beginReceive(length, !write);
        if (status == WorkCompletionStatus.SUCCESS) {
            status = write ? responder.write(local, remote, key, length) : responder.deliver(local, 0, length);
        }
        int flags = write ? SoftCompletionQueue.WITH_IMMEDIATE : 0;
        if (status == WorkCompletionStatus.SUCCESS && opcode == WorkRequests.SEND_WITH_INVALIDATE) {
            flags = SoftCompletionQueue.WITH_INVALIDATE;
            status = responder.invalidate(extra);
        }
        if (status == WorkCompletionStatus.SUCCESS) {
            responder.received(write ? WorkCompletionOpcode.RECV_RDMA_WITH_IMM : WorkCompletionOpcode.RECV, length, flags, extra);
        }
        return status;
    }

    /// The peer has no receive: its next one brings us back here, or the time runs out.
    private int waitForReceive() {
        if (patience == null) {
            long place = own.sends().done();
            patience = own.device().timer().after(own.receiverNotReadyNanos(), () -> own.failHead(this,
                    WorkCompletionStatus.RNR_RETRY_EXC_ERR, () -> patience != null && own.sends().done() == place));
        }
        return TELL_PEER;
    }

    private void stopWaiting() {
        Future<?> waiting = patience;
        if (waiting != null) {
            waiting.cancel(false);
            patience = null;
        }
    }

    @Override
    public void settle(int effects) {
        if ((effects & FAILED) != 0) {
            own.finishError("the peer's request failed");
        }
        if ((effects & TELL_PEER) != 0) {
            peer.tell();
        }
    }

    @Override
    public void receivePosted() {
        peer.resume();
    }

    @Override
    public long giveUp() {
        long inDoubt = own.sends().done() + (patience == null ? 0 : 1);
        stopWaiting();
        return inDoubt;
    }

    @Override
    public void breakOff(String cause) {
        own.sendLock().lock();
        try {
            stopWaiting();
        } finally {
            own.sendLock().unlock();
        }
        if (fuse.compareAndSet(false, true)) {
            peer.wireBroke(twin(), AsyncEvent.Type.PEER_GONE, cause);
        }
    }

    @Override
    public void awaitEnd(long deadlineNanos) {
        // Nothing runs but the posters.
    }
}
