package io.leasehold.examples;

import io.leasehold.lease.MemoryNode;
import io.leasehold.lease.NodeOptions;
import io.leasehold.lease.Session;
import io.leasehold.lease.SessionOptions;
import io.leasehold.structures.Codec;
import io.leasehold.structures.RemoteHashMap;
import io.leasehold.structures.RemoteQueue;

/// A memory node, a map and a queue, all in one process.
public final class Quickstart {
    private Quickstart() {
    }

    /// Runs it; takes no arguments.
    public static void main(String[] args) throws InterruptedException {
        try (MemoryNode node = MemoryNode.start(NodeOptions.ofMemory(64 << 20));
                Session session = Session.connect(node.address(), SessionOptions.defaults());
                RemoteHashMap<String, Long> stock = RemoteHashMap.open(session, "stock", Codec.UTF_8, Codec.LONG);
                RemoteQueue<String> orders = RemoteQueue.open(session, "orders", Codec.UTF_8)) {
            stock.put("apples", 10L);
            orders.put("apples");
            orders.put("apples");

            String fruit = orders.take();
            stock.merge(fruit, -1L, Long::sum);

            System.out.println(stock.get("apples") + " apples left, " + orders.size() + " order to go");
        }
    }
}
