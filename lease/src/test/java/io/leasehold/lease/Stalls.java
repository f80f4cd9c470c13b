package io.leasehold.lease;

import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.concurrent.locks.LockSupport;

/// How long threads of this JVM were kept from running: a thread that always asks for a short park, and writes down by how much
/// longer it took.
///
/// A promise in real time holds as far as the operating system lets the node's thread run. A test of it allows a fixed time for
/// what the library does, and on top what was measured here meanwhile, so that a machine with other work to do neither fails it
/// nor makes it blind.
final class Stalls implements AutoCloseable {
    private static final long PARK_NANOS = 1_000_000;
    /// A park takes so much longer on an idle machine.
    private static final long USUAL_NANOS = 1_000_000;
    private static final int REMEMBERED = 4096;

    private record Stall(long untilNanos, long nanos) {
    }

    private final Deque<Stall> stalls = new ArrayDeque<>();
    private final Thread thread = Thread.ofPlatform().daemon().name("stalls").unstarted(this::measure);
    private volatile boolean closed;

    Stalls() {
        thread.start();
    }

    private void measure() {
        long before = System.nanoTime();
        while (!closed) {
            LockSupport.parkNanos(PARK_NANOS);
            long now = System.nanoTime();
            long late = now - before - PARK_NANOS;
            if (late > USUAL_NANOS) {
                remember(new Stall(now, late));
            }
            before = now;
        }
    }

    private synchronized void remember(Stall stall) {
        if (stalls.size() == REMEMBERED) {
            stalls.removeFirst();
        }
        stalls.addLast(stall);
    }

    /// How long it did not run since `startNanos` of [System#nanoTime], in all.
    synchronized Duration since(long startNanos) {
        return Duration.ofNanos(stalls.stream().filter(stall -> stall.untilNanos - startNanos > 0).mapToLong(Stall::nanos).sum());
    }

    @Override
    public void close() {
        closed = true;
    }
}
