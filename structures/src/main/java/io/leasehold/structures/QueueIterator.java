package io.leasehold.structures;

import io.leasehold.lease.OutOfBoundsException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import org.jspecify.annotations.Nullable;

/// Walks over the elements that wait, in order: weakly consistent. An element that waits from before the first step to after the
/// last is returned once, one that comes or goes meanwhile at most once. Holds no lease between steps. Three round trips for
/// every 16 elements. For one thread.
final class QueueIterator<E> implements Iterator<E> {
    private final QueueScan<E> scan;
    private final Segments segments;
    private final ArrayDeque<Taken<E>> ahead = new ArrayDeque<>();
    private long segment;
    private int ticket;
    private boolean isAtEnd;
    private @Nullable Taken<E> last;

    QueueIterator(QueueScan<E> scan, Segments segments) {
        this.scan = scan;
        this.segments = segments;
    }

    @Override
    public boolean hasNext() {
        if (ahead.isEmpty() && !isAtEnd) {
            fetch();
        }
        return !ahead.isEmpty();
    }

    @Override
    public E next() {
        if (!hasNext()) {
            throw new NoSuchElementException();
        }
        last = ahead.remove();
        return last.get();
    }

    /// Removes the element returned last, unless somebody else has taken it.
    @Override
    public void remove() {
        removeLast();
    }

    /// As [#remove()], and says whether this call removed it.
    boolean removeLast() {
        Taken<E> element = last;
        if (element == null) {
            throw new IllegalStateException("next() has not been called, or its element has been removed");
        }
        last = null;
        return scan.remove(element.slot());
    }

    private void fetch() {
        Restarts restarts = scan.restarts("iterating");
        try (Access access = segments.memory.access()) {
            while (ahead.isEmpty() && !isAtEnd) {
                try {
                    resume(access);
                    while (ahead.isEmpty() && !isAtEnd) {
                        fetchPage(access);
                    }
                } catch (StaleAccess | OutOfBoundsException e) {
                    // Out of bounds: a block was recycled before its lease was granted (Protection.BLOCK).
                    restarts.again(e);
                    access.restart();
                }
            }
        }
    }

    /// Makes sure that the segment is safe under this access. If it has been recycled, all its elements are gone, and those of
    /// the first that has not been are next.
    private void resume(Access access) {
        if (segment == 0) {
            segment = scan.begin(access);
        } else {
            long first = segments.read(access, segments.root(QueueShape.FIRST_AT));
            if (SegmentLayout.distance(segment, first) > 0) {
                segment = first;
                ticket = 0;
            }
        }
    }

    private void fetchPage(Access access) {
        QueueScan.Page page = scan.page(access, segment, ticket, Math.min(ticket + QueueScan.PAGE, segments.slots()));
        List<Leftovers.SlotAt> waiting = new ArrayList<>();
        int to = page.from();
        long bytes = 0;
        for (; to < page.to() && waiting.size() < QueueScan.HELD_MAX && bytes < Redemption.READ_BYTES_MAX; to++) {
            if (page.isWaiting(to)) {
                waiting.add(new Leftovers.SlotAt(segment, to, page.word(to)));
                bytes += QueueSlot.lengthBytes(page.word(to));
            }
        }
        List<Taken<E>> elements = waiting.isEmpty() ? List.of() : scan.elements(access, waiting);
        ahead.addAll(elements);
        ticket = to;
        if (to == page.to() && page.isLast()) {
            isAtEnd = true;
        } else if (to == segments.slots()) {
            segment = page.next();
            ticket = 0;
        }
    }
}
