package io.leasehold.lease;

import static org.assertj.core.api.Assertions.assertThat;

import io.leasehold.lease.RangeLocks.Claim;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.SplittableRandom;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.IntStream;
import net.jqwik.api.Assume;
import net.jqwik.api.Example;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;

/// The lock table against a list of claims in the order they were made.
final class RangeLocksProperties {
    private record Wanted(LeaseMode mode, int start, int end) {
        boolean conflictsWith(Wanted other) {
            return mode.conflictsWith(other.mode) && start < other.end && other.start < end;
        }
    }

    @Property(tries = 300)
    void claimsAreHeldAsTheListSays(@ForAll long seed, @ForAll @IntRange(min = 1, max = 200) int space) {
        Random random = new Random(seed);
        RangeLocks<Integer> locks = new RangeLocks<>(random);
        Map<Integer, Wanted> model = new LinkedHashMap<>();
        Map<Integer, Claim<Integer>> claims = new LinkedHashMap<>();
        for (int step = 0; step < 150; step++) {
            if (claims.isEmpty() || random.nextInt(5) < 3) {
                int start = random.nextInt(space);
                int end = start + 1 + random.nextInt(space);
                LeaseMode mode = LeaseMode.values()[random.nextInt(3)];
                model.put(step, new Wanted(mode, start, end));
                claims.put(step, locks.claim(step, mode, start, end));
            } else {
                List<Integer> ids = new ArrayList<>(claims.keySet());
                int id = ids.get(random.nextInt(ids.size()));
                List<Integer> waiting = ids.stream().filter(other -> other != id && !claims.get(other).isHeld()).toList();
                List<Integer> held = new ArrayList<>();
                locks.release(claims.remove(id), held::add);
                model.remove(id);
                assertThat(held).as("told in order").isEqualTo(
                        waiting.stream().filter(other -> claims.get(other).isHeld()).toList());
            }
            claims.forEach((id, claim) -> assertThat(claim.isHeld()).as("claim %d", id).isEqualTo(isHeld(id, model)));
            assertThat(locks.size()).isEqualTo(
                    (int) model.values().stream().filter(wanted -> wanted.mode != LeaseMode.UNCHECKED).count());
        }
    }

    /// Held iff no earlier claim conflicts, which is stronger than that no held claim does.
    private static boolean isHeld(int id, Map<Integer, Wanted> model) {
        Wanted wanted = model.get(id);
        return model.entrySet().stream().noneMatch(other -> other.getKey() < id && other.getValue().conflictsWith(wanted));
    }

    /// Priorities that a client could work out would let it choose the shape of the tree by the order of its requests: a list,
    /// whose depth is the number of claims.
    @Property(tries = 5)
    void noOrderOfClaimsMakesTheTableDeep(@ForAll long seed, @ForAll long guessedSeed) throws InterruptedException {
        Assume.that(seed != guessedSeed);
        SplittableRandom guessed = new SplittableRandom(guessedSeed);
        int claims = 1 << 16;
        int[] priorities = new int[claims];
        Arrays.setAll(priorities, _ -> guessed.nextInt());
        List<Integer> descending = new ArrayList<>(IntStream.range(0, claims).boxed().toList());
        descending.sort((a, b) -> Integer.compare(priorities[b], priorities[a]));
        int[] starts = new int[claims];
        for (int rank = 0; rank < claims; rank++) {
            starts[descending.get(rank)] = rank;
        }
        AtomicReference<Throwable> failure = new AtomicReference<>();
        Thread shallow = new Thread(null, () -> {
            RangeLocks<Integer> locks = new RangeLocks<>(new SplittableRandom(seed));
            List<Claim<Integer>> made = new ArrayList<>();
            for (int start : starts) {
                made.add(locks.claim(start, LeaseMode.SHARED, start, start + 1));
            }
            made.forEach(claim -> locks.release(claim, _ -> { }));
        }, "a small stack", 256 << 10);
        shallow.setUncaughtExceptionHandler((_, e) -> failure.set(e));
        shallow.start();
        shallow.join();
        assertThat(failure.get()).isNull();
    }

    @Example
    void aWriterIsNotStarvedByReaders() {
        RangeLocks<String> locks = new RangeLocks<>(new SplittableRandom(1));
        Claim<String> reader = locks.claim("reader", LeaseMode.SHARED, 0, 10);
        Claim<String> writer = locks.claim("writer", LeaseMode.EXCLUSIVE, 9, 20);
        Claim<String> late = locks.claim("late reader", LeaseMode.SHARED, 19, 30);
        Claim<String> elsewhere = locks.claim("elsewhere", LeaseMode.EXCLUSIVE, 30, 31);
        assertThat(reader.isHeld()).isTrue();
        assertThat(writer.isHeld()).isFalse();
        assertThat(late.isHeld()).as("waits behind the writer").isFalse();
        assertThat(elsewhere.isHeld()).isTrue();
        List<String> held = new ArrayList<>();
        locks.release(writer, held::add);
        assertThat(held).as("a writer that gives up lets the reader pass").containsExactly("late reader");
    }
}
