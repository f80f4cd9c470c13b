package io.leasehold.structures;

import java.util.Map;
import java.util.Objects;

/// An entry as an iterator met it; setting its value writes to the map.
final class MapEntry<K, V> implements Map.Entry<K, V> {
    private final RemoteHashMap<K, V> map;
    private final K key;
    private V value;

    MapEntry(RemoteHashMap<K, V> map, K key, V value) {
        this.map = map;
        this.key = key;
        this.value = value;
    }

    @Override
    public K getKey() {
        return key;
    }

    @Override
    public V getValue() {
        return value;
    }

    @Override
    public V setValue(V newValue) {
        V before = value;
        map.set(key, newValue);
        value = newValue;
        return before;
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Map.Entry<?, ?> entry && key.equals(entry.getKey()) && Objects.equals(value, entry.getValue());
    }

    @Override
    public int hashCode() {
        return key.hashCode() ^ value.hashCode();
    }

    @Override
    public String toString() {
        return key + "=" + value;
    }
}
