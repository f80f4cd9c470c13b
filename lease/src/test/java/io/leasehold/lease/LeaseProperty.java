package io.leasehold.lease;

/// One of the properties P1 to P12, on a cluster of its own that all tries share.
///
/// What is random comes in as a value: jqwik shrinks it, and a test of the property itself draws it from a seed.
///
/// @param <T> what is tried
interface LeaseProperty<T> extends AutoCloseable {
    /// Tries one.
    ///
    /// @throws AssertionError if the property does not hold
    void check(T tried) throws Exception;

    /// Ends the cluster. What a property can only know at the end, it says here.
    @Override
    void close();
}
