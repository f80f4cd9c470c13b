package io.leasehold.rdma.internal.verbs;

import io.leasehold.rdma.MemoryWindow;
import io.leasehold.rdma.MemoryWindowType;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// An `ibv_mw`. Its monitor guards what is known of its binding; the device alone checks accesses.
///
/// The library's structure holds the key that the device has for the window, and providers put it into the next bind request; they
/// leave it to the caller to write a new key back. That is done when a bind is posted, so that further requests of the same chain
/// fit, and undone if it fails.
final class VerbsMemoryWindow implements MemoryWindow {
    private final VerbsProtectionDomain domain;
    private final MemoryWindowType type;
    private final int index;
    /// `ibv_mw *`; 0 when it was freed.
    private long pointer;
    /// The key of the last bind that is known to have succeeded.
    private volatile int key;
    private @Nullable VerbsMemoryRegion region;
    /// Where it is bound, for all that is known.
    private volatile @Nullable VerbsQueuePair boundOn;
    /// The queue pair of the last bind that was posted and has not failed.
    private volatile @Nullable VerbsQueuePair binder;
    private int posting;
    private int pending;
    private boolean failedWhilePosting;
    /// The run of requests that it was last part of; for the poster.
    private long run;
    /// Regions that it may be bound to for all that is known: the answers were lost.
    private final List<VerbsMemoryRegion> doubtful = new ArrayList<>(0);
    private boolean doubted;
    private boolean freeing;
    private boolean closed;

    VerbsMemoryWindow(VerbsProtectionDomain domain, MemoryWindowType type, long pointer) {
        this.domain = domain;
        this.type = type;
        this.pointer = pointer;
        key = RawMemory.getInt(pointer + Abi.Handle.WINDOW_KEY);
        index = key >>> 8;
    }

    VerbsProtectionDomain domain() {
        return domain;
    }

    /// The device's part of its keys.
    int index() {
        return index;
    }

    boolean isType1() {
        return type == MemoryWindowType.TYPE_1;
    }

    /// The queue pair of the last bind that was posted and has not failed.
    @Nullable VerbsQueuePair binder() {
        return binder;
    }

    /// Keeps the structure for a bind that is about to be posted. [#posted] or [#notPosted] must follow.
    ///
    /// @return `ibv_mw *`, or 0 if the window can no longer be bound
    synchronized long beginPost(VerbsQueuePair queuePair) {
        if (closed || doubted || freeing || pointer == 0) {
            return 0;
        }
        posting++;
        pending++;
        binder = queuePair;
        return pointer;
    }

    /// A bind was posted; it may even have completed.
    synchronized void posted(int newKey) {
        endPost();
        if (!isType1()) {
            RawMemory.putInt(pointer + Abi.Handle.WINDOW_KEY, failedWhilePosting ? key : newKey);
        }
        failedWhilePosting &= posting > 0;
    }

    synchronized void notPosted() {
        failed();
        endPost();
    }

    /// A bind has come to nothing.
    private void failed() {
        pending--;
        if (pending == 0) {
            binder = boundOn;
        }
    }

    private void endPost() {
        posting--;
        notifyAll();
    }

    /// Joins a run of requests that are posted by one call.
    ///
    /// @return whether it was not part of it before
    boolean join(long newRun) {
        boolean first = run != newRun;
        run = newRun;
        return first;
    }

    /// A bind has completed well; `target` was held for it.
    synchronized void bound(VerbsQueuePair on, VerbsMemoryRegion target, int newKey) {
        pending--;
        if (pointer == 0) {
            target.release();
            return;
        }
        VerbsMemoryRegion before = region;
        region = target;
        boundOn = on;
        // The library chooses the keys of type 1.
        key = isType1() ? RawMemory.getInt(pointer + Abi.Handle.WINDOW_KEY) : newKey;
        if (before != null) {
            before.release();
        } else {
            domain.device().windowBound();
        }
    }

    /// A bind has failed; `target` was held for it.
    synchronized void notBound(VerbsMemoryRegion target) {
        failed();
        target.release();
        failedWhilePosting = posting > 0;
        if (pending == 0 && pointer != 0) {
            RawMemory.putInt(pointer + Abi.Handle.WINDOW_KEY, key);
        }
    }

    /// What became of a bind will never be known; `target` was held for it. From now on the window can only be closed.
    synchronized void inDoubt(VerbsMemoryRegion target) {
        pending--;
        if (pointer == 0) {
            target.release();
        } else {
            doubted = true;
            doubtful.add(target);
        }
    }

    /// The window was invalidated under that key.
    synchronized void invalidated(int oldKey) {
        if (key == oldKey) {
            unbind();
        }
    }

    private void unbind() {
        VerbsMemoryRegion bound = region;
        if (bound != null) {
            region = null;
            boundOn = null;
            bound.release();
            domain.device().windowUnbound();
        }
    }

    /// Frees the device's window since `queuePair` is about to go, if it is, or may be, bound there: some devices wait long for
    /// a window that is not unbound before its queue pair is destroyed. The binding was good there only.
    void leave(VerbsQueuePair queuePair) {
        // Most have nothing to do with it, and there may be many thousands.
        if (boundOn == queuePair || binder == queuePair) {
            leaveIfBound(queuePair);
        }
    }

    private synchronized void leaveIfBound(VerbsQueuePair queuePair) {
        boolean mayBeBound = boundOn == queuePair || binder == queuePair && (pending > 0 || doubted);
        if (!isType1() && mayBeBound && pointer != 0) {
            free();
        }
    }

    private void free() {
        boolean interrupted = false;
        freeing = true;
        while (posting > 0) {
            try {
                wait();
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
        if (pointer == 0) {
            // Somebody else was waiting as well.
            return;
        }
        int status = domain.device().operations().freeWindow(pointer);
        freeing = false;
        if (status != 0) {
            throw new NativeFailure("ibv_dealloc_mw", status).toRdmaException("freeing the window with key 0x"
                    + Integer.toHexString(key));
        }
        pointer = 0;
        unbind();
        doubtful.forEach(VerbsMemoryRegion::release);
        doubtful.clear();
    }

    @Override
    public MemoryWindowType type() {
        return type;
    }

    @Override
    public int remoteKey() {
        return key;
    }

    @Override
    public void close() {
        synchronized (this) {
            if (closed) {
                return;
            }
            if (pointer != 0) {
                free();
            }
            if (closed) {
                return;
            }
            closed = true;
        }
        domain.device().remove(this);
        domain.disown();
    }
}
