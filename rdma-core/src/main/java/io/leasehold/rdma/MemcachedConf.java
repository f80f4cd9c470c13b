package io.leasehold.rdma;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/// Where the memcached of a cluster is.
///
/// In a file: the host name or address on the first line, the port on the second. Blank lines, and lines that begin with `#`, are
/// for people.
///
/// @param host host name or IP address
/// @param port TCP port
public record MemcachedConf(String host, int port) {
    /// Checks the parts.
    public MemcachedConf {
        if (host.isEmpty() || host.chars().anyMatch(c -> c <= ' ')) {
            throw new IllegalArgumentException("host '" + host + "' is empty or has a blank");
        }
        if (port < 1 || port > 65_535) {
            throw new IllegalArgumentException("port " + port + " is outside 1 to 65535");
        }
    }

    /// Reads a file.
    ///
    /// @throws IllegalArgumentException if the file is malformed; the message names the file, the line and the remedy
    /// @throws UncheckedIOException if the file cannot be read
    public static MemcachedConf read(Path file) {
        List<String> lines;
        try {
            lines = Files.readAllLines(file);
        } catch (IOException e) {
            throw new UncheckedIOException(file + " cannot be read; it should hold the host of a memcached on the first line and"
                    + " its port on the second", e);
        }
        // Line numbers of the lines that count.
        List<Integer> numbers = new ArrayList<>();
        for (int i = 0; i < lines.size(); i++) {
            String line = lines.get(i).strip();
            if (!line.isEmpty() && !line.startsWith("#")) {
                numbers.add(i + 1);
            }
        }
        if (numbers.isEmpty()) {
            throw malformed(file, lines.size() + 1, "there is no host; add the host name or address of a memcached");
        }
        if (numbers.size() == 1) {
            throw malformed(file, lines.size() + 1, "there is no port; add a line with the port of the memcached, as 11211");
        }
        if (numbers.size() > 2) {
            throw malformed(file, numbers.get(2), "there is more than a host and a port; remove the line or begin it with #");
        }
        String host = lines.get(numbers.get(0) - 1).strip();
        if (host.chars().anyMatch(c -> c <= ' ')) {
            throw malformed(file, numbers.get(0), "'" + host + "' has a blank; put the host alone on the line");
        }
        return new MemcachedConf(host, port(file, numbers.get(1), lines.get(numbers.get(1) - 1).strip()));
    }

    private static int port(Path file, int line, String text) {
        int port;
        try {
            port = Integer.parseInt(text);
        } catch (NumberFormatException e) {
            port = -1;
        }
        if (port < 1 || port > 65_535) {
            throw malformed(file, line, "'" + text + "' is no port; expected a number from 1 to 65535, as 11211");
        }
        return port;
    }

    private static IllegalArgumentException malformed(Path file, int line, String what) {
        return new IllegalArgumentException(file + ", line " + line + ": " + what);
    }

    @Override
    public String toString() {
        return (host.indexOf(':') >= 0 ? '[' + host + ']' : host) + ':' + port;
    }
}
