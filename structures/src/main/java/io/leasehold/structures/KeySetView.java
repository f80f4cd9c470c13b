package io.leasehold.structures;

import java.util.AbstractSet;
import java.util.Iterator;
import java.util.Map;
import java.util.Spliterator;
import java.util.Spliterators;

/// The keys of a map.
final class KeySetView<K, V> extends AbstractSet<K> {
    private final RemoteHashMap<K, V> map;

    KeySetView(RemoteHashMap<K, V> map) {
        this.map = map;
    }

    @Override
    public Iterator<K> iterator() {
        return new MappedIterator<>(map.iterator(), Map.Entry::getKey);
    }

    @Override
    public Spliterator<K> spliterator() {
        return Spliterators.spliteratorUnknownSize(iterator(),
                Spliterator.CONCURRENT | Spliterator.DISTINCT | Spliterator.NONNULL);
    }

    @Override
    public int size() {
        return map.size();
    }

    @Override
    public boolean isEmpty() {
        return map.isEmpty();
    }

    @Override
    public boolean contains(Object key) {
        return map.containsKey(key);
    }

    @Override
    public boolean remove(Object key) {
        return map.deleteKey(key);
    }

    @Override
    public void clear() {
        map.clear();
    }
}
