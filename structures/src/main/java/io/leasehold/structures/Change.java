package io.leasehold.structures;

import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/// The operations whose outcome depends only on whether there is an entry and on its bytes.
///
/// @param <V> the values
final class Change<V> implements Intent<V> {
    /// What to do when the entry is present and when it is absent.
    private enum Kind {
        GET(Action.KEEP, Action.KEEP),
        CONTAINS(Action.KEEP, Action.KEEP),
        PUT(Action.WRITE, Action.WRITE),
        SET(Action.WRITE, Action.WRITE),
        PUT_IF_ABSENT(Action.KEEP, Action.WRITE),
        REPLACE(Action.WRITE, Action.KEEP),
        REPLACE_EQUAL(Action.WRITE, Action.KEEP),
        REMOVE(Action.REMOVE, Action.KEEP),
        DELETE(Action.REMOVE, Action.KEEP),
        REMOVE_EQUAL(Action.REMOVE, Action.KEEP);

        private final Action present;
        private final Action absent;

        Kind(Action present, Action absent) {
            this.present = present;
            this.absent = absent;
        }
    }

    private final Kind kind;
    private final Codec<V> codec;
    private final @Nullable V value;
    private final @Nullable MemorySegment expected;
    private final long lifeNanos;
    private @Nullable V previous;
    private boolean wasPresent;
    private Action action = Action.KEEP;

    private Change(Kind kind, Codec<V> codec, @Nullable V value, @Nullable MemorySegment expected, long lifeNanos) {
        this.kind = kind;
        this.codec = codec;
        this.value = value;
        this.expected = expected;
        this.lifeNanos = lifeNanos;
    }

    static <V> Change<V> get(Codec<V> codec) {
        return new Change<>(Kind.GET, codec, null, null, 0);
    }

    static <V> Change<V> contains(Codec<V> codec) {
        return new Change<>(Kind.CONTAINS, codec, null, null, 0);
    }

    static <V> Change<V> put(Codec<V> codec, V value, long lifeNanos) {
        return new Change<>(Kind.PUT, codec, value, null, lifeNanos);
    }

    static <V> Change<V> set(Codec<V> codec, V value, long lifeNanos) {
        return new Change<>(Kind.SET, codec, value, null, lifeNanos);
    }

    static <V> Change<V> putIfAbsent(Codec<V> codec, V value, long lifeNanos) {
        return new Change<>(Kind.PUT_IF_ABSENT, codec, value, null, lifeNanos);
    }

    static <V> Change<V> replace(Codec<V> codec, V value, long lifeNanos) {
        return new Change<>(Kind.REPLACE, codec, value, null, lifeNanos);
    }

    static <V> Change<V> replace(Codec<V> codec, MemorySegment expected, V value, long lifeNanos) {
        return new Change<>(Kind.REPLACE_EQUAL, codec, value, expected, lifeNanos);
    }

    static <V> Change<V> remove(Codec<V> codec) {
        return new Change<>(Kind.REMOVE, codec, null, null, 0);
    }

    static <V> Change<V> delete(Codec<V> codec) {
        return new Change<>(Kind.DELETE, codec, null, null, 0);
    }

    static <V> Change<V> remove(Codec<V> codec, MemorySegment expected) {
        return new Change<>(Kind.REMOVE_EQUAL, codec, null, expected, 0);
    }

    /// The value before the operation; `null` if there was none, or if the operation does not read it.
    @Nullable V previous() {
        return previous;
    }

    boolean wasPresent() {
        return wasPresent;
    }

    /// Whether the operation, when it ended, had changed the entry.
    boolean hasChanged() {
        return action != Action.KEEP;
    }

    @Override
    public boolean writes() {
        return kind.present != Action.KEEP || kind.absent != Action.KEEP;
    }

    @Override
    public boolean readsValue() {
        return kind != Kind.CONTAINS && kind != Kind.SET && kind != Kind.DELETE;
    }

    @Override
    public boolean isEager() {
        return kind == Kind.PUT || kind == Kind.SET;
    }

    @Override
    public boolean hasFixedValue() {
        return true;
    }

    @Override
    public long lifeNanos() {
        return lifeNanos;
    }

    @Override
    public Action present(MemorySegment bytes) {
        wasPresent = true;
        if (expected != null) {
            action = expected.mismatch(bytes) < 0 ? kind.present : Action.KEEP;
        } else {
            previous = readsValue() ? codec.decode(bytes) : null;
            action = kind.present;
        }
        return action;
    }

    @Override
    public Action absent() {
        wasPresent = false;
        previous = null;
        action = kind.absent;
        return action;
    }

    @Override
    public V value() {
        if (value == null) {
            throw new IllegalStateException(kind + " writes no value");
        }
        return value;
    }
}
