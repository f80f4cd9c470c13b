package io.leasehold.structures;

import java.util.Iterator;
import java.util.function.Function;

/// An iterator over what a function makes of another's elements.
///
/// @param entries the other iterator
/// @param part the function
record MappedIterator<E, T>(Iterator<E> entries, Function<? super E, ? extends T> part) implements Iterator<T> {
    @Override
    public boolean hasNext() {
        return entries.hasNext();
    }

    @Override
    public T next() {
        return part.apply(entries.next());
    }

    @Override
    public void remove() {
        entries.remove();
    }
}
