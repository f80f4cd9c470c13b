package io.leasehold.benchmarks;

import io.leasehold.rdma.Link;
import java.io.IOException;
import java.util.List;

/// A memory node in a process of its own, with all links.
final class NodeServer implements Server {
    private final JavaServer server;
    private final long megabytes;

    private NodeServer(JavaServer server, long megabytes) {
        this.server = server;
        this.megabytes = megabytes;
    }

    static NodeServer start(Host host, long megabytes) throws IOException {
        List<String> options = List.of("-Xmx512m", "-XX:MaxDirectMemorySize=" + (megabytes + 256) + "m");
        return new NodeServer(JavaServer.start("node", host, options, List.of("node", Long.toString(megabytes))), megabytes);
    }

    String address() {
        return server.address();
    }

    /// How clients reach it.
    LeaseholdConnector connector(Link link, io.leasehold.structures.Protection protection, int cacheEntries) {
        return new LeaseholdConnector(address(), link, protection, cacheEntries);
    }

    @Override
    public String settings() {
        return "memory node of " + megabytes + " MiB, provider soft";
    }

    @Override
    public void close() {
        server.close();
    }
}
