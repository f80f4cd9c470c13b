package io.leasehold.structures;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.leasehold.lease.Failures;
import io.leasehold.lease.OutcomeUnknownException;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/// Operations whose connection breaks around a compare-and-swap: they find out by themselves how it went, and leave it to the
/// caller only where nobody can know.
class RemoteHashMapDoubtTest {
    private final MapWorld world = new MapWorld();
    private final SimulatedMemory simulated = world.client();
    private final WatchedMemory memory = new WatchedMemory(simulated);
    private final RemoteHashMap<String, String> map = world.open(memory);
    private final RemoteHashMap<String, String> other = world.open();

    @AfterEach
    void close() {
        world.close();
    }

    /// An operation, whether the key is present, how many swaps it makes, what it returns and what it leaves.
    record Case(String name, boolean present, int swaps, Function<RemoteHashMap<String, String>, @Nullable Object> operation,
            @Nullable Object result, Map<String, String> left) {
        @Override
        public String toString() {
            return name;
        }
    }

    private static final List<Case> CASES = List.of(
            new Case("insertion", false, 2, map -> map.put("key", "new"), null, Map.of("key", "new")),
            new Case("putIfAbsent", false, 2, map -> map.putIfAbsent("key", "new"), null, Map.of("key", "new")),
            new Case("put", true, 1, map -> map.put("key", "new"), "old", Map.of("key", "new")),
            new Case("replace", true, 1, map -> map.replace("key", "old", "new"), true, Map.of("key", "new")),
            new Case("merge", true, 1, map -> map.merge("key", "+", String::concat), "old+", Map.of("key", "old+")),
            new Case("remove", true, 1, map -> map.remove("key"), "old", Map.of()));

    static Stream<Arguments> swaps() {
        return CASES.stream().flatMap(
                each -> IntStream.rangeClosed(1, each.swaps).mapToObj(swap -> Arguments.of(each, swap)));
    }

    @ParameterizedTest
    @MethodSource("swaps")
    void anOperationGoesOnIfItsSwapWasNotCarriedOut(Case operation, int swap) {
        begin(operation);
        int[] left = {swap};
        simulated.hook((at, verb, address) -> {
            if (verb.equals("CAS") && --left[0] == 0) {
                throw Failures.outcomeUnknown();
            }
        });

        assertThat(operation.operation.apply(map)).isEqualTo(operation.result);

        assertThat(left[0]).isNegative();
        check(operation);
    }

    @ParameterizedTest
    @MethodSource("swaps")
    void anOperationHasTakenEffectIfItsSwapWasCarriedOut(Case operation, int swap) {
        begin(operation);
        memory.leaveInDoubt(swap, () -> {
        });

        if (operation.name.equals("remove")) {
            // The slot is empty; who emptied it does not show.
            assertThatThrownBy(() -> operation.operation.apply(map)).isInstanceOf(OutcomeUnknownException.class);
        } else {
            assertThat(operation.operation.apply(map)).isEqualTo(operation.result);
        }

        check(operation);
    }

    @Test
    void theCallerIsToldThatNobodyKnowsIfTheEntryHasChangedSince() {
        map.put("key", "old");
        memory.leaveInDoubt(1, () -> other.put("key", "other"));

        assertThatThrownBy(() -> map.put("key", "new")).isInstanceOf(OutcomeUnknownException.class);

        assertThat(map.get("key")).isEqualTo("other");
    }

    @Test
    void theOthersOfABatchAreCarriedOutAllTheSame() {
        map.put("key 1", "old");
        memory.leaveInDoubt(1, () -> other.put("key 1", "other"));

        assertThatThrownBy(() -> map.putAll(Map.of("key 1", "new", "key 2", "new", "key 3", "new")))
                .isInstanceOf(OutcomeUnknownException.class);

        assertThat(other).containsAllEntriesOf(Map.of("key 2", "new", "key 3", "new"));
    }

    /// A split is no part of what the caller asked for, and can be tried again: whether it got on is nobody's doubt.
    @Test
    void anInsertionThatSplitsIsNotInDoubtBecauseTheSplitIs() {
        Map<String, String> expected = new HashMap<>();
        for (int i = 0; i < 500; i++) {
            memory.leaveInDoubt(1 + i % 40, () -> {
            });
            map.put("key " + i, "value");
            expected.put("key " + i, "value");
        }

        assertThat(other).isEqualTo(expected);
    }

    private void begin(Case operation) {
        map.get("warm");
        if (operation.present) {
            map.put("key", "old");
        }
    }

    private void check(Case operation) {
        assertThat(other).isEqualTo(operation.left);
        assertThat(other.mappingCount()).isEqualTo(operation.left.size());
        if (!operation.name.equals("remove")) {
            assertThat(world.node.allocatedBytes()).isEqualTo(world.bytesOf(operation.left.size()));
        }
    }
}
