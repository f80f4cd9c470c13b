package io.leasehold.benchmarks;

import io.leasehold.lease.Session;
import io.leasehold.structures.Codec;
import io.leasehold.structures.MapOptions;
import io.leasehold.structures.Protection;
import io.leasehold.structures.QueueOptions;
import io.leasehold.structures.RemoteHashMap;
import io.leasehold.structures.RemoteQueue;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/// A session with a memory node.
final class SessionClient implements Client {
    private static final int CACHE_ENTRIES_MAX = 1 << 24;

    private final Session session;
    private final Protection protection;
    private final int cacheEntries;
    private final Deque<Runnable> open = new ArrayDeque<>();

    /// @param cacheEntries places that each map remembers
    SessionClient(Session session, Protection protection, int cacheEntries) {
        this.session = session;
        this.protection = protection;
        this.cacheEntries = Math.min(cacheEntries, CACHE_ENTRIES_MAX);
        open.push(session::close);
    }

    Session session() {
        return session;
    }

    @Override
    public synchronized MapStore map(String name, long entries) {
        // No janitor: nothing has a time to live.
        MapOptions options = MapOptions.defaults().withProtection(protection).withLocationCacheEntries(cacheEntries)
                .withJanitorPause(Duration.ZERO);
        RemoteHashMap<byte[], byte[]> map = RemoteHashMap.open(session, name, Codec.BYTES, Codec.BYTES, options);
        open.push(map::close);
        return new RemoteMapStore(map);
    }

    @Override
    public synchronized QueueStore queue(String name) {
        RemoteQueue<byte[]> queue = RemoteQueue.open(session, name, Codec.BYTES, QueueOptions.unbounded().withProtection(protection));
        open.push(queue::close);
        return new RemoteQueueStore(queue);
    }

    @Override
    public synchronized void close() {
        while (!open.isEmpty()) {
            open.pop().run();
        }
    }

    private record RemoteMapStore(RemoteHashMap<byte[], byte[]> map) implements MapStore {
        @Override
        public byte @Nullable [] get(byte[] key) {
            return map.get(key);
        }

        @Override
        public void set(byte[] key, byte[] value) {
            map.set(key, value);
        }

        /// Reads with one call, writes with another.
        @Override
        public void execute(Requests requests) {
            if (!requests.reads().isEmpty()) {
                Map<byte[], byte[]> found = map.getAll(requests.reads());
                for (int i = 0; i < requests.reads().size(); i++) {
                    // A byte array is equal to itself alone, so each read has an answer of its own.
                    requests.answer(i, found.get(requests.reads().get(i)));
                }
            }
            if (!requests.writes().isEmpty()) {
                Map<byte[], byte[]> entries = HashMap.newHashMap(requests.writes().size());
                for (int i = 0; i < requests.writes().size(); i++) {
                    entries.put(requests.writes().get(i), requests.value(i));
                }
                map.putAll(entries);
            }
        }

        @Override
        public void remove(List<byte[]> keys) {
            map.removeAll(keys);
        }
    }

    private record RemoteQueueStore(RemoteQueue<byte[]> queue) implements QueueStore {
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
            List<byte[]> taken = new ArrayList<>(most);
            if (queue.drainTo(taken, most) == 0 && queue.poll(patience.toNanos(), TimeUnit.NANOSECONDS) != null) {
                return 1;
            }
            return taken.size();
        }
    }
}
