package io.leasehold.benchmarks;

import java.io.PrintStream;
import java.time.Duration;

/// Tells on a terminal in one line, elsewhere every ten seconds, what is going on and how long it will take.
final class Progress {
    private static final long QUIET_NANOS = 10_000_000_000L;
    private static final int COLUMNS = 110;

    private final PrintStream out;
    private final boolean isTerminal;
    private int steps;
    private int taken;
    private long stepNanos;
    private long lastNanos;

    Progress(PrintStream out) {
        this.out = out;
        isTerminal = System.console() != null && System.console().isTerminal();
    }

    /// Something that takes its time and cannot be divided.
    void say(String what) {
        clear();
        out.println(what);
    }

    void begin(int count, long nanosEach) {
        steps = count;
        taken = 0;
        stepNanos = nanosEach;
        lastNanos = System.nanoTime();
        say("%d turns of %,d ms".formatted(count, nanosEach / 1_000_000));
    }

    void step(String what) {
        long left = Duration.ofNanos((steps - taken) * stepNanos).toSeconds();
        String line = "[%3d %%, %d:%02d left] %s".formatted(100L * taken / steps, left / 60, left % 60, what);
        taken++;
        if (isTerminal) {
            out.print("\r" + fit(line));
            out.flush();
        } else if (System.nanoTime() - lastNanos >= QUIET_NANOS) {
            lastNanos = System.nanoTime();
            out.println(line);
        }
    }

    void end() {
        clear();
    }

    private void clear() {
        if (isTerminal && steps > 0) {
            out.print("\r" + fit("") + "\r");
            out.flush();
        }
    }

    private static String fit(String line) {
        return line.length() > COLUMNS ? line.substring(0, COLUMNS) : line + " ".repeat(COLUMNS - line.length());
    }
}
