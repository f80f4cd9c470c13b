package io.leasehold.structures;

import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;
import org.jspecify.annotations.Nullable;

/// The iterator behind all views of a map: weakly consistent, as those of [java.util.concurrent.ConcurrentHashMap].
final class MapIterator<K, V> implements Iterator<Map.Entry<K, V>> {
    private final RemoteHashMap<K, V> map;
    private final MapScan<K, V> scan;
    private List<MapScan.Found<K, V>> group = List.of();
    private int position;
    private @Nullable K last;

    MapIterator(RemoteHashMap<K, V> map, MapScan<K, V> scan) {
        this.map = map;
        this.scan = scan;
    }

    @Override
    public boolean hasNext() {
        if (position == group.size()) {
            group = scan.next();
            position = 0;
        }
        return !group.isEmpty();
    }

    @Override
    public Map.Entry<K, V> next() {
        if (!hasNext()) {
            throw new NoSuchElementException("the map has no more entries");
        }
        MapScan.Found<K, V> found = group.get(position++);
        last = found.key();
        return new MapEntry<>(map, found.key(), found.value());
    }

    @Override
    public void remove() {
        if (last == null) {
            throw new IllegalStateException("there is no entry to remove: next() was not called since the last remove()");
        }
        map.delete(last);
        last = null;
    }
}
