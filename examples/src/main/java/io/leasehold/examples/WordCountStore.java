package io.leasehold.examples;

import io.leasehold.lease.Session;
import io.leasehold.lease.SessionOptions;
import io.leasehold.rdma.DeviceOptions;
import io.leasehold.rdma.EndpointAddress;
import io.leasehold.structures.Codec;
import io.leasehold.structures.MapOptions;
import io.leasehold.structures.QueueOptions;
import io.leasehold.structures.RemoteHashMap;
import io.leasehold.structures.RemoteQueue;
import java.time.Duration;

/// What the processes of a [WordCount] share: three structures in the memory of one node, opened by name.
///
/// @param session this process at the node
/// @param chunks what is to be counted
/// @param tallies how often each word was counted
/// @param counters which consumer counted a chunk, by the chunk's number
record WordCountStore(Session session, RemoteQueue<Chunk> chunks, RemoteHashMap<String, Tally> tallies,
        RemoteHashMap<Integer, Integer> counters) implements AutoCloseable {
    /// How long a consumer may take over its chunks before somebody else gets them. Short, for a demonstration: a consumer that is
    /// merely slow has its work done twice then, which is harmless here.
    static final Duration VISIBILITY = Duration.ofSeconds(5);
    /// How long a node may take to answer, and an operation to end: longer than by default, for many processes on few processors and
    /// for links that lose packets.
    private static final Duration PATIENCE = Duration.ofSeconds(30);
    private static final MapOptions MAP = MapOptions.defaults().withTimeout(PATIENCE);
    /// Producers wait when the queue holds so many chunks.
    private static final int QUEUED_MAX = 256;

    /// Connects to the node at `address` through `device`, or, if that is empty, through a device like the node's.
    static WordCountStore open(String address, String device) {
        EndpointAddress node = EndpointAddress.parse(address);
        DeviceOptions options = DeviceOptions.parse(device.isEmpty() ? node.provider() : device);
        Session session = Session.connect(node, SessionOptions.defaults().withDevice(options).withTimeouts(PATIENCE, PATIENCE));
        return new WordCountStore(session,
                RemoteQueue.open(session, "wordcount.chunks", Chunk.CODEC,
                        QueueOptions.bounded(QUEUED_MAX).acknowledged(VISIBILITY)),
                RemoteHashMap.open(session, "wordcount.tallies", Codec.UTF_8, Tally.CODEC, MAP),
                RemoteHashMap.open(session, "wordcount.counters", Codec.INT, Codec.INT, MAP));
    }

    @Override
    public void close() {
        counters.close();
        tallies.close();
        chunks.close();
        session.close();
    }
}
