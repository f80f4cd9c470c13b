package io.leasehold.testkit;

import io.leasehold.rdma.CompletionQueue;
import io.leasehold.rdma.WorkCompletion;
import io.leasehold.rdma.WorkCompletionOpcode;
import io.leasehold.rdma.WorkCompletionStatus;
import java.time.Duration;

/// A completion queue of a [MutantDevice].
record MutantCompletionQueue(MutantDevice device, CompletionQueue delegate) implements CompletionQueue {
    @Override
    public int capacity() {
        return delegate.capacity();
    }

    @Override
    public boolean poll(WorkCompletion into) {
        boolean filled = delegate.poll(into);
        if (filled && into.succeeded() && isAtomic(into.opcode()) && device.turnOf(Mutation.FLUSH_WHAT_WAS_DONE)) {
            into.set(into.id(), WorkCompletionStatus.WR_FLUSH_ERR, into.opcode(), into.queuePairNumber(), 0);
            device.breakQueuePair(into.queuePairNumber());
        }
        if (filled) {
            testify(into);
        }
        return filled;
    }

    private void testify(WorkCompletion completion) {
        WorkCompletionStatus status = device.witness().report(completion);
        if (status != completion.status()) {
            completion.set(completion.id(), status, completion.opcode(), completion.queuePairNumber(), completion.byteLength());
            if (status != WorkCompletionStatus.SUCCESS) {
                device.breakQueuePair(completion.queuePairNumber());
            }
        }
    }

    private static boolean isAtomic(WorkCompletionOpcode opcode) {
        return opcode == WorkCompletionOpcode.FETCH_ADD || opcode == WorkCompletionOpcode.COMP_SWAP;
    }

    @Override
    public boolean await(Duration timeout) throws InterruptedException {
        return delegate.await(timeout);
    }

    @Override
    public void onCompletion(Runnable handler) {
        delegate.onCompletion(handler);
    }

    @Override
    public void close() {
        delegate.close();
    }
}
