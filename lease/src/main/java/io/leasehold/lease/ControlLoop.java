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
        void end();
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

    /// Has `question` run on the control thread.
    ///
    /// @return its answer; fails with a [RejectedExecutionException] when the thread has ended
    <T> CompletableFuture<T> ask(Supplier<T> question) {
        CompletableFuture<T> answer = new CompletableFuture<>();
        tell(() -> {
            try {
                answer.complete(question.get());
            } catch (RuntimeException e) {
                answer.completeExceptionally(e);
            }
        });
        // The task was added before this look, and the thread takes the last tasks after it has set the flag: none is forgotten.
        if (ended) {
            answer.completeExceptionally(new RejectedExecutionException("the node is closed"));
        }
        return answer;
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
        return !thread.isAlive();
    }

    private void run() {
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
        }
        try {
            turns.end();
        } catch (RuntimeException | Error e) {
            LOG.log(Level.ERROR, "a memory node failed while it ended", e);
        }
        ended = true;
        while (runTasks()) {
            // Until none is left.
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
