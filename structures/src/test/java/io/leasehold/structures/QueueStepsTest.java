package io.leasehold.structures;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/// A client stops at each of its steps in turn, for ever or until others have recycled what it was looking at; the others must
/// not notice, and it must find its way.
final class QueueStepsTest {
    /// Segments of four slots, 6 of which hold what is there before: 3 full, and a half.
    private static final QueueOptions OPTIONS =
            QueueOptions.unbounded().withSlotsPerSegment(4).withVisibility(Duration.ofMillis(50));
    private static final int BEFORE = 6;
    private static final int STEPS_MAX = 300;

    /// What the client does that stops.
    private static Map<String, Consumer<QueueWorkload.Client>> operations() {
        Map<String, Consumer<QueueWorkload.Client>> operations = new LinkedHashMap<>();
        operations.put("offer", QueueWorkload.Client::offer);
        operations.put("offer four, over the end of a segment", client -> {
            for (int i = 0; i < 4; i++) {
                client.offer();
            }
        });
        operations.put("addAll", client -> client.addAll(7));
        operations.put("poll", QueueWorkload.Client::poll);
        operations.put("poll six, over the end of a segment", client -> {
            for (int i = 0; i < 6; i++) {
                client.poll();
            }
        });
        operations.put("drainTo", client -> client.drain(5));
        operations.put("peek", client -> client.queue.peek());
        operations.put("size", client -> client.queue.size());
        operations.put("isEmpty", client -> client.queue.isEmpty());
        operations.put("iterate", client -> client.queue.forEach(element -> { }));
        operations.put("remove from the middle", client -> client.removeFirst());
        return operations;
    }

    private static final QueueOptions PATIENT = OPTIONS.withVisibility(Duration.ofHours(1));

    /// What becomes of the client that stops.
    private enum Fate {
        /// It never goes on.
        DIES,
        /// It goes on when others have recycled all that was there.
        PAUSES,
        /// Likewise, and its leases have ended.
        PAUSES_AND_LOSES_ITS_LEASES,
        /// It goes on when one other client has come as far as the elements that this one may be putting.
        IS_OVERTAKEN
    }

    @TestFactory
    Stream<DynamicTest> aClientDiesAtEachStep() {
        return tests(OPTIONS, Fate.DIES);
    }

    @TestFactory
    Stream<DynamicTest> aClientDiesAtEachStepOfABoundedQueue() {
        return tests(OPTIONS.withCapacity(20), Fate.DIES);
    }

    @TestFactory
    Stream<DynamicTest> aClientPausesAtEachStep() {
        return tests(PATIENT, Fate.PAUSES);
    }

    @TestFactory
    Stream<DynamicTest> aClientPausesAtEachStepAndItsLeasesEnd() {
        return tests(PATIENT, Fate.PAUSES_AND_LOSES_ITS_LEASES);
    }

    @TestFactory
    Stream<DynamicTest> aClientOfABoundedQueuePausesAtEachStepAndItsLeasesEnd() {
        return tests(PATIENT.withCapacity(20), Fate.PAUSES_AND_LOSES_ITS_LEASES);
    }

    @TestFactory
    Stream<DynamicTest> aClientIsOvertakenAtEachStep() {
        return tests(PATIENT, Fate.IS_OVERTAKEN);
    }

    @TestFactory
    Stream<DynamicTest> aClientOfABoundedQueueIsOvertakenAtEachStep() {
        return tests(PATIENT.withCapacity(20), Fate.IS_OVERTAKEN);
    }

    private static Stream<DynamicTest> tests(QueueOptions options, Fate fate) {
        return operations().entrySet().stream().map(operation -> DynamicTest.dynamicTest(operation.getKey(), () -> {
            int step = 0;
            while (stopAt(step, options, operation.getValue(), fate)) {
                step++;
                assertThat(step).as("steps of one operation").isLessThan(STEPS_MAX);
            }
            assertThat(step).as("steps seen").isPositive();
        }));
    }

    /// Runs `operation` and stops it before its verb number `step`; `false` if it has no so many.
    private static boolean stopAt(int step, QueueOptions options, Consumer<QueueWorkload.Client> operation, Fate fate) {
        boolean isBounded = options.capacity() != QueueOptions.UNBOUNDED;
        try (QueueWorkload load = new QueueWorkload(options)) {
            QueueWorkload.Client before = load.client();
            for (int i = 0; i < BEFORE; i++) {
                before.offer();
            }
            QueueWorkload.Client other = load.client();
            QueueWorkload.Client stopped = load.client();
            int[] verbs = new int[1];
            stopped.memory().hook((client, verb, address) -> {
                if (verbs[0]++ == step) {
                    happen(fate, load.node, client, other, isBounded);
                }
            });
            try {
                operation.accept(stopped);
            } catch (Schedule.Killed expected) {
                assertThat(fate).isEqualTo(Fate.DIES);
            }
            goOn(other, isBounded);
            // Whoever was silent for the visibility is given up by those who go on: seen once, and again when it is over.
            load.schedule.step(options.visibility().toNanos() * 2);
            goOn(other, isBounded);
            load.schedule.step(options.visibility().toNanos() * 2);
            load.drainRest();
            load.checkOrder();
            if (fate == Fate.DIES) {
                load.checkNothingLeaks(5);
            } else {
                load.checkNothingLost();
                load.checkNothingLeaks(3);
            }
            return verbs[0] > step;
        } catch (AssertionError e) {
            throw new AssertionError("stopped at step " + step + ": " + e.getMessage(), e);
        }
    }

    private static void happen(Fate fate, SimulatedNode node, SimulatedMemory client, QueueWorkload.Client other,
            boolean isBounded) {
        switch (fate) {
            case DIES -> {
                goOn(other, isBounded);
                node.expire(client);
                throw new Schedule.Killed();
            }
            case PAUSES -> goOn(other, isBounded);
            case PAUSES_AND_LOSES_ITS_LEASES -> {
                goOn(other, isBounded);
                node.expire(client);
                goOn(other, isBounded);
            }
            case IS_OVERTAKEN -> {
                for (int i = 0; i <= BEFORE; i++) {
                    other.poll();
                }
            }
        }
    }

    /// What others do meanwhile: so much that whatever was there is recycled.
    private static void goOn(QueueWorkload.Client other, boolean isBounded) {
        for (int i = 0; i < 20; i++) {
            other.offer();
            other.poll();
        }
        other.drain(3);
        for (int i = 0; i < 3; i++) {
            other.offer();
        }
        if (!isBounded) {
            other.addAll(5);
            other.drain(9);
        }
        for (int i = 0; i < 20; i++) {
            other.offer();
            other.poll();
        }
    }
}
