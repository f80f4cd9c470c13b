import org.jspecify.annotations.NullMarked;

/// Remote direct memory access: verbs in Java, over a software fabric or libibverbs.
@NullMarked
module io.leasehold.rdma {
    requires java.logging;
    requires jdk.net; // options of TCP connections
    requires spymemcached; // an automatic module, named after its jar
    requires static transitive org.jspecify;

    exports io.leasehold.rdma;

    uses io.leasehold.rdma.RdmaProvider;

    provides io.leasehold.rdma.RdmaProvider with io.leasehold.rdma.internal.soft.SoftProvider,
            io.leasehold.rdma.internal.verbs.VerbsProvider;
}
