package io.leasehold.benchmarks;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import net.spy.memcached.CachedData;
import net.spy.memcached.ConnectionFactoryBuilder;
import net.spy.memcached.MemcachedClient;
import net.spy.memcached.transcoders.Transcoder;
import org.jspecify.annotations.Nullable;

/// memcached through spymemcached: one connection for all threads, as its documentation wants it; the text protocol, in which the
/// client joins reads that wait together into one request.
record SpymemcachedConnector(String host, int port) implements Connector {
    private static final int QUEUE_LENGTH = 1 << 14;
    private static final int NEVER = 0;

    @Override
    public Client connect() throws IOException {
        return new SpymemcachedClient(new MemcachedClient(new ConnectionFactoryBuilder().setDaemon(true)
                .setProtocol(ConnectionFactoryBuilder.Protocol.TEXT).setUseNagleAlgorithm(false).setOpQueueMaxBlockTime(10_000)
                .setOpQueueFactory(new net.spy.memcached.ops.ArrayOperationQueueFactory(QUEUE_LENGTH)).build(),
                List.of(new InetSocketAddress(host, port))));
    }

    private record SpymemcachedClient(MemcachedClient client) implements Client {
        @Override
        public MapStore map(String name, long entries) {
            return new SpymemcachedMap(client, name.getBytes(StandardCharsets.UTF_8));
        }

        @Override
        public QueueStore queue(String name) {
            throw new UnsupportedOperationException("memcached has no queues");
        }

        @Override
        public void close() {
            client.shutdown();
        }
    }

    /// Bytes as they are.
    private record Bytes() implements Transcoder<byte[]> {
        private static final Bytes AS_THEY_ARE = new Bytes();

        @Override
        public boolean asyncDecode(CachedData data) {
            return false;
        }

        @Override
        public CachedData encode(byte[] value) {
            return new CachedData(0, value, getMaxSize());
        }

        @Override
        public byte[] decode(CachedData data) {
            return data.getData();
        }

        @Override
        public int getMaxSize() {
            return CachedData.MAX_SIZE;
        }
    }

    private record SpymemcachedMap(MemcachedClient client, byte[] name) implements MapStore {
        private String qualified(byte[] key) {
            return new String(Records.qualified(name, key), StandardCharsets.ISO_8859_1);
        }

        @Override
        public byte @Nullable [] get(byte[] key) {
            return client.get(qualified(key), Bytes.AS_THEY_ARE);
        }

        @Override
        public void set(byte[] key, byte[] value) throws Exception {
            requireDone(client.set(qualified(key), NEVER, value, Bytes.AS_THEY_ARE));
        }

        @Override
        public void execute(Requests requests) throws Exception {
            List<Future<byte[]>> found = new ArrayList<>();
            for (byte[] key : requests.reads()) {
                found.add(client.asyncGet(qualified(key), Bytes.AS_THEY_ARE));
            }
            List<Future<Boolean>> set = new ArrayList<>();
            for (int i = 0; i < requests.writes().size(); i++) {
                set.add(client.set(qualified(requests.writes().get(i)), NEVER, requests.value(i), Bytes.AS_THEY_ARE));
            }
            for (int i = 0; i < found.size(); i++) {
                requests.answer(i, found.get(i).get());
            }
            for (Future<Boolean> future : set) {
                requireDone(future);
            }
        }

        private static void requireDone(Future<Boolean> future) throws InterruptedException, ExecutionException {
            if (!future.get()) {
                throw new IllegalStateException("memcached has not stored a value: has it too little memory?");
            }
        }

        @Override
        public void remove(List<byte[]> keys) throws Exception {
            List<Future<Boolean>> removed = new ArrayList<>();
            keys.forEach(key -> removed.add(client.delete(qualified(key))));
            for (Future<Boolean> future : removed) {
                future.get();
            }
        }
    }
}
