package io.leasehold.testkit.history;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/// Whether a history could be that of a first-in-first-out queue, for histories in which no value is enqueued twice.
///
/// Looks for the four ways in which a history can fail to be (Henzinger, Sezgin, Vafeiadis, CONCUR 2013): a value that was never
/// enqueued, a value dequeued twice, two values that leave in the wrong order, and "empty" although at each moment some value was
/// certainly inside. Takes O(n log n), so it checks hundreds of thousands of operations.
///
/// Operations that never returned may have taken effect or not, and a dequeue that never returned may have taken any value: with
/// such operations, or with a capacity, the check never refuses what is right, but may accept some of what is wrong.
public final class FifoQueue {
    private FifoQueue() {
    }

    /// Where one value was.
    private static final class Stay {
        final Operation enqueue;
        @Nullable Operation dequeue;

        Stay(Operation enqueue) {
            this.enqueue = enqueue;
        }

        /// From here on it was certainly inside, if it was enqueued at all.
        long insideFrom() {
            return enqueue.returnedNanos();
        }

        /// Until here it was certainly inside.
        long insideUntil() {
            return dequeue == null ? Long.MAX_VALUE : dequeue.invokedNanos();
        }

        long goneAt() {
            return dequeue == null ? Long.MAX_VALUE : dequeue.returnedNanos();
        }
    }

    /// Fails unless `operations` can be the history of an unbounded queue.
    public static void check(List<Operation> operations) {
        check(operations, Integer.MAX_VALUE);
    }

    /// Fails unless `operations` can be the history of a queue that holds up to `capacity` elements, at first none.
    ///
    /// @throws AssertionError naming the operations that cannot be reconciled
    public static void check(List<Operation> operations, int capacity) {
        Map<Long, Stay> stays = stays(operations);
        long[] pendingDequeues = operations.stream()
                .filter(operation -> operation.kind() == Operation.Kind.DEQUEUE && operation.isPending())
                .mapToLong(Operation::invokedNanos).sorted().toArray();
        checkOrder(new ArrayList<>(stays.values()), pendingDequeues);
        checkEmpty(operations, stays.values(), pendingDequeues.length);
        if (capacity != Integer.MAX_VALUE) {
            checkCapacity(operations, stays.values(), pendingDequeues.length, capacity);
        }
    }

    private static Map<Long, Stay> stays(List<Operation> operations) {
        Map<Long, Stay> stays = new HashMap<>();
        for (Operation operation : operations) {
            boolean entered = operation.kind() == Operation.Kind.ENQUEUE && (operation.isPending() || operation.result() == 1);
            if (entered && stays.put(operation.argument(), new Stay(operation)) != null) {
                throw new IllegalArgumentException("enqueued twice, which this check cannot handle: " + operation);
            }
        }
        for (Operation operation : operations) {
            if (operation.kind() != Operation.Kind.DEQUEUE || operation.isPending() || operation.result() == Operation.NONE) {
                continue;
            }
            Stay stay = stays.get(operation.result());
            if (stay == null || stay.enqueue.invokedNanos() > operation.returnedNanos()) {
                throw new AssertionError("dequeued what had not been enqueued: " + operation);
            }
            if (stay.dequeue != null) {
                throw new AssertionError("dequeued twice: " + stay.dequeue + " and " + operation);
            }
            stay.dequeue = operation;
        }
        return stays;
    }

    /// If `a` was enqueued before `b` was, then `b` must not have left before `a` began to.
    ///
    /// @param pendingDequeues when the dequeues that never returned were called, in order; each may have taken one value
    private static void checkOrder(List<Stay> stays, long[] pendingDequeues) {
        Stay[] byEntry = stays.toArray(Stay[]::new);
        Arrays.sort(byEntry, Comparator.comparingLong(stay -> stay.enqueue.invokedNanos()));
        Stay[] byReturn = stays.stream().filter(stay -> !stay.enqueue.isPending()).toArray(Stay[]::new);
        Arrays.sort(byReturn, Comparator.comparingLong(Stay::insideFrom));
        int entered = 0;
        Stay latest = null;
        List<Stay> lost = new ArrayList<>();
        for (Stay b : byEntry) {
            while (entered < byReturn.length && byReturn[entered].insideFrom() < b.enqueue.invokedNanos()) {
                Stay a = byReturn[entered++];
                if (a.dequeue == null) {
                    lost.add(a);
                } else if (latest == null || a.insideUntil() > latest.insideUntil()) {
                    latest = a;
                }
            }
            if (latest != null && b.goneAt() < latest.insideUntil()) {
                throw new AssertionError("wrong order: " + latest.enqueue + "\n  came before " + b.enqueue + "\n  but "
                        + b.dequeue + "\n  had returned before " + latest.dequeue + " was called");
            }
            if (b.dequeue != null && lost.size() > before(pendingDequeues, b.goneAt())) {
                throw new AssertionError("never dequeued: " + lost.getFirst().enqueue + "\n  though it came before "
                        + b.enqueue + "\n  which left by " + b.dequeue + "; dequeues that may have taken it: "
                        + before(pendingDequeues, b.goneAt()));
            }
        }
    }

    /// How many of the sorted `times` are before `end`.
    private static int before(long[] times, long end) {
        int found = Arrays.binarySearch(times, end);
        while (found > 0 && times[found - 1] == end) {
            found--;
        }
        return found < 0 ? -found - 1 : found;
    }

    /// "Empty" needs a moment at which no more values were certainly inside than may have left unseen.
    private static void checkEmpty(List<Operation> operations, Iterable<Stay> stays, int pendingDequeues) {
        NavigableMap<Long, Long> occupied = moreThan(pendingDequeues, stays);
        for (Operation operation : operations) {
            if (operation.kind() == Operation.Kind.DEQUEUE && !operation.isPending() && operation.result() == Operation.NONE) {
                Map.Entry<Long, Long> around = occupied.lowerEntry(operation.invokedNanos());
                if (around != null && around.getValue() > operation.returnedNanos()) {
                    throw new AssertionError("found empty, though something was inside from " + around.getKey() + " to "
                            + around.getValue() + ": " + operation);
                }
            }
        }
    }

    /// The intervals, from begin to end, during which more than `count` values were certainly inside.
    private static NavigableMap<Long, Long> moreThan(int count, Iterable<Stay> stays) {
        NavigableMap<Long, Long> intervals = new TreeMap<>();
        int inside = 0;
        long begin = 0;
        for (long[] event : certain(stays)) {
            inside += (int) event[1];
            if (inside == count + 1 && event[1] > 0) {
                begin = event[0];
            } else if (inside == count && event[1] < 0 && begin < event[0]) {
                intervals.put(begin, event[0]);
            }
        }
        return intervals;
    }

    /// The moments at which a value begins (+1) or ceases (-1) to be certainly inside. Departures come first: at the very
    /// moment a value need not be inside.
    private static List<long[]> certain(Iterable<Stay> stays) {
        List<long[]> events = new ArrayList<>();
        for (Stay stay : stays) {
            if (!stay.enqueue.isPending() && stay.insideFrom() < stay.insideUntil()) {
                events.add(new long[] {stay.insideFrom(), 1});
                events.add(new long[] {stay.insideUntil(), -1});
            }
        }
        events.sort(Comparator.<long[]>comparingLong(event -> event[0]).thenComparingLong(event -> event[1]));
        return events;
    }

    /// Never more than `capacity` certainly inside, and "full" needs a moment at which that many can have been inside.
    private static void checkCapacity(List<Operation> operations, Iterable<Stay> stays, int pendingDequeues,
            int capacity) {
        List<long[]> possible = new ArrayList<>();
        for (Stay stay : stays) {
            possible.add(new long[] {stay.enqueue.invokedNanos(), 1});
            possible.add(new long[] {stay.goneAt(), -1});
        }
        int count = 0;
        for (long[] event : certain(stays)) {
            count += (int) event[1];
            if (count - pendingDequeues > capacity) {
                throw new AssertionError(count + " elements certainly inside at " + event[0] + ", capacity " + capacity);
            }
        }
        possible.sort(Comparator.<long[]>comparingLong(event -> event[0]).thenComparingLong(event -> -event[1]));
        long[] times = possible.stream().mapToLong(event -> event[0]).toArray();
        int[] counts = new int[times.length];
        count = 0;
        for (int i = 0; i < times.length; i++) {
            count += (int) possible.get(i)[1];
            counts[i] = count;
        }
        for (Operation operation : operations) {
            if (operation.kind() == Operation.Kind.ENQUEUE && !operation.isPending() && operation.result() == 0
                    && mostDuring(times, counts, operation) < capacity) {
                throw new AssertionError("found full, though it never can have been: " + operation + ", capacity " + capacity);
            }
        }
    }

    private static int mostDuring(long[] times, int[] counts, Operation operation) {
        int from = before(times, operation.invokedNanos());
        int most = from > 0 ? counts[from - 1] : 0;
        for (int i = from; i < times.length && times[i] <= operation.returnedNanos(); i++) {
            most = Math.max(most, counts[i]);
        }
        return most;
    }
}
