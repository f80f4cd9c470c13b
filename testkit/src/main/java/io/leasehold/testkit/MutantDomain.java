package io.leasehold.testkit;

import io.leasehold.rdma.AccessFlag;
import io.leasehold.rdma.CompletionQueue;
import io.leasehold.rdma.MemoryRegion;
import io.leasehold.rdma.MemoryWindow;
import io.leasehold.rdma.MemoryWindowType;
import io.leasehold.rdma.ProtectionDomain;
import io.leasehold.rdma.QueuePair;
import io.leasehold.rdma.QueuePairOptions;
import java.lang.foreign.MemorySegment;
import java.util.Set;

/// A protection domain of a [MutantDevice].
///
/// @param shared whether the delegate is that of others, too, and stays open
record MutantDomain(MutantDevice device, ProtectionDomain delegate, boolean shared) implements ProtectionDomain {
    @Override
    public MemoryRegion register(MemorySegment memory, Set<AccessFlag> access) {
        return MutantRegion.register(device, delegate, memory, access);
    }

    @Override
    public MemoryWindow allocateMemoryWindow(MemoryWindowType type) {
        MutantWindow window = new MutantWindow(device, delegate, delegate.allocateMemoryWindow(type));
        device.opened(window);
        return window;
    }

    @Override
    public QueuePair createQueuePair(QueuePairOptions options) {
        QueuePairOptions own = new QueuePairOptions(unwrapped(options.sendQueue()), unwrapped(options.receiveQueue()),
                options.maxSendRequests(), options.maxReceiveRequests(), options.maxInlineBytes(), options.maxReadAtomic(),
                options.responseTimeout(), options.receiverNotReadyTimeout());
        MutantQueuePair queuePair = new MutantQueuePair(device, delegate.createQueuePair(own));
        device.opened(queuePair);
        return queuePair;
    }

    private static CompletionQueue unwrapped(CompletionQueue queue) {
        return queue instanceof MutantCompletionQueue mutant ? mutant.delegate() : queue;
    }

    @Override
    public void close() {
        if (!shared) {
            delegate.close();
        }
    }
}
