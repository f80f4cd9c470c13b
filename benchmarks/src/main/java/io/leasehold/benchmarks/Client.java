package io.leasehold.benchmarks;

import java.io.IOException;

/// A connection to a server, or a pool of them. Thread-safe.
interface Client extends AutoCloseable {
    /// Opens a map, making it if there is none.
    ///
    /// @param entries how many it is going to have
    MapStore map(String name, long entries) throws Exception;

    /// Opens a queue, making it if there is none.
    QueueStore queue(String name) throws Exception;

    @Override
    void close() throws IOException;
}
