package io.leasehold.structures;

import java.lang.foreign.MemorySegment;

/// What an operation means to do with the entry of one key. It is asked when the state of the entry is known, and again if
/// another client changed that first. For one operation on one thread.
///
/// @param <V> the values
sealed interface Intent<V> permits Change, Remapping {
    /// What to do with the entry.
    enum Action {
        /// Leave it.
        KEEP,
        /// Insert it with [Intent#value()], or give it that value.
        WRITE,
        /// Remove it.
        REMOVE
    }

    /// Whether it may change the entry.
    boolean writes();

    /// Whether [#present] looks at the value; if not, it need not be read.
    boolean readsValue();

    /// Whether the value to write is known from the start and is nearly always written, so that its block may be sent with the
    /// first doorbell.
    boolean isEager();

    /// Whether the value to write is the same each time.
    boolean hasFixedValue();

    /// How long the value to write lives, in nanoseconds; 0 for ever.
    long lifeNanos();

    /// @param value the bytes of the entry's value; empty unless [#readsValue()]
    Action present(MemorySegment value);

    Action absent();

    /// The value to write, after [Action#WRITE].
    V value();
}
