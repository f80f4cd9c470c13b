package io.leasehold.benchmarks;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.locks.LockSupport;
import java.util.function.IntFunction;
import java.util.stream.Stream;

/// A server of the distribution's packages, on a free port of the loopback address.
final class NativeServer implements AutoCloseable {
    static final String LOOPBACK = "127.0.0.1";
    private static final long START_NANOS_MAX = 20_000_000_000L;
    private static final long PAUSE_NANOS = 10_000_000;
    /// Where servers are that only root's PATH has.
    private static final List<String> MORE_PATH = List.of("/usr/sbin", "/usr/local/sbin");

    private final Child child;
    private final String command;
    private final int port;

    private NativeServer(Child child, String command, int port) {
        this.child = child;
        this.command = command;
        this.port = port;
    }

    /// Where a program is, if it is installed.
    static Optional<Path> find(String program) {
        return Stream.concat(Stream.of(System.getenv().getOrDefault("PATH", "").split(":")), MORE_PATH.stream())
                .map(directory -> Path.of(directory, program)).filter(Files::isExecutable).findFirst();
    }

    /// Starts one and waits until it takes connections.
    ///
    /// @param arguments for a port
    /// @throws IOException with what it complained about, if it does not start
    static NativeServer start(String program, Host host, IntFunction<List<String>> arguments) throws IOException {
        Path path = find(program).orElseThrow(() -> new IOException(program + " is not installed"));
        int port;
        try (ServerSocket free = new ServerSocket(0, 1, InetAddress.getByName(LOOPBACK))) {
            port = free.getLocalPort();
        }
        List<String> command = new ArrayList<>(List.of(path.toString()));
        command.addAll(arguments.apply(port));
        Child child = Child.program(program, host, command);
        long start = System.nanoTime();
        while (!accepts(port)) {
            if (System.nanoTime() - start > START_NANOS_MAX) {
                String complaint = child.complaint();
                child.close();
                throw new IOException(program + " does not listen at port " + port + "; " + complaint);
            }
            LockSupport.parkNanos(PAUSE_NANOS);
        }
        return new NativeServer(child, String.join(" ", command), port);
    }

    private static boolean accepts(int port) {
        try (Socket socket = new Socket()) {
            socket.connect(new InetSocketAddress(LOOPBACK, port), 1000);
            return true;
        } catch (IOException e) {
            return false;
        }
    }

    int port() {
        return port;
    }

    /// How it was started.
    String settings() {
        return command;
    }

    @Override
    public void close() {
        child.close();
    }
}
