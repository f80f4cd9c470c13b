package io.leasehold.benchmarks;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// A server written in Java in a process of its own; see [ServerMain].
final class JavaServer implements AutoCloseable {
    private final Child child;
    private final String address;

    private JavaServer(Child child, String address) {
        this.child = child;
        this.address = address;
    }

    /// Starts one and waits until it can be reached.
    ///
    /// @throws IOException with what it complained about, if it does not start
    static JavaServer start(String name, Host host, List<String> options, List<String> arguments) throws IOException {
        Child child = Child.java(name, host, options, ServerMain.class, arguments);
        BufferedReader output = new BufferedReader(new InputStreamReader(child.output(), StandardCharsets.UTF_8));
        @Nullable String address = output.readLine();
        if (address == null) {
            child.close();
            throw new IOException(child.complaint());
        }
        return new JavaServer(child, address);
    }

    /// Where clients reach it.
    String address() {
        return address;
    }

    @Override
    public void close() {
        child.close();
    }
}
