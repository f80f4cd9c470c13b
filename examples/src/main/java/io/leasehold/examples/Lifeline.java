package io.leasehold.examples;

import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/// Ties this process to its parent: the parent holds the other end of our standard input, and it closes when the parent wants
/// us to stop and also when the parent dies, however it dies.
final class Lifeline {
    /// How long the process may take to stop by itself.
    private static final Duration GRACE = Duration.ofSeconds(5);

    private final CountDownLatch cut = new CountDownLatch(1);

    private Lifeline() {
    }

    /// Watches standard input from now on; what it says is ignored.
    static Lifeline ofStandardInput() {
        Lifeline lifeline = new Lifeline();
        Thread.ofPlatform().daemon().name("lifeline").start(lifeline::watch);
        return lifeline;
    }

    /// Whether the process should stop.
    boolean isCut() {
        return cut.getCount() == 0;
    }

    private void watch() {
        try {
            while (System.in.read() >= 0) {
                // Nothing is expected.
            }
        } catch (IOException e) {
            // As good as the end.
        }
        cut.countDown();
        try {
            TimeUnit.NANOSECONDS.sleep(GRACE.toNanos());
        } catch (InterruptedException e) {
            // Nobody interrupts this thread; stop at once if somebody does.
        }
        System.err.println("leasehold: still running " + GRACE.toSeconds() + " s after standard input was closed; stopping now");
        Runtime.getRuntime().halt(1);
    }
}
