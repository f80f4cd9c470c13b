package io.leasehold.structures;

import java.util.AbstractSet;
import java.util.Iterator;
import java.util.Map;
import java.util.Spliterator;
import java.util.Spliterators;
import java.util.function.Predicate;

/// The entries of a map.
final class EntrySetView<K, V> extends AbstractSet<Map.Entry<K, V>> {
    private final RemoteHashMap<K, V> map;

    EntrySetView(RemoteHashMap<K, V> map) {
        this.map = map;
    }

    @Override
    public Iterator<Map.Entry<K, V>> iterator() {
        return map.iterator();
    }

    @Override
    public Spliterator<Map.Entry<K, V>> spliterator() {
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
    public boolean contains(Object entry) {
        return entry instanceof Map.Entry<?, ?> other && other.getKey() != null && other.getValue() != null
                && map.containsEntry(other.getKey(), other.getValue());
    }

    @Override
    public boolean remove(Object entry) {
        return entry instanceof Map.Entry<?, ?> other && other.getKey() != null && other.getValue() != null
                && map.remove(other.getKey(), other.getValue());
    }

    @Override
    public boolean removeIf(Predicate<? super Map.Entry<K, V>> filter) {
        boolean removed = false;
        for (Map.Entry<K, V> entry : this) {
            // Only if it still has the value that was tested.
            removed |= filter.test(entry) && map.remove(entry.getKey(), entry.getValue());
        }
        return removed;
    }

    @Override
    public void clear() {
        map.clear();
    }
}
