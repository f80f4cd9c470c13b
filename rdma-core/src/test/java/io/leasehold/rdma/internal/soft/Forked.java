package io.leasehold.rdma.internal.soft;

import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/// Another JVM that runs one class of the tests; it ends with this object, and by itself when its standard input does.
///
/// @param process the JVM
/// @param output what it says
record Forked(Process process, BufferedReader output) implements AutoCloseable {
    /// Starts it.
    static Forked run(Class<?> main, String... arguments) throws IOException {
        String classPath = System.getProperty("surefire.test.class.path", System.getProperty("java.class.path"));
        List<String> command = new ArrayList<>(List.of(
                System.getProperty("java.home") + File.separator + "bin" + File.separator + "java", "-Xmx256m",
                "--enable-native-access=ALL-UNNAMED", "-cp", classPath, main.getName()));
        command.addAll(List.of(arguments));
        Process process = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start();
        return new Forked(process, process.inputReader(StandardCharsets.UTF_8));
    }

    /// The next line that it says, in words.
    String[] words() throws IOException {
        String line = output.readLine();
        if (line == null) {
            throw new IOException("process " + process.pid() + " ended");
        }
        return line.split(" ");
    }

    /// In the other JVM: waits until whoever started it ends or lets go.
    static void awaitRelease() throws IOException {
        try (var input = new InputStreamReader(System.in, StandardCharsets.UTF_8)) {
            while (input.read() >= 0) {
                // Nobody writes.
            }
        }
    }

    /// Kills it, as `kill -9` does, and waits until it is gone.
    void kill() {
        process.destroyForcibly();
        try {
            process.waitFor();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    @Override
    public void close() {
        kill();
    }
}
