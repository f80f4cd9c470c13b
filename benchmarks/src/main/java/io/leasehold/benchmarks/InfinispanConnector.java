package io.leasehold.benchmarks;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.infinispan.client.hotrod.RemoteCache;
import org.infinispan.client.hotrod.RemoteCacheManager;
import org.infinispan.client.hotrod.configuration.ClientIntelligence;
import org.infinispan.client.hotrod.configuration.ConfigurationBuilder;
import org.infinispan.commons.marshall.IdentityMarshaller;
import org.jspecify.annotations.Nullable;

/// Infinispan by Hot Rod: one client for all threads, which keeps a pool of connections; futures for many operations, bytes as
/// they are, no near cache.
record InfinispanConnector(String host, int port) implements Connector {
    /// All maps are in one cache: the server makes no other on demand.
    static final String CACHE = "ycsb";

    @Override
    public Client connect() {
        RemoteCacheManager manager = new RemoteCacheManager(new ConfigurationBuilder().addServer().host(host).port(port)
                .clientIntelligence(ClientIntelligence.BASIC).marshaller(IdentityMarshaller.INSTANCE).build());
        return new InfinispanClient(manager);
    }

    private record InfinispanClient(RemoteCacheManager manager) implements Client {
        @Override
        public MapStore map(String name, long entries) {
            return new InfinispanMap(manager.getCache(CACHE), name.getBytes(java.nio.charset.StandardCharsets.UTF_8));
        }

        @Override
        public QueueStore queue(String name) {
            throw new UnsupportedOperationException("Infinispan has no queues");
        }

        @Override
        public void close() throws IOException {
            manager.close();
        }
    }

    private record InfinispanMap(RemoteCache<byte[], byte[]> cache, byte[] name) implements MapStore {
        @Override
        public byte @Nullable [] get(byte[] key) {
            return cache.get(Records.qualified(name, key));
        }

        @Override
        public void set(byte[] key, byte[] value) {
            cache.put(Records.qualified(name, key), value);
        }

        @Override
        public void execute(Requests requests) throws Exception {
            List<CompletableFuture<byte[]>> found = new ArrayList<>();
            requests.reads().forEach(key -> found.add(cache.getAsync(Records.qualified(name, key))));
            List<CompletableFuture<byte[]>> put = new ArrayList<>();
            for (int i = 0; i < requests.writes().size(); i++) {
                put.add(cache.putAsync(Records.qualified(name, requests.writes().get(i)), requests.value(i)));
            }
            for (int i = 0; i < found.size(); i++) {
                requests.answer(i, found.get(i).get());
            }
            for (CompletableFuture<byte[]> future : put) {
                future.get();
            }
        }

        @Override
        public void remove(List<byte[]> keys) throws Exception {
            List<CompletableFuture<byte[]>> removed = new ArrayList<>();
            keys.forEach(key -> removed.add(cache.removeAsync(Records.qualified(name, key))));
            for (CompletableFuture<byte[]> future : removed) {
                future.get();
            }
        }
    }
}
