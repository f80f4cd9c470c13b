package io.leasehold.benchmarks;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/// A process that lives no longer than this one, however this one ends: it stops when its standard input does, and that ends
/// with us.
final class Child implements AutoCloseable {
    private static final int STOP_SECONDS = 10;
    private static final int LOG_CHARACTERS = 2000;

    /// Keeps a program that knows nothing of us: stops it when standard input ends. An interrupt from the keyboard goes to us
    /// as well, and we end it in order.
    private static final String KEEPER = """
            trap '' INT
            "$@" </dev/null &
            program=$!
            cat >/dev/null
            kill "$program" 2>/dev/null
            wait "$program"
            """;

    private final String name;
    private final Process process;
    private final Path log;

    private Child(String name, Process process, Path log) {
        this.name = name;
        this.process = process;
        this.log = log;
    }

    /// Starts a main class of this program, which has to watch its standard input.
    static Child java(String name, Host host, List<String> options, Class<?> main, List<String> arguments) throws IOException {
        List<String> command = new ArrayList<>(host.placed(Path.of(System.getProperty("java.home"), "bin", "java").toString()));
        command.addAll(options);
        command.addAll(List.of("--enable-native-access=ALL-UNNAMED", "-cp", System.getProperty("java.class.path"), main.getName()));
        command.addAll(arguments);
        return start(name, command, host);
    }

    /// Starts any other program.
    static Child program(String name, Host host, List<String> program) throws IOException {
        List<String> command = new ArrayList<>(List.of("sh", "-c", KEEPER, "keeper"));
        command.addAll(host.placed(program.getFirst()));
        command.addAll(program.subList(1, program.size()));
        return start(name, command, host);
    }

    private static Child start(String name, List<String> command, Host host) throws IOException {
        Path log = host.directory().resolve(name + ".log");
        return new Child(name, new ProcessBuilder(command).redirectError(log.toFile()).start(), log);
    }

    /// Waits for the first byte that it prints.
    ///
    /// @throws IOException with what it complained about, if it ends before
    void awaitOutput() throws IOException {
        if (output().read() < 0) {
            throw new IOException(complaint());
        }
    }

    String name() {
        return name;
    }

    /// What it prints.
    InputStream output() {
        return process.getInputStream();
    }

    /// What it reads.
    OutputStream input() {
        return process.getOutputStream();
    }

    boolean isAlive() {
        return process.isAlive();
    }

    /// What it was the last to complain about, for messages.
    String complaint() {
        try {
            String all = Files.readString(log);
            return name + (process.isAlive() ? " is running" : " ended with exit code " + process.exitValue())
                    + "; the end of its log: " + all.substring(Math.max(0, all.length() - LOG_CHARACTERS));
        } catch (IOException e) {
            return name + " has left no log";
        }
    }

    /// Stops it: closes its standard input, and kills it if that does not help.
    @Override
    public void close() {
        try {
            process.getOutputStream().close();
        } catch (IOException e) {
            // It is gone already.
        }
        boolean stopped = false;
        try {
            stopped = process.waitFor(STOP_SECONDS, TimeUnit.SECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        if (!stopped) {
            process.descendants().forEach(ProcessHandle::destroyForcibly);
            process.destroyForcibly();
        }
    }
}
