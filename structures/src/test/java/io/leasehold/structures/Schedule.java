package io.leasehold.structures;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;

/// Decides who runs at each step of a simulation: with a seed, one thread at a time, chosen anew before every verb, so that a run
/// can be
/// repeated; or freely, as the machine likes.
final class Schedule {
    /// Thrown in a client that is to die; catch it at the top of the client's thread only.
    static final class Killed extends Error {
        private static final long serialVersionUID = 1;

        Killed() {
            super("killed by the schedule", null, false, false);
        }
    }

    /// Called before each verb of each client, after the schedule chose the client: may run other clients' operations, or throw
    /// [Killed].
    interface Hook {
        void before(SimulatedMemory client, String verb, long address);
    }

    private final boolean controlled;
    private final Random random;
    private final long seed;
    private final AtomicLong nanos = new AtomicLong(1);
    private final List<Turn> turns = new ArrayList<>();
    private final ThreadLocal<Turn> mine = new ThreadLocal<>();
    private long steps;

    private static final class Turn {
        final Semaphore go = new Semaphore(0);
    }

    private Schedule(boolean controlled, long seed) {
        this.controlled = controlled;
        this.seed = seed;
        random = new Random(seed);
    }

    /// All threads run as they like; steps only move the clock.
    static Schedule free() {
        return new Schedule(false, 0);
    }

    /// One thread runs at a time, chosen from `seed`.
    static Schedule seeded(long seed) {
        return new Schedule(true, seed);
    }

    long seed() {
        return seed;
    }

    /// Virtual time.
    long nanos() {
        return nanos.get();
    }

    synchronized long nextLong() {
        return random.nextLong();
    }

    synchronized int nextInt(int bound) {
        return random.nextInt(bound);
    }

    /// Runs `bodies` to their ends, each in a thread of its own, and throws the first failure with the seed. [Killed] is no
    /// failure.
    void run(List<Runnable> bodies) throws InterruptedException {
        AtomicReference<Throwable> failure = new AtomicReference<>();
        List<Thread> threads = new ArrayList<>();
        List<Turn> own = new ArrayList<>();
        for (Runnable body : bodies) {
            Turn turn = new Turn();
            own.add(turn);
            threads.add(Thread.ofPlatform().daemon().unstarted(() -> body(body, turn, failure)));
        }
        turns.addAll(own);
        threads.forEach(Thread::start);
        if (controlled) {
            pick().go.release();
        }
        for (Thread thread : threads) {
            thread.join(120_000);
            if (thread.isAlive()) {
                AssertionError stuck = new AssertionError("a client did not end within 120 s; seed " + seed);
                stuck.setStackTrace(thread.getStackTrace());
                throw stuck;
            }
        }
        Throwable first = failure.get();
        if (first != null) {
            throw new AssertionError("seed " + seed + ": " + first, first);
        }
    }

    private void body(Runnable body, Turn turn, AtomicReference<Throwable> failure) {
        mine.set(turn);
        try {
            if (controlled) {
                turn.go.acquire();
            }
            body.run();
        } catch (Killed expected) {
            // The client is dead; its leases end when the test says so.
        } catch (Throwable e) {
            failure.compareAndSet(null, e);
        } finally {
            leave(turn);
        }
    }

    private void leave(Turn turn) {
        synchronized (this) {
            turns.remove(turn);
            if (!controlled || turns.isEmpty()) {
                return;
            }
        }
        pick().go.release();
    }

    private synchronized Turn pick() {
        return turns.get(random.nextInt(turns.size()));
    }

    /// Lets time pass and maybe others run.
    void step(long passedNanos) {
        nanos.addAndGet(passedNanos);
        Turn turn = mine.get();
        if (turn == null || !controlled) {
            return;
        }
        if (++steps > 50_000_000L) {
            throw new AssertionError("50 million steps: a livelock? seed " + seed);
        }
        Turn chosen = pick();
        if (chosen != turn) {
            chosen.go.release();
            turn.go.acquireUninterruptibly();
        }
    }
}
