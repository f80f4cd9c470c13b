package io.leasehold.lease;

import java.util.function.Consumer;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;

/// A set of intervals, any of which may overlap, that finds those that overlap a given one in O(log n) plus O(log n) for each
/// found.
///
/// A treap ordered by start whose nodes know the greatest end below them. For one thread.
final class IntervalIndex<E> {
    private final RandomGenerator priorities;
    private @Nullable Interval<E> root;
    private long added;
    private int size;

    /// `[start, end)` of `value`; in at most one index.
    static final class Interval<E> {
        private final long start;
        private final long end;
        private final E value;
        private long order;
        private int priority;
        private long endMax;
        private @Nullable Interval<E> left;
        private @Nullable Interval<E> right;

        Interval(long start, long end, E value) {
            if (start >= end) {
                throw new IllegalArgumentException("[" + start + ", " + end + ") is empty");
            }
            this.start = start;
            this.end = end;
            this.value = value;
        }

        boolean isBefore(Interval<E> other) {
            return start != other.start ? start < other.start : order < other.order;
        }

        private void update() {
            long max = end;
            if (left != null && left.endMax > max) {
                max = left.endMax;
            }
            if (right != null && right.endMax > max) {
                max = right.endMax;
            }
            endMax = max;
        }
    }

    /// @param priorities the shape of the tree depends on them and on the order of calls alone. They must be unknown to whoever
    ///     chooses the intervals, or the tree can be made a list
    IntervalIndex(RandomGenerator priorities) {
        this.priorities = priorities;
    }

    int size() {
        return size;
    }

    void add(Interval<E> interval) {
        interval.order = ++added;
        interval.priority = priorities.nextInt();
        interval.left = null;
        interval.right = null;
        interval.endMax = interval.end;
        root = insert(root, interval);
        size++;
    }

    /// Takes out an interval that is in this index.
    void remove(Interval<E> interval) {
        root = delete(root, interval);
        size--;
    }

    /// Has `found` see every value whose interval overlaps `[start, end)`; it must not change the index.
    void forEachOverlapping(long start, long end, Consumer<? super E> found) {
        visit(root, start, end, found);
    }

    private static <E> void visit(@Nullable Interval<E> node, long start, long end, Consumer<? super E> found) {
        Interval<E> at = node;
        while (at != null && at.endMax > start) {
            visit(at.left, start, end, found);
            if (at.start >= end) {
                return;
            }
            if (at.end > start) {
                found.accept(at.value);
            }
            at = at.right;
        }
    }

    private static <E> Interval<E> insert(@Nullable Interval<E> node, Interval<E> added) {
        if (node == null) {
            return added;
        }
        if (added.isBefore(node)) {
            Interval<E> child = insert(node.left, added);
            node.left = child;
            return child.priority > node.priority ? rotateRight(node, child) : updated(node);
        }
        Interval<E> child = insert(node.right, added);
        node.right = child;
        return child.priority > node.priority ? rotateLeft(node, child) : updated(node);
    }

    private static <E> @Nullable Interval<E> delete(@Nullable Interval<E> node, Interval<E> removed) {
        if (node == null) {
            throw new IllegalArgumentException("[" + removed.start + ", " + removed.end + ") is not in the index");
        }
        if (node == removed) {
            return join(node.left, node.right);
        }
        if (removed.isBefore(node)) {
            node.left = delete(node.left, removed);
        } else {
            node.right = delete(node.right, removed);
        }
        return updated(node);
    }

    private static <E> @Nullable Interval<E> join(@Nullable Interval<E> low, @Nullable Interval<E> high) {
        if (low == null || high == null) {
            return low == null ? high : low;
        }
        if (low.priority > high.priority) {
            low.right = join(low.right, high);
            return updated(low);
        }
        high.left = join(low, high.left);
        return updated(high);
    }

    private static <E> Interval<E> rotateRight(Interval<E> node, Interval<E> child) {
        node.left = child.right;
        child.right = updated(node);
        return updated(child);
    }

    private static <E> Interval<E> rotateLeft(Interval<E> node, Interval<E> child) {
        node.right = child.left;
        child.left = updated(node);
        return updated(child);
    }

    private static <E> Interval<E> updated(Interval<E> node) {
        node.update();
        return node;
    }
}
