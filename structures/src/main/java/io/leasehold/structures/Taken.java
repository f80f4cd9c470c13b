package io.leasehold.structures;

import org.jspecify.annotations.Nullable;

/// An element that was taken from its slot, or claimed.
///
/// @param value the element, unless it could not be decoded
/// @param failure why it could not
/// @param slot the slot, with the word that it holds now if the element was claimed
record Taken<E>(@Nullable E value, @Nullable RuntimeException failure, Leftovers.SlotAt slot) {
    /// The element.
    E get() {
        if (value == null) {
            throw failure != null ? failure : new IllegalStateException("the codec decoded null");
        }
        return value;
    }
}
