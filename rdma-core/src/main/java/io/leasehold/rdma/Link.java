package io.leasehold.rdma;

/// The ways in which the software fabric carries requests from one queue pair to another; the semantics are the same.
public enum Link {
    /// Between devices of one JVM: the posting thread carries the request out.
    LOCAL,
    /// Between processes of one host, by rings in a mapped file.
    SHARED_MEMORY,
    /// Between hosts, or processes, by one TCP connection a queue pair.
    TCP
}
