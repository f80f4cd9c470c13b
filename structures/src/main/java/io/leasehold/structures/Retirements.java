package io.leasehold.structures;

import io.leasehold.lease.Extent;
import io.leasehold.lease.LeaseException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;
import java.util.function.LongSupplier;

/// Extents on their way back to the node, many with one request. Never throws: whoever gives one back has just changed a word
/// that decided its operation, and must not be told that this failed. Thread-safe.
///
/// If the node did not carry a request out, its extents are kept and it is asked again later. If nobody knows, they are left to
/// the heap's destruction: to ask again might free what somebody else owns by then.
final class Retirements {
    /// Extents that are given back with one control request.
    static final int BATCH = 64;
    /// Extents kept while the node cannot be asked; what comes then is left to the heap's destruction.
    static final int KEPT_MAX = 1 << 14;
    /// How soon the node is asked again.
    static final long RETRY_NANOS = TimeUnit.SECONDS.toNanos(1);

    private static final Logger LOG = System.getLogger(Retirements.class.getName());

    private final String heap;
    private final Consumer<List<Extent>> request;
    private final LongSupplier clock;
    private final ReentrantLock lock = new ReentrantLock();
    private List<Extent> kept = new ArrayList<>(BATCH);
    private boolean isPaused;
    private long pausedNanos;

    /// @param heap its name, for messages
    /// @param request gives extents back, all or none
    Retirements(String heap, Consumer<List<Extent>> request, LongSupplier clock) {
        this.heap = heap;
        this.request = request;
        this.clock = clock;
    }

    /// Gives an extent back, soon. Every [#BATCH]th call waits for the node.
    void add(Extent extent) {
        List<Extent> full = List.of();
        lock.lock();
        try {
            if (kept.size() >= KEPT_MAX) {
                // Said when the node was asked last.
                return;
            }
            kept.add(extent);
            if (kept.size() >= BATCH && (!isPaused || clock.getAsLong() - pausedNanos >= RETRY_NANOS)) {
                full = kept;
                kept = new ArrayList<>(BATCH);
                isPaused = false;
            }
        } finally {
            lock.unlock();
        }
        send(full);
    }

    /// Gives back `more` and whatever is kept, now.
    void flush(List<Extent> more) {
        List<Extent> all = new ArrayList<>(more);
        lock.lock();
        try {
            all.addAll(kept);
            kept = new ArrayList<>();
        } finally {
            lock.unlock();
        }
        send(all);
    }

    private void send(List<Extent> extents) {
        for (int from = 0; from < extents.size(); from += BATCH) {
            List<Extent> part = extents.subList(from, Math.min(extents.size(), from + BATCH));
            try {
                request.accept(part);
            } catch (RuntimeException e) {
                if (e instanceof LeaseException failure && failure.effect() == LeaseException.Effect.NONE) {
                    keep(extents.subList(from, extents.size()), e);
                    return;
                }
                LOG.log(Level.WARNING, "heap '" + heap + "': " + part.size() + " ranges may not have been given back; if so, they"
                        + " stay allocated until the heap is destroyed", e);
            }
        }
    }

    private void keep(List<Extent> extents, RuntimeException cause) {
        int count;
        lock.lock();
        try {
            kept.addAll(extents.subList(0, Math.clamp(KEPT_MAX - kept.size(), 0, extents.size())));
            isPaused = true;
            pausedNanos = clock.getAsLong();
            count = kept.size();
        } finally {
            lock.unlock();
        }
        LOG.log(Level.WARNING, "heap '" + heap + "': " + count + " ranges are kept to be given back later, at most " + KEPT_MAX
                + "; the rest stays allocated until the heap is destroyed", cause);
    }
}
