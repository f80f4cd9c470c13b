package io.leasehold.structures;

import java.util.AbstractCollection;
import java.util.Iterator;
import java.util.Map;
import java.util.Spliterator;
import java.util.Spliterators;
import java.util.function.Predicate;

/// The values of a map.
final class ValuesView<K, V> extends AbstractCollection<V> {
    private final RemoteHashMap<K, V> map;

    ValuesView(RemoteHashMap<K, V> map) {
        this.map = map;
    }

    @Override
    public Iterator<V> iterator() {
        return new MappedIterator<>(map.iterator(), Map.Entry::getValue);
    }

    @Override
    public Spliterator<V> spliterator() {
        return Spliterators.spliteratorUnknownSize(iterator(), Spliterator.CONCURRENT | Spliterator.NONNULL);
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
    public boolean contains(Object value) {
        return map.containsValue(value);
    }

    @Override
    public boolean remove(Object value) {
        return map.removeValue(value);
    }

    @Override
    public boolean removeIf(Predicate<? super V> filter) {
        return map.entrySet().removeIf(entry -> filter.test(entry.getValue()));
    }

    @Override
    public void clear() {
        map.clear();
    }
}
