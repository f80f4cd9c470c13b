package io.leasehold.benchmarks;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

/// A Redis server that keeps nothing on disk.
final class RedisServer implements Server {
    private final NativeServer server;
    private final Path socket;

    private RedisServer(NativeServer server, Path socket) {
        this.server = server;
        this.socket = socket;
    }

    static RedisServer start(Host host) throws IOException {
        Path socket = host.directory().resolve("redis.sock");
        return new RedisServer(NativeServer.start("redis-server", host, port -> List.of("--port", Integer.toString(port),
                "--bind", NativeServer.LOOPBACK, "--unixsocket", socket.toString(), "--dir", host.directory().toString(),
                "--save", "", "--appendonly", "no", "--daemonize", "no", "--loglevel", "warning")), socket);
    }

    Connector jedis() {
        return new JedisConnector(NativeServer.LOOPBACK, server.port());
    }

    Connector lettuce() {
        return new LettuceConnector("redis://" + NativeServer.LOOPBACK + ":" + server.port());
    }

    Connector lettuceOverUnixSocket() {
        return new LettuceConnector("redis-socket://" + socket);
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
