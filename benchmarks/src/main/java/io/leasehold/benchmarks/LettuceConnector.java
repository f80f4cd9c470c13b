package io.leasehold.benchmarks;

import io.lettuce.core.KeyValue;
import io.lettuce.core.LettuceFutures;
import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisFuture;
import io.lettuce.core.RedisURI;
import io.lettuce.core.api.StatefulRedisConnection;
import io.lettuce.core.codec.ByteArrayCodec;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;

/// Redis through Lettuce: a connection for each thread; many operations are written without flushing, and then flushed together.
///
/// @param uri as `redis://127.0.0.1:6379` or `redis-socket:///tmp/redis.sock`
record LettuceConnector(String uri) implements Connector {
    private static final double NANOS = 1e9;
    private static final int PATIENCE_SECONDS = 30;

    @Override
    public Client connect() {
        RedisClient client = RedisClient.create(RedisURI.create(uri));
        return new LettuceClient(client, new PerThread<>(() -> client.connect(ByteArrayCodec.INSTANCE)),
                new PerThread<>(() -> {
                    StatefulRedisConnection<byte[], byte[]> connection = client.connect(ByteArrayCodec.INSTANCE);
                    connection.setAutoFlushCommands(false);
                    return connection;
                }));
    }

    /// @param single for operations one by one
    /// @param many for operations that are flushed together
    private record LettuceClient(RedisClient client, PerThread<StatefulRedisConnection<byte[], byte[]>> single,
            PerThread<StatefulRedisConnection<byte[], byte[]>> many) implements Client {
        @Override
        public MapStore map(String name, long entries) {
            return new LettuceMap(single, many, name.getBytes(StandardCharsets.UTF_8));
        }

        @Override
        public QueueStore queue(String name) {
            return new LettuceQueue(single, name.getBytes(StandardCharsets.UTF_8));
        }

        @Override
        public void close() {
            single.all().forEach(StatefulRedisConnection::close);
            many.all().forEach(StatefulRedisConnection::close);
            client.shutdown(0, 1, TimeUnit.SECONDS);
        }
    }

    private record LettuceMap(PerThread<StatefulRedisConnection<byte[], byte[]>> single,
            PerThread<StatefulRedisConnection<byte[], byte[]>> many, byte[] name) implements MapStore {
        @Override
        public byte @Nullable [] get(byte[] key) {
            return single.get().sync().get(Records.qualified(name, key));
        }

        @Override
        public void set(byte[] key, byte[] value) {
            single.get().sync().set(Records.qualified(name, key), value);
        }

        @Override
        public void execute(Requests requests) throws Exception {
            StatefulRedisConnection<byte[], byte[]> connection = many.get();
            List<RedisFuture<byte[]>> found = new ArrayList<>();
            List<RedisFuture<?>> all = new ArrayList<>();
            for (byte[] key : requests.reads()) {
                found.add(connection.async().get(Records.qualified(name, key)));
            }
            all.addAll(found);
            for (int i = 0; i < requests.writes().size(); i++) {
                all.add(connection.async().set(Records.qualified(name, requests.writes().get(i)), requests.value(i)));
            }
            connection.flushCommands();
            if (!LettuceFutures.awaitAll(PATIENCE_SECONDS, TimeUnit.SECONDS, all.toArray(RedisFuture[]::new))) {
                throw new TimeoutException("no answer from Redis for " + PATIENCE_SECONDS + " s");
            }
            for (int i = 0; i < found.size(); i++) {
                requests.answer(i, found.get(i).get());
            }
        }

        @Override
        public void remove(List<byte[]> keys) {
            single.get().sync().del(keys.stream().map(key -> Records.qualified(name, key)).toArray(byte[][]::new));
        }
    }

    private record LettuceQueue(PerThread<StatefulRedisConnection<byte[], byte[]>> single, byte[] name) implements QueueStore {
        @Override
        public void put(byte[] element) {
            single.get().sync().lpush(name, element);
        }

        @Override
        public byte @Nullable [] take(Duration patience) {
            KeyValue<byte[], byte[]> taken = single.get().sync().brpop(patience.toNanos() / NANOS, name);
            return taken == null ? null : taken.getValue();
        }

        @Override
        public void putAll(List<byte[]> elements) {
            single.get().sync().lpush(name, elements.toArray(byte[][]::new));
        }

        @Override
        public int takeAll(int most, Duration patience) {
            List<byte[]> taken = single.get().sync().rpop(name, most);
            return taken != null && !taken.isEmpty() ? taken.size() : take(patience) == null ? 0 : 1;
        }
    }
}
