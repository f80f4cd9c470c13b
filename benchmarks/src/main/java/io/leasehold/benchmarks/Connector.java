package io.leasehold.benchmarks;

import java.io.Serializable;

/// How a process of clients reaches the server that holds maps and queues; goes from process to process.
interface Connector extends Serializable {
    Client connect() throws Exception;
}
