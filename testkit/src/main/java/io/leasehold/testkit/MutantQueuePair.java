package io.leasehold.testkit;

import io.leasehold.rdma.EndpointAddress;
import io.leasehold.rdma.MemoryRegion;
import io.leasehold.rdma.PostStatus;
import io.leasehold.rdma.QueuePair;
import io.leasehold.rdma.QueuePairAddress;
import io.leasehold.rdma.QueuePairState;
import io.leasehold.rdma.SendBatch;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/// A queue pair of a [MutantDevice].
record MutantQueuePair(MutantDevice device, QueuePair delegate) implements QueuePair {
    /// The key that really opens what this queue pair's owner thinks that the peer's `key` opens, if the peer is a mutant too.
    int translated(int key) {
        QueuePairAddress remote = delegate.remoteAddress();
        MutantDevice peer = remote == null ? null : MutantDevice.at(remote.endpoint());
        MutantWindow window = peer == null ? null : peer.window(key);
        return window == null ? key : window.translated(key);
    }

    @Override
    public int number() {
        return delegate.number();
    }

    @Override
    public QueuePairState state() {
        return delegate.state();
    }

    @Override
    public QueuePairAddress address() {
        return delegate.address();
    }

    @Override
    public @Nullable QueuePairAddress remoteAddress() {
        return delegate.remoteAddress();
    }

    @Override
    public SendBatch newSendBatch() {
        return new MutantBatch(device, this);
    }

    @Override
    public PostStatus postReceive(long id, MemoryRegion region, long offset, int lengthBytes) {
        return delegate.postReceive(id, MutantRegion.real(region), offset, lengthBytes);
    }

    @Override
    public void toInit() {
        delegate.toInit();
    }

    @Override
    public void toReadyToReceive(QueuePairAddress remote) {
        delegate.toReadyToReceive(remote);
    }

    @Override
    public void toReadyToSend(Duration timeout) {
        delegate.toReadyToSend(timeout);
    }

    @Override
    public void toSendQueueDrained() {
        delegate.toSendQueueDrained();
    }

    @Override
    public void toError() {
        delegate.toError();
    }

    @Override
    public void toReset() {
        delegate.toReset();
    }

    @Override
    public byte[] connect(EndpointAddress remote, byte[] privateData, Duration timeout) {
        return delegate.connect(remote, privateData, timeout);
    }

    @Override
    public void close() {
        device.closed(this);
        delegate.close();
    }
}
