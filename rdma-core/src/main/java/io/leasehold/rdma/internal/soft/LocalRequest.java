package io.leasehold.rdma.internal.soft;

import io.leasehold.rdma.ConnectionRequest;
import io.leasehold.rdma.QueuePair;
import io.leasehold.rdma.QueuePairAddress;
import io.leasehold.rdma.RdmaError;
import io.leasehold.rdma.RdmaException;
import io.leasehold.rdma.internal.NicClock;
import java.time.Duration;
import java.util.Objects;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/// A connection request between devices of one JVM: the requester waits on it, the listener's handler answers it.
final class LocalRequest implements ConnectionRequest, PendingConnection {
    private final SoftQueuePair requester;
    private final SoftDevice target;
    private final byte[] privateData;
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition answered = lock.newCondition();
    private boolean taken;
    private byte @Nullable [] answer;
    private @Nullable RdmaException failure;

    LocalRequest(SoftQueuePair requester, SoftDevice target, byte[] privateData) {
        this.requester = requester;
        this.target = target;
        this.privateData = privateData.clone();
    }

    @Override
    public QueuePairAddress remote() {
        return requester.identity();
    }

    @Override
    public byte[] privateData() {
        return privateData.clone();
    }

    @Override
    public void accept(QueuePair queuePair, byte[] answerData) {
        SoftQueuePair acceptor = target.ownQueuePair(queuePair);
        SoftDevice.checkPrivateData(answerData);
        acceptor.startConnecting(this);
        try {
            take("accept");
        } catch (RdmaException e) {
            acceptor.stopConnecting(this);
            throw e;
        }
        LocalWire wire = LocalWire.between(requester.queues(), acceptor.queues());
        if (!requester.comeUp(this, wire, acceptor.identity())) {
            acceptor.stopConnecting(this);
            finish(null, new RdmaException(RdmaError.INVALID_STATE, "the requester's queue pair failed while it was connected"));
            throw new RdmaException(RdmaError.UNREACHABLE, "accept: the peer " + remote() + " has gone");
        }
        if (!acceptor.comeUp(this, wire.twin(), remote())) {
            wire.cut();
            finish(null, new RdmaException(RdmaError.UNREACHABLE, "the listener's queue pair was closed while it accepted"));
            requester.toReset();
            throw new RdmaException(RdmaError.INVALID_STATE, "accept: queue pair " + acceptor.number() + " was closed or failed");
        }
        finish(answerData.clone(), null);
    }

    @Override
    public void reject(String reason) {
        take("reject");
        finish(null, new RdmaException(RdmaError.REJECTED, reason));
    }

    /// The first to answer, or to give up, wins.
    private void take(String what) {
        lock.lock();
        try {
            if (taken) {
                throw new RdmaException(failure == null ? RdmaError.INVALID_STATE : failure.error(),
                        what + ": the request of " + requester.number() + " was answered already or its requester gave up");
            }
            taken = true;
        } finally {
            lock.unlock();
        }
    }

    private void finish(byte @Nullable [] newAnswer, @Nullable RdmaException newFailure) {
        lock.lock();
        try {
            if (failure != null) {
                return;
            }
            answer = newAnswer;
            failure = newFailure;
            answered.signalAll();
        } finally {
            lock.unlock();
        }
    }

    @Override
    public void cancel(String cause) {
        lock.lock();
        try {
            taken = true;
            failure = new RdmaException(RdmaError.CLOSED, cause);
            answered.signalAll();
        } finally {
            lock.unlock();
        }
    }

    /// Waits for the answer.
    byte[] await(String peer, Duration timeout) {
        long start = NicClock.nanos();
        long left = NicClock.nanosOf(timeout);
        lock.lock();
        try {
            while (answer == null && failure == null) {
                if (left <= 0 && !taken) {
                    taken = true;
                    failure = new RdmaException(RdmaError.TIMEOUT, "no answer");
                } else {
                    // Once taken, the answer is being given: it comes at once.
                    left = answered.awaitNanos(taken ? Long.MAX_VALUE : left);
                }
            }
            if (answer != null) {
                return answer;
            }
            RdmaException cause = Objects.requireNonNull(failure);
            throw new RdmaException(cause.error(), "connecting to " + peer + ": " + cause.getMessage() + " (waited "
                    + NicClock.millisSince(start) + " ms)", cause);
        } catch (InterruptedException e) {
            taken = true;
            Thread.currentThread().interrupt();
            throw new RdmaException(RdmaError.TIMEOUT, "connecting to " + peer + ": interrupted after "
                    + NicClock.millisSince(start) + " ms", e);
        } finally {
            lock.unlock();
        }
    }
}
