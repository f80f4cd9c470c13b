package io.leasehold.benchmarks;

import java.io.IOException;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// What users would pick instead: a server and a client library.
enum Peer {
    REDIS_JEDIS("redis jedis", "redis-server", true,
            "a connection for each thread, pipelines of 64; lists by LPUSH, BRPOP, RPOP count. It has no Unix sockets of its own"),
    REDIS_LETTUCE("redis lettuce", "redis-server", true,
            "a connection for each thread, 64 commands to a flush; lists by LPUSH, BRPOP, RPOP count"),
    REDIS_LETTUCE_UNIX("redis lettuce unix", "redis-server", true, "as over TCP, by the native transport (epoll)"),
    MEMCACHED("memcached spymemcached", "memcached", false, "one connection, text protocol, futures; it joins reads that wait together"),
    HAZELCAST("hazelcast", "", true, "one client, get and set, Pipelining of 64, addAll and drainTo; no near cache"),
    INFINISPAN("infinispan", "", false, "Hot Rod, one client with a pool, futures; bytes as they are, no near cache");

    private final String title;
    private final String program;
    private final boolean hasQueues;
    private final String usage;

    Peer(String title, String program, boolean hasQueues, String usage) {
        this.title = title;
        this.program = program;
        this.hasQueues = hasQueues;
        this.usage = usage;
    }

    /// As a subject.
    String title() {
        return title;
    }

    boolean hasQueues() {
        return hasQueues;
    }

    /// How its client library is used: as its documentation says is fastest.
    String usage() {
        return usage;
    }

    /// Why it cannot be measured here, if so.
    Optional<String> obstacle() {
        return program.isEmpty() || NativeServer.find(program).isPresent() ? Optional.empty()
                : Optional.of(program + " is not installed; the package of that name has it");
    }

    /// What each server in Java gets.
    static List<String> serverOptions() {
        return List.of("-Xms1g", "-Xmx4g", "-XX:+UseG1GC");
    }

    /// The servers of a run, each started when it is first wanted. Redis serves all its clients.
    static final class Servers {
        private final RunOptions.Setup setup;
        private final long megabytes;
        private final Map<Peer, Server> running = new EnumMap<>(Peer.class);

        Servers(RunOptions.Setup setup, long megabytes) {
            this.setup = setup;
            this.megabytes = megabytes;
        }

        private interface Start<S extends Server> {
            S start() throws IOException;
        }

        private <S extends Server> S server(Peer peer, Class<S> type, Start<S> start) throws IOException {
            Server server = running.get(peer);
            if (server == null) {
                server = setup.resources().add(start.start());
                running.put(peer, server);
                setup.out().println(peer.program.isEmpty() ? peer.title + ": " + server.settings() : server.settings());
            }
            return type.cast(server);
        }

        /// How clients reach a peer.
        Connector connector(Peer peer) throws IOException {
            return switch (peer) {
                case REDIS_JEDIS -> redis().jedis();
                case REDIS_LETTUCE -> redis().lettuce();
                case REDIS_LETTUCE_UNIX -> redis().lettuceOverUnixSocket();
                case MEMCACHED -> server(MEMCACHED, MemcachedServer.class, () -> MemcachedServer.start(setup.servers(), megabytes))
                        .spymemcached();
                case HAZELCAST -> server(HAZELCAST, HazelcastServer.class, () -> HazelcastServer.start(setup.servers())).connector();
                case INFINISPAN -> server(INFINISPAN, InfinispanServer.class, () -> InfinispanServer.start(setup.servers())).connector();
            };
        }

        private RedisServer redis() throws IOException {
            return server(REDIS_JEDIS, RedisServer.class, () -> RedisServer.start(setup.servers()));
        }
    }
}
