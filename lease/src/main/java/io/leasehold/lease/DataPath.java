package io.leasehold.lease;

import io.leasehold.rdma.MemoryRegion;
import io.leasehold.rdma.PostStatus;
import io.leasehold.rdma.QueuePair;
import io.leasehold.rdma.QueuePairState;
import io.leasehold.rdma.RdmaError;
import io.leasehold.rdma.RdmaException;
import io.leasehold.rdma.SendBatch;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/// The node's end of a data queue pair, and the chain of binds and invalidations that is being built for it.
///
/// The node posts nothing else here. A chain is posted with one doorbell and only its last request is signalled: requests of one
/// queue pair complete in order, and one that fails completes and flushes all that follow; so the last completion, and the first
/// failure before it, tell how each step ended. For one thread.
final class DataPath implements AutoCloseable {
    /// Most steps of one chain; the places of the send queue.
    static final int STEPS_MAX = 256;

    private final UUID session;
    private final int index;
    private final QueuePair queuePair;
    private final DataDomain domain;
    private final SendBatch batch;
    private final List<Step> steps = new ArrayList<>();
    private int failedAt;
    private boolean connected;
    private boolean broken;

    /// One bind, or one invalidation, of a chain.
    static final class Step {
        private final WindowPool.Window window;
        private final int key;
        private final @Nullable MemoryRegion region;
        private final long address;
        private final long lengthBytes;
        private final int access;
        private boolean succeeded;

        private Step(WindowPool.Window window, int key, @Nullable MemoryRegion region, long address, long lengthBytes,
                int access) {
            this.window = window;
            this.key = key;
            this.region = region;
            this.address = address;
            this.lengthBytes = lengthBytes;
            this.access = access;
        }

        WindowPool.Window window() {
            return window;
        }

        /// Whether it was carried out; known when the chain has been run.
        boolean hasSucceeded() {
            return succeeded;
        }
    }

    /// @param queuePair made in `domain`
    DataPath(UUID session, int index, QueuePair queuePair, DataDomain domain) {
        this.session = session;
        this.index = index;
        this.queuePair = queuePair;
        this.domain = domain;
        batch = queuePair.newSendBatch();
    }

    /// The session that the client named when it connected.
    UUID session() {
        return session;
    }

    /// The queue pair itself, to be connected.
    QueuePair queuePair() {
        return queuePair;
    }

    int index() {
        return index;
    }

    int number() {
        return queuePair.number();
    }

    /// The client's request to connect was accepted.
    void markConnected() {
        connected = true;
    }

    boolean isConnected() {
        return connected;
    }

    void markBroken() {
        broken = true;
    }

    /// Whether a chain posted here can succeed, as far as the node knows.
    boolean isUsable() {
        return connected && !broken;
    }

    /// Looks at the queue pair itself, after an event has told that it may have failed.
    boolean hasFailed() {
        return queuePair.state() == QueuePairState.ERR;
    }

    boolean hasSteps() {
        return !steps.isEmpty();
    }

    boolean hasRoom() {
        return steps.size() < STEPS_MAX;
    }

    /// Adds a bind of `window` to a range of `region`, under a new key.
    Step bind(WindowPool.Window window, MemoryRegion region, long address, long lengthBytes, int access) {
        Step step = new Step(window, window.nextKey(), region, address, lengthBytes, access);
        steps.add(step);
        return step;
    }

    /// Adds the invalidation of the key that `window` has.
    Step invalidate(WindowPool.Window window) {
        Step step = new Step(window, window.key(), null, 0, 0, 0);
        steps.add(step);
        return step;
    }

    /// Posts the chain; its completions carry `bell` and the position of their step.
    ///
    /// @return whether completions will come
    boolean post(long bell) {
        int last = steps.size() - 1;
        for (int i = 0; i <= last; i++) {
            Step step = steps.get(i);
            if (step.region == null) {
                batch.localInvalidate(bell | i, step.key);
            } else {
                batch.bindMemoryWindow(bell | i, step.window.window(), step.key, step.region, step.address, step.lengthBytes,
                        step.access);
            }
            if (i < last) {
                batch.unsignalled();
            }
        }
        failedAt = steps.size();
        return batch.post() == PostStatus.POSTED;
    }

    /// Takes note of a completion.
    ///
    /// @return whether it was the last of the chain
    boolean completed(int position, boolean succeeded) {
        if (!succeeded) {
            failedAt = Math.min(failedAt, position);
        }
        return position == steps.size() - 1;
    }

    /// All completions are in: tells each step how it ended, and begins a new chain.
    void settle() {
        for (int i = 0; i < failedAt; i++) {
            Step step = steps.get(i);
            step.succeeded = true;
            if (step.region != null) {
                step.window.bound(step.key);
            }
        }
        broken |= failedAt < steps.size();
        steps.clear();
    }

    /// The chain could not be posted, or did not end in time: no step can be counted on, and the queue pair fails, so that
    /// nothing arrives through it any more.
    void abandon() {
        broken = true;
        steps.clear();
        try {
            queuePair.toError();
        } catch (RdmaException e) {
            // Gone with a device that its owner has closed before the node.
            if (e.error() != RdmaError.CLOSED) {
                throw e;
            }
        }
    }

    @Override
    public void close() {
        broken = true;
        queuePair.close();
        domain.gone();
    }
}
