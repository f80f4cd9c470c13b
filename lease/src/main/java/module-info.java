import org.jspecify.annotations.NullMarked;

/// Leases: rights to remote memory that end by themselves.
@NullMarked
module io.leasehold.lease {
    requires com.google.common;
    requires static transitive org.jspecify;
    requires transitive io.leasehold.rdma;

    exports io.leasehold.lease;
}
