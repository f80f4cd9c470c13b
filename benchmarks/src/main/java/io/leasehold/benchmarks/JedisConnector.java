package io.leasehold.benchmarks;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;
import redis.clients.jedis.Jedis;
import redis.clients.jedis.Pipeline;
import redis.clients.jedis.Response;
import redis.clients.jedis.util.KeyValue;

/// Redis through Jedis: a connection of its own for each thread, which is what a pool hands out; pipelines for many operations.
record JedisConnector(String host, int port) implements Connector {
    private static final double NANOS = 1e9;

    @Override
    public Client connect() {
        return new JedisClient(new PerThread<>(() -> new Jedis(host, port)));
    }

    private record JedisClient(PerThread<Jedis> connections) implements Client {
        @Override
        public MapStore map(String name, long entries) {
            return new JedisMap(connections, name.getBytes(StandardCharsets.UTF_8));
        }

        @Override
        public QueueStore queue(String name) {
            return new JedisQueue(connections, name.getBytes(StandardCharsets.UTF_8));
        }

        @Override
        public void close() {
            connections.all().forEach(Jedis::close);
        }
    }

    /// Strings under the keys themselves, with the map's name before them.
    private record JedisMap(PerThread<Jedis> connections, byte[] name) implements MapStore {
        @Override
        public byte @Nullable [] get(byte[] key) {
            return connections.get().get(Records.qualified(name, key));
        }

        @Override
        public void set(byte[] key, byte[] value) {
            connections.get().set(Records.qualified(name, key), value);
        }

        @Override
        public void execute(Requests requests) {
            List<Response<byte[]>> found = new ArrayList<>();
            try (Pipeline pipeline = connections.get().pipelined()) {
                requests.reads().forEach(key -> found.add(pipeline.get(Records.qualified(name, key))));
                for (int i = 0; i < requests.writes().size(); i++) {
                    pipeline.set(Records.qualified(name, requests.writes().get(i)), requests.value(i));
                }
                pipeline.sync();
            }
            for (int i = 0; i < found.size(); i++) {
                requests.answer(i, found.get(i).get());
            }
        }

        @Override
        public void remove(List<byte[]> keys) {
            connections.get().del(keys.stream().map(key -> Records.qualified(name, key)).toArray(byte[][]::new));
        }
    }

    /// A list: in from the left, out to the right.
    private record JedisQueue(PerThread<Jedis> connections, byte[] name) implements QueueStore {
        @Override
        public void put(byte[] element) {
            connections.get().lpush(name, element);
        }

        @Override
        public byte @Nullable [] take(Duration patience) {
            KeyValue<byte[], byte[]> taken = connections.get().brpop(patience.toNanos() / NANOS, name);
            return taken == null ? null : taken.getValue();
        }

        @Override
        public void putAll(List<byte[]> elements) {
            connections.get().lpush(name, elements.toArray(byte[][]::new));
        }

        @Override
        public int takeAll(int most, Duration patience) {
            List<byte[]> taken = connections.get().rpop(name, most);
            return taken != null && !taken.isEmpty() ? taken.size() : take(patience) == null ? 0 : 1;
        }
    }
}
