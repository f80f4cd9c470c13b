package io.leasehold.lease;

import static org.assertj.core.api.Assertions.assertThat;

import io.leasehold.rdma.DeviceOptions;
import io.leasehold.rdma.Hostility;
import io.leasehold.rdma.Link;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// Sessions on a fabric that loses connections before or after a request's effect, tears and delays.
@Timeout(120)
class HostileSessionTest {
    private static final int THREADS = 12;
    private static final int ROUNDS = 300;

    /// Every addition counts once: those that returned surely, those of unknown outcome perhaps, those that failed otherwise not.
    @ParameterizedTest
    @CsvSource({"LOCAL,1", "LOCAL,2", "TCP,3", "SHARED_MEMORY,4"})
    void additionsHappenOnceOrAreUnknown(Link link, long seed) throws Exception {
        DeviceOptions plain = DeviceOptions.soft().withLinks(link);
        DeviceOptions hostile = plain.withHostility(new Hostility(seed, 0.1, 0.01, 100, 0.02, 0.002));
        try (MemoryNode node = MemoryNode.start(NodeOptions.ofMemory(1 << 20).withDevice(plain.withMaxWindows(1 << 17)));
                Session session = Session.connect(node.address(), SessionOptions.defaults().withDevice(hostile)
                        .withTimeouts(Duration.ofSeconds(20), Duration.ofSeconds(20)))) {
            checkAdditions(session, ROUNDS);
        }
    }

    /// Has threads add on `session`, so many rounds each, and compares what they were told with what came of it.
    static void checkAdditions(Session session, int rounds) throws InterruptedException {
        AtomicLong sure = new AtomicLong();
        AtomicLong unknown = new AtomicLong();
        List<Throwable> failures = Collections.synchronizedList(new ArrayList<>());
        RemoteAddress at = session.allocate(4096);
        Lease lease = session.acquireWrite(at, 4096, Duration.ofSeconds(60));
        List<Thread> threads = new ArrayList<>();
        for (int i = 0; i < THREADS; i++) {
            int own = i;
            threads.add(Thread.ofVirtual().start(() -> work(session, lease, own, rounds, sure, unknown, failures)));
        }
        for (Thread thread : threads) {
            thread.join();
        }
        assertThat(failures).isEmpty();
        long sum = 0;
        for (int word = 0; word < 4; word++) {
            sum += read(lease, word);
        }
        assertThat(sum).as("%s sure, %s unknown", sure, unknown).isBetween(sure.get(), sure.get() + unknown.get());
        assertThat(sure.get()).as("additions that were answered").isPositive();
    }

    private static long read(Lease lease, int word) {
        MemorySegment into = MemorySegment.ofArray(new long[1]);
        lease.read(word * 8L, into);
        return into.get(ValueLayout.JAVA_LONG, 0);
    }

    private static void work(Session session, Lease lease, int own, int rounds, AtomicLong sure, AtomicLong unknown,
            List<Throwable> failures) {
        byte[] mine = new byte[64];
        byte[] back = new byte[64];
        try (Batch batch = session.batch()) {
            for (int round = 0; round < rounds; round++) {
                try {
                    lease.fetchAndAdd(own % 4 * 8L, 1);
                    sure.incrementAndGet();
                } catch (OutcomeUnknownException _) {
                    unknown.incrementAndGet();
                }
                // A word range of one's own: what was written is what is read, however often both were repeated.
                Arrays.fill(mine, (byte) round);
                lease.write(1024 + own * 64L, mine);
                lease.read(1024 + own * 64L, MemorySegment.ofArray(back));
                assertThat(back).isEqualTo(mine);
                addTwice(batch, lease, own, sure, unknown);
            }
        } catch (RuntimeException | Error e) {
            failures.add(e);
        }
    }

    private static void addTwice(Batch batch, Lease lease, int own, AtomicLong sure, AtomicLong unknown) {
        batch.reset();
        batch.fetchAndAdd(lease, own % 4 * 8L, 1);
        batch.read(lease, 0, 8);
        batch.fetchAndAdd(lease, own % 4 * 8L, 1);
        try {
            batch.execute();
        } catch (OutcomeUnknownException _) {
            // Told by the outcomes below.
        }
        for (int position : new int[] {0, 2}) {
            switch (batch.outcome(position)) {
                case DONE -> sure.incrementAndGet();
                case UNKNOWN -> unknown.incrementAndGet();
                default -> { }
            }
        }
    }
}
