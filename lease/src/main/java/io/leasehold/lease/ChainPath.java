package io.leasehold.lease;

import io.leasehold.lease.WorkChain.Fault;
import io.leasehold.rdma.CompletionQueue;
import io.leasehold.rdma.PostStatus;
import io.leasehold.rdma.WorkCompletion;
import io.leasehold.rdma.WorkCompletionStatus;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/// Posts chains to the active data queue pair and ends them when they have completed.
///
/// Any thread posts, by itself, and any thread that finds completions delivers all there are, one thread at a time. What finds no
/// place, or no active pair, waits in the [Backlog] and is posted by whoever makes room. A pair whose first request fails is
/// broken: nobody posts to it any more, and when its last request has completed, [Recovery] is told, with the chains that it
/// flushed.
///
/// No lock is held while a doorbell rings, for on a link inside one JVM a doorbell carries out the request and delivers its
/// completion.
final class ChainPath {
    private static final System.Logger LOG = System.getLogger(ChainPath.class.getName());

    private final CompletionQueue completions;
    private final CallbackQueue callbacks;
    private final SessionState state;
    private final Backlog backlog = new Backlog();
    private final AtomicInteger pumping = new AtomicInteger();
    private final AtomicInteger draining = new AtomicInteger();
    // Touched by the draining thread alone.
    private final WorkCompletion completion = new WorkCompletion();
    private long flushes;

    private volatile @Nullable WorkChain[] chains = new WorkChain[0];
    private final AtomicReference<@Nullable DataPair> active = new AtomicReference<>();
    private final ConcurrentLinkedQueue<DataPair> silenced = new ConcurrentLinkedQueue<>();
    private volatile Consumer<DataPair> onDrained = _ -> { };

    /// What came of an attempt to post.
    private enum Attempt {
        /// The chain is on its way, or has ended.
        TAKEN,
        /// There is no place, or no pair that takes it: later.
        LATER
    }

    ChainPath(CompletionQueue completions, CallbackQueue callbacks, SessionState state) {
        this.completions = completions;
        this.callbacks = callbacks;
        this.state = state;
        completions.onCompletion(this::deliver);
    }

    /// Has `action` run once for each pair that broke, when nothing is on the way on it any more; it must not wait.
    void onDrained(Consumer<DataPair> action) {
        onDrained = action;
    }

    /// Makes room in the table for a chain whose number is the next free one.
    synchronized void enter(WorkChain chain) {
        @Nullable WorkChain[] table = chains;
        if (chain.number >= table.length) {
            table = Arrays.copyOf(table, Math.max(16, Math.max(chain.number + 1, table.length * 2)));
        }
        table[chain.number] = chain;
        chains = table;
    }

    /// Posts a chain in state READY, or has it wait for its turn. It ends by itself, whatever happens to the node.
    void submit(WorkChain chain) {
        DataPair pair = active.get();
        if (pair == null || !backlog.isEmpty() || post(chain, pair) == Attempt.LATER) {
            postLater(chain);
        }
        pump();
        callbacks.run();
    }

    private void postLater(WorkChain chain) {
        if (!backlog.add(chain, state)) {
            end(chain, state.faultOfRest());
        }
    }

    /// Has `replays`, which the broken pair flushed, wait in their order before everything else.
    void replay(List<WorkChain> replays) {
        if (!backlog.addAllFirst(replays, state)) {
            replays.forEach(chain -> end(chain, state.faultOfRest()));
        }
        callbacks.run();
    }

    /// Opens the path: posts what waits, then what comes.
    void open(DataPair pair) {
        active.set(pair);
        // It may have broken in between: whoever noticed could not take away what was not there yet.
        if (pair.isBroken()) {
            retire(pair);
        }
        pump();
        callbacks.run();
    }

    /// Lets nobody post to `pair` from now on.
    ///
    /// @return whether the caller was the first to say so
    boolean breakPair(DataPair pair) {
        if (pair.isBroken() || !pair.markBroken(SystemClock.NANOS.getAsLong())) {
            return false;
        }
        retire(pair);
        if (pair.wasIdleWhenBroken()) {
            onDrained.accept(pair);
        }
        return true;
    }

    private void retire(DataPair pair) {
        active.compareAndSet(pair, null);
    }

    /// How many operations are on the way, about.
    int onTheWay() {
        DataPair pair = active.get();
        return pair == null ? 0 : pair.onTheWay();
    }

    /// The pair that new operations are posted to, or `null` while the session recovers.
    @Nullable DataPair active() {
        return active.get();
    }

    /// Ends everything that waits, with what `state` says; the path has no pair and never gets one again.
    void close() {
        endBacklog();
        callbacks.run();
    }

    private void endBacklog() {
        for (WorkChain chain = backlog.poll(); chain != null; chain = backlog.poll()) {
            backlog.settled();
            end(chain, state.faultOfRest());
        }
    }

    /// Ends the chains of a pair that was closed, whose completions will never come, as in doubt.
    void silence(DataPair pair) {
        drain(); // What has come is still believed.
        pair.markSilent();
        silenced.add(pair);
        drain();
        callbacks.run();
    }

    /// Takes a chain that waits for its turn out of the queue.
    ///
    /// @return whether it was there; if not, it is on the way
    boolean withdraw(WorkChain chain) {
        return backlog.remove(chain);
    }

    private Attempt post(WorkChain chain, DataPair pair) {
        if (chain.givenUp) {
            end(chain, Fault.UNREACHABLE);
            return Attempt.TAKEN;
        }
        int from = chain.from;
        int wanted = Math.min(chain.size() - from, pair.depth());
        if (!pair.reserve(wanted)) {
            return Attempt.LATER;
        }
        // Only now: while places are held nobody replaces the keys of this pair's generation.
        int count = Math.min(chain.postable(pair), from + wanted) - from;
        if (count < wanted) {
            release(pair, wanted - count);
            if (count == 0) {
                return refuseUnposted(chain, pair);
            }
        }
        chain.limit = from + count;
        chain.pair = pair;
        chain.forgetError();
        chain.prepareState(WorkChain.POSTING);
        PostStatus status = chain.build(pair).post();
        if (status != PostStatus.POSTED) {
            return unposted(chain, pair, count, status);
        }
        if (chain.state() == WorkChain.LANDED || !chain.casState(WorkChain.POSTING, WorkChain.POSTED)) {
            conclude(chain);
        }
        return Attempt.TAKEN;
    }

    private Attempt refuseUnposted(WorkChain chain, DataPair pair) {
        // A lease that was granted after an activation this thread has not seen yet.
        if (chain.lease(chain.from).isAheadOf(pair.generation)) {
            return Attempt.LATER;
        }
        end(chain, Fault.EXPIRED);
        return Attempt.TAKEN;
    }

    private Attempt unposted(WorkChain chain, DataPair pair, int count, PostStatus status) {
        if (!chain.casState(WorkChain.POSTING, WorkChain.READY)) {
            conclude(chain); // Ended for the pair's silence meanwhile.
            return Attempt.TAKEN;
        }
        if (status == PostStatus.INVALID_STATE || status == PostStatus.CLOSED) {
            breakPair(pair);
        }
        release(pair, count);
        if (status == PostStatus.INVALID_REQUEST || status == PostStatus.INLINE_TOO_LONG) {
            // The device does not know our own scratch memory: not the caller's fault, and nothing that trying again would mend.
            chain.status = WorkCompletionStatus.LOC_QP_OP_ERR;
            end(chain, Fault.REFUSED);
            return Attempt.TAKEN;
        }
        return Attempt.LATER;
    }

    private void release(DataPair pair, int count) {
        if (pair.release(count)) {
            onDrained.accept(pair);
        }
    }

    private void pump() {
        if (backlog.isEmpty() || pumping.getAndIncrement() != 0) {
            return;
        }
        int seen;
        do {
            seen = pumping.get();
            pumpAll();
        } while (!pumping.compareAndSet(seen, 0));
    }

    private void pumpAll() {
        for (DataPair pair = active.get(); pair != null; pair = active.get()) {
            WorkChain chain = backlog.poll();
            if (chain == null) {
                return;
            }
            if (post(chain, pair) == Attempt.LATER) {
                backlog.addFirst(chain);
                if (!state.isOpen()) {
                    endBacklog();
                }
                if (active.get() == pair) {
                    return;
                }
            } else {
                backlog.settled();
            }
        }
    }

    private void deliver() {
        drain();
        callbacks.run();
    }

    /// Takes what the completion queue holds. If a thread is at it, that one does it once more: nothing is left lying.
    void drain() {
        if (draining.getAndIncrement() != 0) {
            return;
        }
        int seen;
        do {
            seen = draining.get();
            while (completions.poll(completion)) {
                completeGuarded();
            }
            for (DataPair pair = silenced.poll(); pair != null; pair = silenced.poll()) {
                endSilenced(pair);
            }
        } while (!draining.compareAndSet(seen, 0));
        pump();
    }

    private void completeGuarded() {
        try {
            complete(completion);
        } catch (RuntimeException e) {
            // A defect here must not keep the completions of all others from being taken.
            LOG.log(System.Logger.Level.ERROR, "a completion could not be delivered: " + completion, e);
        }
    }

    private void complete(WorkCompletion entry) {
        long id = entry.id();
        @Nullable WorkChain[] table = chains;
        int number = WorkChain.chainOf(id);
        WorkChain chain = number < table.length ? table[number] : null;
        DataPair pair = chain == null ? null : chain.pair;
        if (chain == null || pair == null || pair.isSilent() || !WorkChain.isOf(id, pair.generation)) {
            return; // Of a pair that was closed, and whose chains were ended for it.
        }
        int position = WorkChain.positionOf(id);
        if (!entry.succeeded()) {
            chain.failed(position, entry.status(), flushes++);
            breakPair(pair);
        }
        if (position == chain.limit - 1) {
            land(chain);
        }
    }

    private void endSilenced(DataPair pair) {
        for (WorkChain chain : chains) {
            if (chain != null && chain.pair == pair) {
                land(chain);
            }
        }
    }

    /// Nothing of the chain is at the queue pair any more: whoever is the second of its poster and this goes on with it.
    private void land(WorkChain chain) {
        if (!chain.casState(WorkChain.POSTING, WorkChain.LANDED) && chain.casState(WorkChain.POSTED, WorkChain.LANDED)) {
            conclude(chain);
        }
    }

    /// The last of the chain's posted requests has completed, and its poster has come back. Posts nothing: this may be inside [#drain].
    private void conclude(WorkChain chain) {
        DataPair pair = chain.pair;
        if (pair == null) {
            throw new IllegalStateException("a chain that was never posted has completed");
        }
        int count = chain.limit - chain.from;
        if (pair.isSilent()) {
            chain.unanswered();
        }
        if (chain.errorAt < 0) {
            chain.from = chain.limit;
            release(pair, count);
            if (chain.from == chain.size()) {
                end(chain, Fault.NONE);
            } else {
                chain.setState(WorkChain.READY);
                postLater(chain);
            }
            return;
        }
        chain.from = chain.errorAt;
        chain.status = chain.errorStatus;
        Fault fault = verdict(chain);
        if (fault == Fault.NONE) {
            chain.setState(WorkChain.READY);
            pair.flushed.add(chain);
        } else {
            end(chain, fault);
        }
        // Last: it lets recovery begin, which takes what was flushed.
        release(pair, count);
    }

    /// What an error means for the chain; NONE: what is left of it is posted again.
    private Fault verdict(WorkChain chain) {
        if (chain.isRefused()) {
            return Fault.REFUSED;
        }
        if (chain.isAtomicInDoubt()) {
            return Fault.IN_DOUBT;
        }
        return chain.givenUp ? Fault.UNREACHABLE : Fault.NONE;
    }

    /// Ends a chain that nothing is on the way of.
    void end(WorkChain chain, Fault fault) {
        chain.fault = fault;
        Runnable onEnd = chain.onEnd;
        chain.setState(WorkChain.ENDED);
        if (onEnd != null) {
            callbacks.add(onEnd);
            return;
        }
        Thread waiter = chain.waiter;
        if (waiter != null) {
            LockSupport.unpark(waiter);
        }
        if (chain.abandoned && chain.casState(WorkChain.ENDED, WorkChain.READY)) {
            Runnable reclaim = chain.reclaim;
            if (reclaim != null) {
                reclaim.run();
            }
        }
    }
}
