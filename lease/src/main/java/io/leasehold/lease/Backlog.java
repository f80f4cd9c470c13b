package io.leasehold.lease;

import java.util.List;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/// Chains that wait to be posted, first come, first served; linked through the chains themselves, so that waiting allocates
/// nothing.
final class Backlog {
    private final ReentrantLock lock = new ReentrantLock();
    private @Nullable WorkChain first;
    private @Nullable WorkChain last;
    // Counts a polled chain until it is settled: whoever makes room while it is in a poster's hands must see that somebody waits.
    private volatile int size;

    boolean isEmpty() {
        return size == 0;
    }

    /// Adds `chain` unless `state` says that nothing is posted any more.
    boolean add(WorkChain chain, SessionState state) {
        lock.lock();
        try {
            // Under the lock: whoever empties the backlog for good has changed the state before.
            if (!state.isOpen()) {
                return false;
            }
            chain.next = null;
            WorkChain before = last;
            if (before == null) {
                first = chain;
            } else {
                before.next = chain;
            }
            last = chain;
            size = size + 1;
            return true;
        } finally {
            lock.unlock();
        }
    }

    /// Adds `chains`, in their order, before all others, unless `state` says that nothing is posted any more.
    boolean addAllFirst(List<WorkChain> chains, SessionState state) {
        lock.lock();
        try {
            if (!state.isOpen()) {
                return false;
            }
            for (WorkChain chain : chains.reversed()) {
                link(chain);
            }
            size = size + chains.size();
            return true;
        } finally {
            lock.unlock();
        }
    }

    /// Takes the first chain; either [#settled()] or [#addFirst] must follow.
    @Nullable WorkChain poll() {
        lock.lock();
        try {
            WorkChain chain = first;
            if (chain != null) {
                first = chain.next;
                if (first == null) {
                    last = null;
                }
                chain.next = null;
            }
            return chain;
        } finally {
            lock.unlock();
        }
    }

    /// A chain that was polled waits no more.
    void settled() {
        lock.lock();
        try {
            size = size - 1;
        } finally {
            lock.unlock();
        }
    }

    /// Puts a chain that was polled back.
    void addFirst(WorkChain chain) {
        lock.lock();
        try {
            link(chain);
        } finally {
            lock.unlock();
        }
    }

    /// Puts a chain before the first.
    private void link(WorkChain chain) {
        chain.next = first;
        first = chain;
        if (last == null) {
            last = chain;
        }
    }

    /// Takes `chain` out, wherever it stands.
    boolean remove(WorkChain chain) {
        lock.lock();
        try {
            WorkChain before = null;
            for (WorkChain here = first; here != null; before = here, here = here.next) {
                if (here == chain) {
                    unlink(before, chain);
                    return true;
                }
            }
            return false;
        } finally {
            lock.unlock();
        }
    }

    private void unlink(@Nullable WorkChain before, WorkChain chain) {
        if (before == null) {
            first = chain.next;
        } else {
            before.next = chain.next;
        }
        if (last == chain) {
            last = before;
        }
        chain.next = null;
        size = size - 1;
    }
}
