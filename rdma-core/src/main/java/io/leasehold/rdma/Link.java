package io.leasehold.rdma;

/// The ways in which the software fabric carries requests from one queue pair to another; the semantics are the same.
public enum Link {
    /// Between devices of one JVM: the posting thread carries the request out.
    LOCAL,
    /// Between processes of one user on one host, by rings in a mapped file; on Linux, x86-64 or AArch64. They find out over TCP
    /// whether they can, and that connection stays open: its end tells each that the other is gone.
    SHARED_MEMORY,
    /// Between hosts, or processes, by one TCP connection a queue pair.
    TCP
}
