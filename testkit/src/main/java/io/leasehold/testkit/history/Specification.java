package io.leasehold.testkit.history;

import org.jspecify.annotations.Nullable;

/// How an object behaves that does one thing at a time.
///
/// @param <S> its states, immutable and with equality
public interface Specification<S> {
    /// The state at the start.
    S initial();

    /// The state after `operation` in `state`.
    ///
    /// @return `null` if the operation cannot have answered what it did; a pending operation can have answered anything
    @Nullable S step(S state, Operation operation);

    /// One entry of a map; its state is the value, or [Operation#NONE].
    Specification<Long> MAP_ENTRY = new MapEntry();

    /// One word, at first 0.
    Specification<Long> WORD = new Word();
}
