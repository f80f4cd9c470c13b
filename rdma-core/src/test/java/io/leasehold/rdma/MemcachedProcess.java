package io.leasehold.rdma;

import java.io.File;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/// A memcached of a test, at a free port of the loopback address.
final class MemcachedProcess implements AutoCloseable {
    private static final Duration START_MAX = Duration.ofSeconds(10);

    private final int port;
    private Process process;

    private MemcachedProcess(int port) throws IOException {
        this.port = port;
        process = launch(port);
    }

    static MemcachedProcess start() throws IOException {
        int port;
        try (ServerSocket free = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            port = free.getLocalPort();
        }
        return new MemcachedProcess(port);
    }

    MemcachedConf conf() {
        return new MemcachedConf("127.0.0.1", port);
    }

    /// As `kill -9` does.
    void kill() {
        process.destroyForcibly();
        try {
            if (!process.waitFor(10, TimeUnit.SECONDS)) {
                throw new AssertionError("memcached outlived SIGKILL by 10 s");
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new AssertionError("interrupted while memcached died", e);
        }
    }

    /// Starts it again, empty, at the same port.
    void restart() throws IOException {
        kill();
        process = launch(port);
    }

    private static Process launch(int port) throws IOException {
        List<String> command = new ArrayList<>(
                List.of(binary().toString(), "-l", "127.0.0.1", "-p", Integer.toString(port), "-U", "0", "-m", "16"));
        if ("root".equals(System.getProperty("user.name"))) {
            command.addAll(List.of("-u", "root"));
        }
        Process process = new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(ProcessBuilder.Redirect.DISCARD)
                .start();
        Deadline deadline = Deadline.after(START_MAX);
        while (true) {
            try {
                Rendezvous.memcached(new MemcachedConf("127.0.0.1", port), "is it up", Duration.ofSeconds(1)).close();
                return process;
            } catch (RendezvousException e) {
                if (deadline.passed() || !process.isAlive()) {
                    process.destroyForcibly();
                    throw new AssertionError("'" + String.join(" ", command) + "' did not come up within " + START_MAX, e);
                }
                deadline.pause(Duration.ofMillis(10));
            }
        }
    }

    private static Path binary() {
        String path = System.getenv().getOrDefault("PATH", "") + File.pathSeparator + "/usr/bin:/usr/sbin:/usr/local/bin";
        return Stream.of(path.split(File.pathSeparator)).filter(directory -> !directory.isEmpty())
                .map(directory -> Path.of(directory, "memcached")).filter(Files::isExecutable).findFirst()
                .orElseThrow(() -> new AssertionError(
                        "these tests need a memcached, and there is none on PATH: run them by bin/test, which installs it"));
    }

    @Override
    public void close() {
        kill();
    }
}
