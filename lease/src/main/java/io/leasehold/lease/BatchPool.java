package io.leasehold.lease;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;

/// The chains of a session's batches: as many as were ever open at once, used again and again.
final class BatchPool {
    private static final int NUMBERS = 1 << 20;

    private final Connector connector;
    private final ChainPath path;
    private final SessionState state;
    // Guarded by this.
    private final Deque<BatchScratch> free = new ArrayDeque<>();
    private final List<BatchScratch> all = new ArrayList<>();
    private int nextNumber;

    /// @param firstNumber the first chain number that is not taken
    BatchPool(Connector connector, ChainPath path, SessionState state, int firstNumber) {
        this.connector = connector;
        this.path = path;
        this.state = state;
        nextNumber = firstNumber;
    }

    synchronized BatchScratch take() {
        state.requireOpen("batch");
        BatchScratch scratch = free.poll();
        if (scratch == null) {
            if (nextNumber == NUMBERS) {
                throw new IllegalStateException("more than " + NUMBERS + " batches are open: close some");
            }
            scratch = new BatchScratch(connector, nextNumber++);
            all.add(scratch);
            path.enter(scratch.chain);
            BatchScratch own = scratch;
            scratch.chain.reclaim = () -> give(own);
        }
        return scratch;
    }

    synchronized void give(BatchScratch scratch) {
        if (state.isOpen()) {
            scratch.tidy();
        }
        free.push(scratch);
    }

    /// Has those end soon that were executed without a waiter and whose time is over.
    void endOverdue(long beforeNanos) {
        List<BatchScratch> open;
        synchronized (this) {
            open = List.copyOf(all);
        }
        for (BatchScratch scratch : open) {
            WorkChain chain = scratch.chain;
            long start = chain.startNanos;
            int now = chain.state();
            if (start != 0 && start - beforeNanos < 0 && now != WorkChain.IDLE && now != WorkChain.ENDED) {
                ChainWaiter.giveUp(chain, path);
            }
        }
    }

    /// Frees all memory that is not on the way; nothing is posted any more.
    ///
    /// @return whether nothing is left
    synchronized boolean close() {
        all.removeIf(scratch -> {
            int now = scratch.chain.state();
            boolean idle = now == WorkChain.IDLE || now == WorkChain.ENDED;
            if (idle) {
                scratch.close();
            }
            return idle;
        });
        return all.isEmpty();
    }
}
