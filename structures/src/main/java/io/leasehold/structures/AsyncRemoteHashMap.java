package io.leasehold.structures;

import java.time.Duration;
import java.util.Collection;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.function.BiFunction;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/// The operations of a [RemoteHashMap] that return at once; each future completes as the operation of the same name there returns
/// or throws.
///
/// They are carried out by a bounded set of virtual threads, in any order: one that has to come after another is chained to its
/// future. A future fails with [java.util.concurrent.RejectedExecutionException] if 65,536 operations of the handle are pending.
/// Thread-safe.
///
/// @param <K> the keys
/// @param <V> the values
public final class AsyncRemoteHashMap<K, V> {
    private final RemoteHashMap<K, V> map;
    private final AsyncWorkers workers;

    AsyncRemoteHashMap(RemoteHashMap<K, V> map, AsyncWorkers workers) {
        this.map = map;
        this.workers = workers;
    }

    /// See [RemoteHashMap#get(Object)].
    public CompletableFuture<@Nullable V> get(K key) {
        return workers.run(() -> map.get(key));
    }

    /// See [RemoteHashMap#containsKey(Object)].
    public CompletableFuture<Boolean> containsKey(K key) {
        return workers.run(() -> map.containsKey(key));
    }

    /// See [RemoteHashMap#put(Object, Object)].
    public CompletableFuture<@Nullable V> put(K key, V value) {
        return workers.run(() -> map.put(key, value));
    }

    /// See [RemoteHashMap#put(Object, Object, Duration)].
    public CompletableFuture<@Nullable V> put(K key, V value, Duration timeToLive) {
        return workers.run(() -> map.put(key, value, timeToLive));
    }

    /// See [RemoteHashMap#set(Object, Object, Duration)].
    public CompletableFuture<@Nullable Void> set(K key, V value, Duration timeToLive) {
        return workers.run(() -> {
            map.set(key, value, timeToLive);
            return null;
        });
    }

    /// See [RemoteHashMap#putIfAbsent(Object, Object, Duration)].
    public CompletableFuture<@Nullable V> putIfAbsent(K key, V value, Duration timeToLive) {
        return workers.run(() -> map.putIfAbsent(key, value, timeToLive));
    }

    /// See [RemoteHashMap#putAll(Map, Duration)].
    public CompletableFuture<@Nullable Void> putAll(Map<? extends K, ? extends V> entries, Duration timeToLive) {
        return workers.run(() -> {
            map.putAll(entries, timeToLive);
            return null;
        });
    }

    /// See [RemoteHashMap#set(Object, Object)].
    public CompletableFuture<@Nullable Void> set(K key, V value) {
        return workers.run(() -> {
            map.set(key, value);
            return null;
        });
    }

    /// See [RemoteHashMap#putIfAbsent(Object, Object)].
    public CompletableFuture<@Nullable V> putIfAbsent(K key, V value) {
        return workers.run(() -> map.putIfAbsent(key, value));
    }

    /// See [RemoteHashMap#replace(Object, Object)].
    public CompletableFuture<@Nullable V> replace(K key, V value) {
        return workers.run(() -> map.replace(key, value));
    }

    /// See [RemoteHashMap#replace(Object, Object, Object)].
    public CompletableFuture<Boolean> replace(K key, V oldValue, V newValue) {
        return workers.run(() -> map.replace(key, oldValue, newValue));
    }

    /// See [RemoteHashMap#remove(Object)].
    public CompletableFuture<@Nullable V> remove(K key) {
        return workers.run(() -> map.remove(key));
    }

    /// See [RemoteHashMap#remove(Object, Object)].
    public CompletableFuture<Boolean> remove(K key, V value) {
        return workers.run(() -> map.remove(key, value));
    }

    /// See [RemoteHashMap#delete(Object)].
    public CompletableFuture<Boolean> delete(K key) {
        return workers.run(() -> map.delete(key));
    }

    /// See [RemoteHashMap#compute(Object, BiFunction)].
    public CompletableFuture<@Nullable V> compute(K key,
            BiFunction<? super K, ? super @Nullable V, ? extends @Nullable V> function) {
        return workers.run(() -> map.compute(key, function));
    }

    /// See [RemoteHashMap#computeIfAbsent(Object, Function)].
    public CompletableFuture<@Nullable V> computeIfAbsent(K key, Function<? super K, ? extends @Nullable V> function) {
        return workers.run(() -> map.computeIfAbsent(key, function));
    }

    /// See [RemoteHashMap#computeIfPresent(Object, BiFunction)].
    public CompletableFuture<@Nullable V> computeIfPresent(K key,
            BiFunction<? super K, ? super V, ? extends @Nullable V> function) {
        return workers.run(() -> map.computeIfPresent(key, function));
    }

    /// See [RemoteHashMap#merge(Object, Object, BiFunction)].
    public CompletableFuture<@Nullable V> merge(K key, V value,
            BiFunction<? super V, ? super V, ? extends @Nullable V> function) {
        return workers.run(() -> map.merge(key, value, function));
    }

    /// See [RemoteHashMap#getAll(Collection)].
    public CompletableFuture<Map<K, V>> getAll(Collection<? extends K> keys) {
        return workers.run(() -> map.getAll(keys));
    }

    /// See [RemoteHashMap#putAll(Map)].
    public CompletableFuture<@Nullable Void> putAll(Map<? extends K, ? extends V> entries) {
        return workers.run(() -> {
            map.putAll(entries);
            return null;
        });
    }

    /// See [RemoteHashMap#removeAll(Collection)].
    public CompletableFuture<Long> removeAll(Collection<? extends K> keys) {
        return workers.run(() -> map.removeAll(keys));
    }

    /// See [RemoteHashMap#mappingCount()].
    public CompletableFuture<Long> mappingCount() {
        return workers.run(map::mappingCount);
    }
}
