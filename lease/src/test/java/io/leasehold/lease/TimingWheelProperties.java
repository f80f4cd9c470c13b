package io.leasehold.lease;

import static org.assertj.core.api.Assertions.assertThat;

import io.leasehold.lease.TimingWheel.Timer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import net.jqwik.api.Example;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;

/// The wheel against a table of deadlines.
final class TimingWheelProperties {
    private static final long TICK = 1024;

    @Property(tries = 300)
    void whatIsDueComesOnceAndInTime(@ForAll long seed, @ForAll long base, @ForAll @IntRange(min = 0, max = 50) int spread) {
        Random random = new Random(seed);
        long now = base;
        TimingWheel<Integer> wheel = new TimingWheel<>(base);
        List<Timer<Integer>> timers = new ArrayList<>();
        Map<Integer, Long> deadlines = new HashMap<>();
        for (int step = 0; step < 200; step++) {
            switch (random.nextInt(4)) {
                case 0, 1 -> {
                    int id = random.nextInt(30);
                    while (timers.size() <= id) {
                        timers.add(new Timer<>(timers.size()));
                    }
                    long deadline = now + random.nextLong(1L << random.nextInt(spread + 1)) - random.nextInt(3);
                    wheel.set(timers.get(id), deadline);
                    deadlines.put(id, deadline);
                }
                case 2 -> {
                    if (!timers.isEmpty()) {
                        int id = random.nextInt(timers.size());
                        wheel.cancel(timers.get(id));
                        deadlines.remove(id);
                    }
                }
                default -> {
                    now += random.nextLong(1L << random.nextInt(spread + 1));
                    List<Integer> due = new ArrayList<>();
                    wheel.expire(now, due);
                    checkDue(due, deadlines, now);
                }
            }
            check(wheel, timers, deadlines, now);
        }
    }

    private static void checkDue(List<Integer> due, Map<Integer, Long> deadlines, long now) {
        assertThat(due).doesNotHaveDuplicates();
        for (int id : due) {
            assertThat(deadlines.get(id)).as("a timer that fires is set").isNotNull();
            assertThat(deadlines.remove(id) - now).as("nanoseconds to its deadline").isNotPositive();
        }
        deadlines.forEach((id, deadline) -> assertThat(deadline - now).as("timer %d still waits", id).isGreaterThan(-TICK));
    }

    private static void check(TimingWheel<Integer> wheel, List<Timer<Integer>> timers, Map<Integer, Long> deadlines, long now) {
        assertThat(wheel.size()).isEqualTo(deadlines.size());
        timers.forEach(timer -> assertThat(timer.isSet()).isEqualTo(deadlines.containsKey(timer.payload())));
        long next = wheel.nextNanos();
        if (deadlines.isEmpty()) {
            assertThat(next).isEqualTo(Long.MAX_VALUE);
        } else {
            long first = deadlines.values().stream().mapToLong(deadline -> deadline - now).min().orElseThrow();
            assertThat(next - now).as("the wheel wakes before the first timer").isLessThan(Math.max(first, 0) + TICK);
        }
    }

    @Example
    void theWheelSkipsWhatIsEmpty() {
        TimingWheel<String> wheel = new TimingWheel<>(0);
        long hour = 3_600_000_000_000L;
        wheel.set(new Timer<>("late"), hour);
        List<String> due = new ArrayList<>();
        int wakes = 0;
        while (due.isEmpty()) {
            wheel.expire(wheel.nextNanos(), due);
            wakes++;
        }
        assertThat(wakes).isLessThanOrEqualTo(8);
    }
}
