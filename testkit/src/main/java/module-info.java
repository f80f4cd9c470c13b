import org.jspecify.annotations.NullMarked;

/// Contracts that every provider must pass, a simulated cluster, and checkers of histories.
@NullMarked
module io.leasehold.testkit {
    requires org.assertj.core;
    requires static transitive org.jspecify;
    requires transitive io.leasehold.rdma;
    requires transitive net.jqwik.api;
    requires transitive org.junit.jupiter.api;

    exports io.leasehold.testkit;
    exports io.leasehold.testkit.history;
}
