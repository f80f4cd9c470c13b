package io.leasehold.structures;

import java.lang.foreign.MemorySegment;
import java.util.function.Function;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/// The operations whose outcome a function of the caller decides: `compute` and its kin. The function is called for each state of
/// the entry that the operation meets, outside any lock.
///
/// @param <V> the values
final class Remapping<V> implements Intent<V> {
    private final Codec<V> codec;
    private final @Nullable Function<V, @Nullable V> whenPresent;
    private final @Nullable Supplier<@Nullable V> whenAbsent;
    private final long lifeNanos;
    private @Nullable V result;

    /// @param whenPresent from the present value to the new one, or to `null` to remove the entry; `null` to leave it
    /// @param whenAbsent the value to insert, or `null` for none; `null` to insert none
    Remapping(Codec<V> codec, @Nullable Function<V, @Nullable V> whenPresent,
            @Nullable Supplier<@Nullable V> whenAbsent, long lifeNanos) {
        this.codec = codec;
        this.whenPresent = whenPresent;
        this.whenAbsent = whenAbsent;
        this.lifeNanos = lifeNanos;
    }

    /// The value after the operation; `null` if there is none.
    @Nullable V result() {
        return result;
    }

    @Override
    public boolean writes() {
        return true;
    }

    @Override
    public boolean readsValue() {
        return true;
    }

    @Override
    public boolean isEager() {
        return false;
    }

    @Override
    public boolean hasFixedValue() {
        return false;
    }

    @Override
    public long lifeNanos() {
        return lifeNanos;
    }

    @Override
    public Action present(MemorySegment bytes) {
        V value = codec.decode(bytes);
        if (whenPresent == null) {
            result = value;
            return Action.KEEP;
        }
        result = whenPresent.apply(value);
        return result == null ? Action.REMOVE : Action.WRITE;
    }

    @Override
    public Action absent() {
        result = whenAbsent == null ? null : whenAbsent.get();
        return result == null ? Action.KEEP : Action.WRITE;
    }

    @Override
    public V value() {
        if (result == null) {
            throw new IllegalStateException("the function returned no value to write");
        }
        return result;
    }
}
