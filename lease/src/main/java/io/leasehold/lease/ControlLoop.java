package io.leasehold.lease;

import com.google.common.util.concurrent.Uninterruptibles;
import java.lang.System.Logger.Level;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.LongSupplier;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/// The control thread of a node: the only one that touches its state. It takes turns as long as there is something to do, and
/// parks otherwise, until the next deadline or until it is woken.
final class ControlLoop {
    /// What the thread does.
    interface Turns {
        /// Does what there is to do, a bounded part of it.
        ///
        /// @return whether there may be more
        boolean turn();

        /// When there is something to do without anybody's asking; [Long#MAX_VALUE] for never.
        long nextNanos();

        /// The last turn, after which the thread ends.
        ///
        /// @param failure what has ended it, if it was not asked to end
        void end(@Nullable Throwable failure);
    }

    // Waking from a park takes about so long: a nearer deadline is met by spinning.
    private static final long SPIN_NANOS = 60_000;
    private static final int SPINS_MAX = 4_000;
    private static final long PARK_MIN_NANOS = 20_000;
    private static final long PARK_MAX_NANOS = 1_000_000_000;
    private static final long PARK_SPUN_NANOS = 5_000_000;
    private static final int TASKS_MAX = 64;

    private static final System.Logger LOG = System.getLogger(ControlLoop.class.getName());

    private final LongSupplier clock;
    private final Turns turns;
    private final Thread thread;
    private final ConcurrentLinkedQueue<Runnable> tasks = new ConcurrentLinkedQueue<>();
    private volatile boolean woken;
    private volatile boolean parked;
    private volatile boolean stopping;
    private volatile boolean ended;
    private final CompletableFuture<Void> end = new CompletableFuture<>();

    ControlLoop(String name, LongSupplier clock, Turns turns) {
        this.clock = clock;
        this.turns = turns;
        thread = Thread.ofPlatform().name(name).daemon().unstarted(this::run);
    }

    void start() {
        thread.start();
    }

    /// Has the thread look around soon. Cheap, and callable from anywhere.
    void wake() {
        woken = true;
        if (parked) {
            LockSupport.unpark(thread);
        }
    }

    /// Has `task` run on the control thread.
    void tell(Runnable task) {
        if (!ended) {
            tasks.add(task);
            wake();
        }
    }

    /// Has `question` run on the control thread; if it fails, so does the thread, for what it was about is half done.
    ///
    /// @return its answer; fails with a [RejectedExecutionException] when the thread has ended
    <T> CompletableFuture<T> ask(Supplier<T> question) {
        CompletableFuture<T> answer = new CompletableFuture<>();
        tell(() -> {
            try {
                answer.complete(question.get());
            } catch (RuntimeException | Error e) {
                answer.completeExceptionally(e);
                throw e;
            }
        });
        // The task was added before this look, and the thread takes the last tasks after it has set the flag: none is forgotten.
        if (ended) {
            answer.completeExceptionally(new RejectedExecutionException("the node is closed"));
        }
        return answer;
    }

    /// Completed when the thread has ended; exceptionally, if it failed.
    CompletableFuture<Void> whenEnded() {
        return end.copy();
    }

    /// Ends the thread after a last turn.
    ///
    /// @return whether it has ended within `timeoutMillis`
    boolean stop(long timeoutMillis) {
        stopping = true;
        wake();
        if (Thread.currentThread() != thread) {
            // Whoever is interrupted waits as well: the device must not be closed under the thread.
            Uninterruptibles.joinUninterruptibly(thread, timeoutMillis, TimeUnit.MILLISECONDS);
        }
        return Thread.currentThread() == thread ? ended : !thread.isAlive();
    }

    private void run() {
        Throwable failure = null;
        try {
            while (!stopping) {
                // First, so that what comes during the turn is not forgotten.
                woken = false;
                boolean more = runTasks();
                more |= turns.turn();
                if (!more) {
                    rest();
                }
            }
        } catch (RuntimeException | Error e) {
            LOG.log(Level.ERROR, "the control thread of a memory node failed; the node ends", e);
            failure = e;
        }
        try {
            turns.end(failure);
        } catch (RuntimeException | Error e) {
            LOG.log(Level.ERROR, "a memory node failed while it ended", e);
            failure = failure == null ? e : failure;
        }
        ended = true;
        refuseTasks();
        if (failure == null) {
            end.complete(null);
        } else {
            end.completeExceptionally(failure);
        }
    }

    /// Lets those who wait for an answer know that the thread has ended.
    private void refuseTasks() {
        boolean more = true;
        while (more) {
            try {
                more = runTasks();
            } catch (RuntimeException | Error e) {
                LOG.log(Level.DEBUG, "a task failed after the end of the control thread", e);
            }
        }
    }

    private boolean runTasks() {
        for (int i = 0; i < TASKS_MAX; i++) {
            Runnable task = tasks.poll();
            if (task == null) {
                return false;
            }
            task.run();
        }
        return true;
    }

    /// Waits for the next deadline, or for a wake-up.
    private void rest() {
        long next = turns.nextNanos();
        long left = next == Long.MAX_VALUE ? PARK_MAX_NANOS : next - clock.getAsLong();
        int spins = 0;
        while (left > 0 && left < SPIN_NANOS && spins < SPINS_MAX) {
            if (woken) {
                return;
            }
            Thread.onSpinWait();
            left = next - clock.getAsLong();
            spins++;
        }
        if (left > 0) {
            // Whoever wakes first sets the one flag, then looks at the other; so does this. One of the two sees it.
            parked = true;
            if (!woken && !stopping) {
                // Spun in vain: the clock is a test's, which stands still until somebody moves it and wakes us.
                long nanos = spins == SPINS_MAX ? PARK_SPUN_NANOS : Math.clamp(left - SPIN_NANOS, PARK_MIN_NANOS, PARK_MAX_NANOS);
                LockSupport.parkNanos(this, nanos);
            }
            parked = false;
        }
    }
}
