package io.leasehold.rdma.internal.verbs;

import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReferenceArray;
import java.util.function.Consumer;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/// A table of objects by small numbers, read without a lock. It grows by doubling up to a limit.
final class Slots<T> {
    private static final int INITIAL = 64;

    private final int limit;
    private final AtomicInteger count = new AtomicInteger();
    private volatile AtomicReferenceArray<@Nullable T> table;
    private boolean[] reserved;
    private int next;

    Slots(int limit) {
        this.limit = limit;
        table = new AtomicReferenceArray<>(Math.min(INITIAL, limit));
        reserved = new boolean[table.length()];
    }

    int count() {
        return count.get();
    }

    /// A number that nobody has, or -1 at the limit.
    synchronized int reserve() {
        if (count.get() >= limit) {
            return -1;
        }
        if (count.get() == reserved.length) {
            grow();
        }
        while (reserved[next]) {
            next = next + 1 < reserved.length ? next + 1 : 0;
        }
        reserved[next] = true;
        count.incrementAndGet();
        return next;
    }

    private void grow() {
        int length = (int) Math.min(limit, 2L * reserved.length);
        var larger = new AtomicReferenceArray<@Nullable T>(length);
        for (int i = 0; i < table.length(); i++) {
            larger.set(i, table.get(i));
        }
        table = larger;
        next = reserved.length;
        reserved = java.util.Arrays.copyOf(reserved, length);
    }

    synchronized void put(int slot, T object) {
        table.set(slot, object);
    }

    synchronized void free(int slot) {
        if (reserved[slot]) {
            reserved[slot] = false;
            table.set(slot, null);
            count.decrementAndGet();
        }
    }

    @Nullable T get(int slot) {
        AtomicReferenceArray<@Nullable T> now = table;
        return slot >= 0 && slot < now.length() ? now.get(slot) : null;
    }

    @Nullable T find(Predicate<T> wanted) {
        AtomicReferenceArray<@Nullable T> now = table;
        for (int i = 0; i < now.length(); i++) {
            T object = now.get(i);
            if (object != null && wanted.test(object)) {
                return object;
            }
        }
        return null;
    }

    void forEach(Consumer<T> action) {
        AtomicReferenceArray<@Nullable T> now = table;
        for (int i = 0; i < now.length(); i++) {
            T object = now.get(i);
            if (object != null) {
                action.accept(object);
            }
        }
    }
}
