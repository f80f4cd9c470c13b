package io.leasehold.structures;

import java.time.Duration;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// Random concurrent histories on small segments, each from a seed that a failure names.
@Timeout(300)
final class QueueHistoriesTest {
    private static final int SEEDS = Integer.getInteger("leasehold.seeds", 60);
    private static final long FIRST_SEED = Long.getLong("leasehold.seed", 1);

    private static QueueOptions small() {
        // So short that slots get poisoned often.
        return QueueOptions.unbounded().withSlotsPerSegment(4).withPatience(Duration.ofNanos(1_000));
    }

    @Test
    void unbounded() throws InterruptedException {
        for (long seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed++) {
            run(seed, small(), false);
        }
    }

    @Test
    void bounded() throws InterruptedException {
        for (long seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed++) {
            run(seed, small().withCapacity(1 + (int) (seed % 9)), false);
        }
    }

    @Test
    void unboundedWithLeasesThatEndAndConnectionsThatBreak() throws InterruptedException {
        for (long seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed++) {
            run(seed, small(), true);
        }
    }

    @Test
    void boundedWithLeasesThatEndAndConnectionsThatBreak() throws InterruptedException {
        for (long seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed++) {
            run(seed, small().withCapacity(1 + (int) (seed % 9)), true);
        }
    }

    /// Producers that put runs, and consumers at their heels: slots get poisoned in the midst of a run.
    @Test
    void runsOfElements() throws InterruptedException {
        for (long seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed++) {
            try (QueueWorkload load = new QueueWorkload(seed, small().withSlotsPerSegment(16))) {
                Random random = new Random(~seed);
                for (int i = 0; i < 5; i++) {
                    QueueWorkload.Client client = load.client(i < 2 ? 15 : 40, i < 2 ? 0 : 1, true);
                    stalls(client.memory(), new Random(random.nextLong()));
                }
                load.run();
                load.drainRest();
                load.checkOrder();
                load.checkNothingLost();
            }
        }
    }

    private static void run(long seed, QueueOptions options, boolean withFaults) throws InterruptedException {
        try (QueueWorkload load = new QueueWorkload(seed, options)) {
            Random random = new Random(~seed);
            int clients = 2 + random.nextInt(4);
            for (int i = 0; i < clients; i++) {
                QueueWorkload.Client client = load.client(20 + random.nextInt(40), 0.2 + 0.6 * random.nextDouble(), true);
                stalls(client.memory(), new Random(random.nextLong()));
                if (withFaults) {
                    faults(client.memory(), new Random(random.nextLong()));
                }
            }
            load.run();
            load.drainRest();
            load.checkOrder();
            load.checkNothingLost();
            if (!withFaults) {
                load.checkNothingLeaks(3);
            }
        }
    }

    /// Now and then a client does nothing for so long that others lose patience with it.
    private static void stalls(SimulatedMemory memory, Random random) {
        memory.hook((client, verb, address) -> {
            if (random.nextInt(25) == 0) {
                for (int i = random.nextInt(100); i > 0; i--) {
                    client.node().schedule.step(100);
                }
            }
        });
    }

    private static void faults(SimulatedMemory memory, Random random) {
        memory.faults((verb, address) -> random.nextInt(60) == 0 ? SimulatedMemory.Fault.STALE : SimulatedMemory.Fault.NONE);
        memory.breaks(SimulatedMemory.Breaks.at(15, new Random(random.nextLong())));
    }
}
