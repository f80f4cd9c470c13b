package io.leasehold.benchmarks;

import com.hazelcast.client.HazelcastClient;
import com.hazelcast.client.config.ClientConfig;
import com.hazelcast.collection.IQueue;
import com.hazelcast.core.HazelcastInstance;
import com.hazelcast.core.Pipelining;
import com.hazelcast.map.IMap;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/// Hazelcast as client and server: one client for all threads, [Pipelining] for many operations, no near cache.
record HazelcastConnector(String address) implements Connector {
    @Override
    public Client connect() {
        ClientConfig config = new ClientConfig();
        config.getNetworkConfig().addAddress(address);
        config.setProperty("hazelcast.phone.home.enabled", "false");
        return new HazelcastSession(HazelcastClient.newHazelcastClient(config));
    }

    private record HazelcastSession(HazelcastInstance client) implements Client {
        @Override
        public MapStore map(String name, long entries) {
            return new HazelcastMap(client.getMap(name));
        }

        @Override
        public QueueStore queue(String name) {
            return new HazelcastQueue(client.getQueue(name));
        }

        @Override
        public void close() {
            client.shutdown();
        }
    }

    private record HazelcastMap(IMap<byte[], byte[]> map) implements MapStore {
        @Override
        public byte @Nullable [] get(byte[] key) {
            return map.get(key);
        }

        @Override
        public void set(byte[] key, byte[] value) {
            map.set(key, value);
        }

        @Override
        public void execute(Requests requests) throws Exception {
            if (!requests.reads().isEmpty()) {
                Pipelining<byte[]> reads = new Pipelining<>(requests.reads().size());
                for (byte[] key : requests.reads()) {
                    reads.add(map.getAsync(key));
                }
                Pipelining<Void> writes = startWrites(requests);
                List<byte[]> found = reads.results();
                for (int i = 0; i < found.size(); i++) {
                    requests.answer(i, found.get(i));
                }
                writes.results();
            } else {
                startWrites(requests).results();
            }
        }

        private Pipelining<Void> startWrites(Requests requests) throws InterruptedException {
            Pipelining<Void> writes = new Pipelining<>(Math.max(1, requests.writes().size()));
            for (int i = 0; i < requests.writes().size(); i++) {
                writes.add(map.setAsync(requests.writes().get(i), requests.value(i)));
            }
            return writes;
        }

        @Override
        public void remove(List<byte[]> keys) throws Exception {
            Pipelining<byte[]> removed = new Pipelining<>(keys.size());
            for (byte[] key : keys) {
                removed.add(map.removeAsync(key));
            }
            removed.results();
        }
    }

    private record HazelcastQueue(IQueue<byte[]> queue) implements QueueStore {
        @Override
        public void put(byte[] element) throws InterruptedException {
            queue.put(element);
        }

        @Override
        public byte @Nullable [] take(Duration patience) throws InterruptedException {
            return queue.poll(patience.toNanos(), TimeUnit.NANOSECONDS);
        }

        @Override
        public void putAll(List<byte[]> elements) {
            queue.addAll(elements);
        }

        @Override
        public int takeAll(int most, Duration patience) throws InterruptedException {
            List<byte[]> taken = new ArrayList<>();
            return queue.drainTo(taken, most) > 0 ? taken.size() : take(patience) == null ? 0 : 1;
        }
    }
}
