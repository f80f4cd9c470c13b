package io.leasehold.examples;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/// A JVM that runs a main class of this program; it stops when [#stop] closes its standard input, see [Lifeline].
final class ChildProcess implements AutoCloseable {
    private static final Duration STOP_PATIENCE = Duration.ofSeconds(10);
    /// Exit codes above this one stand for a signal.
    private static final int SIGNALS = 128;

    private final String name;
    private final Process process;
    private final BlockingQueue<String> firstLine = new ArrayBlockingQueue<>(1);

    private ChildProcess(String name, Process process) {
        this.name = name;
        this.process = process;
    }

    /// Starts `java MAINCLASS ARGUMENTS` with the class path of this process; its errors appear among ours.
    static ChildProcess start(String name, String mainClass, List<String> arguments) throws IOException {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        // In its few seconds it would spend more on optimizing code than it gains.
        command.addAll(List.of("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "--enable-native-access=ALL-UNNAMED"));
        command.addAll(List.of("-cp", System.getProperty("java.class.path"), mainClass));
        command.addAll(arguments);
        Process process = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start();
        ChildProcess child = new ChildProcess(name, process);
        Thread.ofPlatform().daemon().name(name + " output").start(child::readOutput);
        return child;
    }

    private void readOutput() {
        try (BufferedReader output = process.inputReader()) {
            for (String line = output.readLine(); line != null; line = output.readLine()) {
                if (!firstLine.offer(line)) {
                    System.out.println(name + ": " + line);
                }
            }
        } catch (IOException | UncheckedIOException e) {
            // The process is gone; what it wanted to say is lost with it.
        }
    }

    /// The first line that the process printed.
    ///
    /// @throws IllegalStateException if there is none within `patience`
    String awaitFirstLine(Duration patience) throws InterruptedException {
        long deadline = System.nanoTime() + patience.toNanos();
        while (true) {
            @Nullable String line = firstLine.poll(50, TimeUnit.MILLISECONDS);
            if (line != null) {
                return line;
            }
            if (!process.isAlive() && firstLine.isEmpty()) {
                throw new IllegalStateException(describe() + " before it printed anything");
            }
            if (System.nanoTime() > deadline) {
                throw new IllegalStateException(name + " printed nothing for " + patience.toSeconds() + " s");
            }
        }
    }

    String name() {
        return name;
    }

    long pid() {
        return process.pid();
    }

    boolean isAlive() {
        return process.isAlive();
    }

    /// Whether it has ended and all was well.
    boolean hasSucceeded() {
        return !process.isAlive() && process.exitValue() == 0;
    }

    /// Whether a signal ended it.
    boolean wasKilled() {
        return !process.isAlive() && process.exitValue() > SIGNALS;
    }

    /// Ends it with SIGKILL, as a crash would.
    void kill() {
        process.destroyForcibly();
    }

    /// Asks it to stop and waits until it has.
    ///
    /// @throws IllegalStateException if it has not ended well within 10 s
    void stop() throws InterruptedException {
        closeInput();
        if (!process.waitFor(STOP_PATIENCE.toMillis(), TimeUnit.MILLISECONDS)) {
            throw new IllegalStateException(name + " did not stop within " + STOP_PATIENCE.toSeconds() + " s");
        }
        if (process.exitValue() != 0) {
            throw new IllegalStateException(describe());
        }
    }

    /// What it is doing now, for messages.
    String describe() {
        if (process.isAlive()) {
            return name + " (process " + pid() + ") is running";
        }
        int exit = process.exitValue();
        return name + " (process " + pid() + ") "
                + (exit > SIGNALS ? "was killed by signal " + (exit - SIGNALS) : "ended with exit code " + exit);
    }

    /// Kills it if it still runs.
    @Override
    public void close() {
        closeInput();
        process.destroyForcibly();
    }

    private void closeInput() {
        try {
            process.outputWriter().close();
        } catch (IOException e) {
            // It is gone already.
        }
    }
}
