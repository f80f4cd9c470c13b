import org.jspecify.annotations.NullMarked;

/// Distributed data structures on leased remote memory.
@NullMarked
module io.leasehold.structures {
    requires com.github.benmanes.caffeine;
    requires com.google.common;
    requires static transitive org.jspecify;
    requires transitive io.leasehold.lease;

    exports io.leasehold.structures;
}
