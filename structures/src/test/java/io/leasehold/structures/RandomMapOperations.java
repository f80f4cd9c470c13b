package io.leasehold.structures;

import io.leasehold.lease.OutcomeUnknownException;
import io.leasehold.testkit.history.History;
import io.leasehold.testkit.history.Operation;
import io.leasehold.testkit.history.Operation.Kind;
import java.util.List;
import java.util.Random;
import org.jspecify.annotations.Nullable;

/// Random operations of one client, and what they answered.
///
/// @param log where they are recorded
/// @param random chooses them
/// @param values what is expected by conditional operations is below this
record RandomMapOperations(History.Log log, Random random, long values) {
    private static final List<Kind> KINDS = List.of(Kind.GET, Kind.PUT, Kind.PUT_IF_ABSENT, Kind.REMOVE, Kind.REMOVE_IF,
            Kind.REPLACE, Kind.REPLACE_IF, Kind.COMPUTE);

    /// Carries out one operation on `key`, which writes `value` if it writes.
    void next(RemoteHashMap<Long, Long> map, long key, long value) {
        String name = Long.toString(key);
        long expected = random.nextLong(values);
        Kind kind = KINDS.get(random.nextInt(KINDS.size()));
        long before = log.now();
        long[] seen = {value, value};
        try {
            long result = switch (kind) {
                case GET -> result(map.get(key));
                case PUT -> result(map.put(key, value));
                case PUT_IF_ABSENT -> result(map.putIfAbsent(key, value));
                case REMOVE -> result(map.remove(key));
                case REMOVE_IF -> map.remove(key, seen[0] = expected) ? 1 : 0;
                case REPLACE -> result(map.replace(key, value));
                case REPLACE_IF -> map.replace(key, seen[0] = expected, value) ? 1 : 0;
                case COMPUTE -> result(map.compute(key, (same, present) -> {
                    seen[0] = result(present);
                    seen[1] = random.nextInt(4) == 0 ? Operation.NONE : value;
                    return seen[1] == Operation.NONE ? null : seen[1];
                }));
                default -> throw new AssertionError(kind);
            };
            log.returned(kind, name, seen[0], seen[1], result, before);
        } catch (Schedule.Killed e) {
            log.pending(kind, name, seen[0], seen[1], before);
            throw e;
        } catch (OutcomeUnknownException e) {
            log.pending(kind, name, seen[0], seen[1], before);
        }
    }

    private static long result(@Nullable Long value) {
        return value == null ? Operation.NONE : value;
    }
}
