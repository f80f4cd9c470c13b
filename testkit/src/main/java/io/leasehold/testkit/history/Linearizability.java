package io.leasehold.testkit.history;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.Comparator;
import java.util.Deque;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/// Whether a history is linearizable: whether its operations can be put in one order that the specification allows and that keeps
/// the order of operations that did not overlap.
///
/// The search is Wing and Gong's (1993) with Lowe's memory of the pairs (set of operations placed, state) that led nowhere
/// (2017). It takes exponential time at worst, in the number of operations that overlap, not in the length of the history.
public final class Linearizability {
    private static final int EXCERPT = 24;

    private Linearizability() {
    }

    /// Fails unless the operations on each object are linearizable.
    ///
    /// @throws AssertionError with an excerpt of the operations around the first that cannot be placed
    public static <S> void checkEach(List<Operation> operations, Specification<S> specification) {
        Map<String, List<Operation>> byObject =
                operations.stream().collect(Collectors.groupingBy(Operation::object, TreeMap::new, Collectors.toList()));
        byObject.values().forEach(history -> check(history, specification));
    }

    /// Fails unless the operations, all on one object, are linearizable.
    public static <S> void check(List<Operation> operations, Specification<S> specification) {
        Search<S> search = new Search<>(operations, specification);
        if (!search.succeeds()) {
            throw new AssertionError(search.explanation());
        }
    }

    /// Whether the operations, all on one object, are linearizable.
    public static <S> boolean holds(List<Operation> operations, Specification<S> specification) {
        return new Search<>(operations, specification).succeeds();
    }

    /// A call or a return in the order of time; a doubly linked list, from which placed operations are lifted.
    private static final class Event {
        final int operation;
        final boolean isCall;
        final long nanos;
        @Nullable Event match;
        Event before;
        Event after;

        Event(int operation, boolean isCall, long nanos) {
            this.operation = operation;
            this.isCall = isCall;
            this.nanos = nanos;
            before = this;
            after = this;
        }

        void lift() {
            before.after = after;
            after.before = before;
        }

        void unlift() {
            before.after = this;
            after.before = this;
        }
    }

    private record Seen<S>(BitSet placed, S state) {
    }

    private record Choice<S>(Event call, S before) {
    }

    private static final class Search<S> {
        private final List<Operation> operations;
        private final Specification<S> specification;
        private final Event head = new Event(-1, false, Long.MIN_VALUE);
        private int longest;
        private List<Integer> longestOrder = List.of();
        private @Nullable Operation stuckAt;
        private int completed;

        Search(List<Operation> operations, Specification<S> specification) {
            this.operations = operations;
            this.specification = specification;
            link();
        }

        private void link() {
            List<Event> events = new ArrayList<>();
            for (int i = 0; i < operations.size(); i++) {
                Operation operation = operations.get(i);
                Event call = new Event(i, true, operation.invokedNanos());
                Event end = new Event(i, false, operation.returnedNanos());
                call.match = end;
                events.add(call);
                events.add(end);
                completed += operation.isPending() ? 0 : 1;
            }
            // Calls before returns of the same moment: those operations overlap.
            events.sort(Comparator.<Event>comparingLong(event -> event.nanos).thenComparing(event -> !event.isCall));
            Event last = head;
            for (Event event : events) {
                last.after = event;
                event.before = last;
                last = event;
            }
            last.after = head;
            head.before = last;
        }

        boolean succeeds() {
            Set<Seen<S>> seen = new HashSet<>();
            Deque<Choice<S>> choices = new ArrayDeque<>();
            BitSet placed = new BitSet(operations.size());
            S state = specification.initial();
            int done = 0;
            Event event = head.after;
            while (done < completed) {
                if (event.isCall) {
                    S next = specification.step(state, operations.get(event.operation));
                    boolean fresh = false;
                    if (next != null) {
                        placed.set(event.operation);
                        fresh = seen.add(new Seen<>((BitSet) placed.clone(), next));
                        placed.clear(event.operation);
                    }
                    if (next == null || !fresh) {
                        event = event.after;
                        continue;
                    }
                    choices.push(new Choice<>(event, state));
                    placed.set(event.operation);
                    state = next;
                    done += operations.get(event.operation).isPending() ? 0 : 1;
                    remove(event);
                    event = head.after;
                } else {
                    // A return of an operation that is not placed, or the end: go back.
                    note(choices, event);
                    if (choices.isEmpty()) {
                        return false;
                    }
                    Choice<S> last = choices.pop();
                    state = last.before;
                    placed.clear(last.call.operation);
                    done -= operations.get(last.call.operation).isPending() ? 0 : 1;
                    restore(last.call);
                    event = last.call.after;
                }
            }
            return true;
        }

        private void note(Deque<Choice<S>> choices, Event at) {
            if (choices.size() >= longest && at != head) {
                longest = choices.size();
                longestOrder = choices.stream().limit(EXCERPT).map(choice -> choice.call.operation).toList();
                stuckAt = operations.get(at.operation);
            }
        }

        private static void remove(Event call) {
            call.lift();
            if (call.match != null) {
                call.match.lift();
            }
        }

        private static void restore(Event call) {
            if (call.match != null) {
                call.match.unlift();
            }
            call.unlift();
        }

        String explanation() {
            StringBuilder text = new StringBuilder("not linearizable: after placing " + longest + " of " + operations.size()
                    + " operations, this one returned and cannot be placed:\n  " + stuckAt + "\nplaced last, newest first:\n");
            longestOrder.forEach(i -> text.append("  ").append(operations.get(i)).append('\n'));
            Operation stuck = stuckAt;
            if (stuck != null) {
                text.append("overlapping it:\n");
                operations.stream().filter(other -> other != stuck && other.invokedNanos() <= stuck.returnedNanos()
                        && other.returnedNanos() >= stuck.invokedNanos()).limit(EXCERPT)
                        .forEach(other -> text.append("  ").append(other).append('\n'));
            }
            return text.toString();
        }
    }
}
