package io.leasehold.benchmarks;

import java.io.IOException;
import java.util.List;

/// A memcached server.
final class MemcachedServer implements Server {
    private final NativeServer server;

    private MemcachedServer(NativeServer server) {
        this.server = server;
    }

    static MemcachedServer start(Host host, long megabytes) throws IOException {
        return new MemcachedServer(NativeServer.start("memcached", host, port -> List.of("-l", NativeServer.LOOPBACK, "-p",
                Integer.toString(port), "-m", Long.toString(megabytes), "-u", System.getProperty("user.name"))));
    }

    Connector spymemcached() {
        return new SpymemcachedConnector(NativeServer.LOOPBACK, server.port());
    }

    @Override
    public String settings() {
        return server.settings();
    }

    @Override
    public void close() {
        server.close();
    }
}
