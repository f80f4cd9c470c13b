package io.leasehold.rdma.internal.verbs;

import io.leasehold.rdma.ConnectionRequest;
import io.leasehold.rdma.QueuePair;
import io.leasehold.rdma.QueuePairAddress;
import io.leasehold.rdma.RdmaError;
import io.leasehold.rdma.RdmaException;
import io.leasehold.rdma.internal.NicClock;
import java.io.IOException;
import java.net.SocketTimeoutException;
import java.time.Duration;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/// A peer that asks for a connection and waits for the answer until its deadline.
final class IncomingRequest implements ConnectionRequest, PendingConnection {
    private enum State {
        /// Nobody has answered.
        OPEN,
        /// Somebody is about to.
        ANSWERING,
        /// A queue pair is connected.
        ACCEPTED,
        /// It was refused, or the peer is gone.
        REJECTED
    }

    private final VerbsDevice device;
    private final Exchange exchange;
    private final PeerInfo peer;
    private final byte[] privateData;
    private final long deadlineNanos;
    private final Duration comingUp;
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition answered = lock.newCondition();
    private State state = State.OPEN;

    /// @param comingUp what the peer may take, once accepted, to bring its queue pair up
    IncomingRequest(VerbsDevice device, Exchange exchange, PeerInfo peer, byte[] privateData, long deadlineNanos,
            Duration comingUp) {
        this.device = device;
        this.exchange = exchange;
        this.peer = peer;
        this.privateData = privateData;
        this.deadlineNanos = deadlineNanos;
        this.comingUp = comingUp;
    }

    @Override
    public QueuePairAddress remote() {
        return peer.address();
    }

    @Override
    public byte[] privateData() {
        return privateData.clone();
    }

    @Override
    public void accept(QueuePair queuePair, byte[] answer) {
        Connections.checkPrivateData(answer);
        VerbsQueuePair own = device.ownQueuePair(queuePair);
        begin();
        State next = State.OPEN;
        try {
            own.startConnecting(this);
            next = State.REJECTED;
            try {
                own.serve(this, peer);
                PeerInfo info = own.info();
                exchange.send(Exchange.ACCEPT, body -> {
                    info.write(body);
                    body.writeShort(answer.length);
                    body.write(answer);
                });
                // Not as long as it likes: who accepts waits, and its queue pair is taken.
                if (exchange.receive(Math.min(deadlineNanos, NicClock.deadline(comingUp))).type() != Exchange.READY) {
                    throw new ExchangeException("the peer is not ready");
                }
                // Before the peer is told: from then on its owner may do anything to the connection.
                own.comeUp(this, exchange);
                next = State.ACCEPTED;
                exchange.send(Exchange.UP, _ -> { });
            } finally {
                if (next != State.ACCEPTED) {
                    exchange.close();
                    own.failConnecting(this);
                }
            }
        } catch (IOException e) {
            boolean silent = e instanceof SocketTimeoutException;
            throw new RdmaException(silent ? RdmaError.TIMEOUT : RdmaError.UNREACHABLE,
                    "accepting " + remote() + ": the peer is " + (silent ? "silent: " : "gone: ") + e.getMessage(), e);
        } finally {
            end(next);
        }
    }

    @Override
    public void reject(String reason) {
        begin();
        try {
            exchange.send(Exchange.REJECT, reason);
        } catch (IOException e) {
            throw new RdmaException(RdmaError.UNREACHABLE, "rejecting " + remote() + ": the peer is gone: " + e.getMessage(), e);
        } finally {
            exchange.close();
            end(State.REJECTED);
        }
    }

    /// Rejects it, unless it was answered.
    void rejectUnanswered(String reason) {
        try {
            reject(reason);
        } catch (RdmaException e) {
            // It was answered, or the peer has gone: there is nobody left to tell.
            return;
        }
    }

    private void begin() {
        lock.lock();
        try {
            if (state != State.OPEN) {
                throw new RdmaException(RdmaError.INVALID_STATE,
                        "the request of " + remote() + " was answered, or its time has passed");
            }
            state = State.ANSWERING;
        } finally {
            lock.unlock();
        }
    }

    private void end(State next) {
        lock.lock();
        try {
            state = next;
            answered.signalAll();
        } finally {
            lock.unlock();
        }
    }

    /// Waits for the answer; rejects the request if none comes in time.
    ///
    /// @return whether a queue pair keeps the exchange
    boolean awaitAnswer() {
        lock.lock();
        try {
            while (state == State.ANSWERING || state == State.OPEN && deadlineNanos - NicClock.nanos() > 0) {
                // Who answers waits for the peer until the same deadline, and then says so.
                answered.awaitNanos(Math.max(1_000_000, deadlineNanos - NicClock.nanos()));
            }
            if (state == State.ACCEPTED) {
                return true;
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } finally {
            lock.unlock();
        }
        rejectUnanswered("nobody answered in time");
        return false;
    }

    @Override
    public void cancel(String cause) {
        exchange.close();
    }
}
