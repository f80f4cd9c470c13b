import org.jspecify.annotations.NullMarked;

/// Programs to copy from.
@NullMarked
module io.leasehold.examples {
    requires io.leasehold.structures;
    requires static transitive org.jspecify;

    exports io.leasehold.examples;
}
