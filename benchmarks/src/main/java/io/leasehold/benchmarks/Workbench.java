package io.leasehold.benchmarks;

import java.io.IOException;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.Callable;

/// What the tasks of one process of clients share.
final class Workbench implements AutoCloseable {
    private final Client client;
    private final Map<String, MapStore> maps = new HashMap<>();
    private final Map<String, QueueStore> queues = new HashMap<>();
    private final Map<String, Object> others = new HashMap<>();
    private final Map<Long, Zipfian> zipfians = new HashMap<>();

    Workbench(Client client) {
        this.client = client;
    }

    synchronized MapStore map(String name, long entries) throws Exception {
        MapStore map = maps.get(name);
        if (map == null) {
            map = client.map(name, entries);
            maps.put(name, map);
        }
        return map;
    }

    synchronized QueueStore queue(String name) throws Exception {
        QueueStore queue = queues.get(name);
        if (queue == null) {
            queue = client.queue(name);
            queues.put(name, queue);
        }
        return queue;
    }

    /// The law by which the workload chooses among so many; costly to make.
    synchronized Zipfian zipfian(long items) {
        return zipfians.computeIfAbsent(items, count -> new Zipfian(count, Distribution.THETA));
    }

    /// What a task made for those that come after it; lives as long as the process.
    @SuppressWarnings("unchecked") // Who names it knows what it is.
    synchronized <T> T keep(String name, Callable<T> make) throws Exception {
        Object kept = others.get(name);
        if (kept == null) {
            kept = make.call();
            others.put(name, kept);
        }
        return (T) kept;
    }

    /// What the process is connected with.
    <T extends Client> T client(Class<T> type) {
        return type.cast(client);
    }

    @Override
    public void close() throws IOException {
        for (Object kept : others.values()) {
            if (kept instanceof Client other) {
                other.close();
            }
        }
        client.close();
    }
}
