import org.jspecify.annotations.NullMarked;

/// Remote direct memory access: verbs in Java, over a software fabric or libibverbs.
@NullMarked
module io.leasehold.rdma {
    requires java.logging;
    requires jdk.net; // options of TCP connections
    requires spymemcached; // an automatic module, named after its jar
    requires static disni; // likewise; there when a program written for it is
    requires static transitive org.jspecify;

    exports io.leasehold.rdma;
    exports io.leasehold.rdma.disni;

    uses io.leasehold.rdma.RdmaProvider;

    provides io.leasehold.rdma.RdmaProvider with io.leasehold.rdma.internal.soft.SoftProvider,
            io.leasehold.rdma.internal.verbs.VerbsProvider;
}
