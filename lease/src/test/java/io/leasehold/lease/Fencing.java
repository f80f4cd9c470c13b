package io.leasehold.lease;

import static io.leasehold.rdma.WorkCompletionStatus.REM_ACCESS_ERR;
import static io.leasehold.rdma.WorkCompletionStatus.SUCCESS;
import static org.assertj.core.api.Assertions.assertThat;

import io.leasehold.lease.ControlMessage.Granted;
import io.leasehold.rdma.WorkCompletionStatus;
import io.leasehold.testkit.Await;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.ArbitrarySupplier;
import net.jqwik.api.Combinators;

/// P4: no access under a lease takes effect after its range was granted to another session in a conflicting mode.
///
/// The old holder hammers without looking at any clock until it is refused, while its lease ends and the range goes to an heir.
/// From the moment when the heir has its grant, nothing that the old holder does may show, and nothing that the heir does may be
/// seen by it.
final class Fencing implements LeaseProperty<Fencing.Handover> {
    private static final byte NOBODY = 0;
    private static final byte OLD = 1;
    private static final byte HEIR = 2;
    private static final int BYTES_MAX = 8192;
    private static final int LOOKS = 3;
    private static final int WINDOWS_AT_REST = 8;
    /// One is on the way, one finds the word that a swap must expect, one swaps it.
    private static final int BLOWS_TO_DO_HARM = 3;

    private final LeaseCluster cluster;
    private final BareClient old;
    private final BareClient heir;
    private final long arena;

    /// @param lengthBytes length of the range, and of each access that is no atomic; a multiple of 8
    /// @param verb what the old holder hammers with
    /// @param expires whether its lease expires; if not, it relinquishes it from another thread
    record Handover(int lengthBytes, Verb verb, boolean expires, int termMicros) {
    }

    /// Handovers of up to 8 KiB, long enough to be caught in the middle of an access.
    static final class Handovers implements ArbitrarySupplier<Handover> {
        @Override
        public Arbitrary<Handover> get() {
            return Combinators.combine(Arbitraries.integers().between(1, BYTES_MAX / Long.BYTES).map(words -> words * Long.BYTES),
                    Arbitraries.of(Verb.class), Arbitraries.of(true, false), Arbitraries.integers().between(50, 500))
                    .as(Handover::new);
        }
    }

    Fencing(Setting setting) {
        cluster = LeaseCluster.start(setting);
        old = cluster.bareClient();
        heir = cluster.bareClient();
        arena = old.openNamed("arena", BYTES_MAX);
        heir.openNamed("arena", BYTES_MAX);
        restWindows();
    }

    /// Has the node's pool hold windows that have rested longer than the old holder's will, so that the heir's is another one:
    /// binding the old one again would put an end to the old key whatever was forgotten before.
    private void restWindows() {
        List<Granted> leases = new ArrayList<>();
        for (int i = 0; i < WINDOWS_AT_REST; i++) {
            leases.add(heir.acquire(arena, 1, Set.of(AccessRight.READ), LeaseMode.SHARED, LeaseCluster.FOR_EVER));
        }
        leases.forEach(heir::relinquish);
    }

    @Override
    public void check(Handover handover) throws Exception {
        Duration term = handover.expires ? Duration.ofNanos(handover.termMicros * 1_000L) : LeaseCluster.FOR_EVER;
        Granted lease = old.acquire(arena, handover.lengthBytes, Set.of(AccessRight.values()), LeaseMode.EXCLUSIVE, term);
        Hammer hammer = new Hammer(handover, old.key(lease));
        Future<?> hammering = cluster.threads().submit(hammer);
        Await.until(BareClient.PATIENCE, "the old holder has begun", () -> hammer.blows > 0 || hammering.isDone());
        if (!handover.expires) {
            old.relinquish(lease);
        }
        Granted inheritance = heir.acquire(arena, handover.lengthBytes, Set.of(AccessRight.values()), LeaseMode.EXCLUSIVE,
                LeaseCluster.FOR_EVER);
        try {
            takeOver(handover, inheritance, hammer, hammering);
        } finally {
            hammer.stopped = true;
            hammering.get(BareClient.PATIENCE.toSeconds(), TimeUnit.SECONDS);
            old.recover();
            heir.write(heir.address(arena), heir.key(inheritance), handover.lengthBytes, NOBODY);
            heir.relinquish(inheritance);
        }
        assertThat(hammer.sawHeir).as("the old holder read what the heir wrote").isFalse();
        assertThat(hammer.last).as("how the old holder was stopped").isEqualTo(REM_ACCESS_ERR);
    }

    private void takeOver(Handover handover, Granted inheritance, Hammer hammer, Future<?> hammering) {
        byte[] written = new byte[handover.lengthBytes];
        Arrays.fill(written, HEIR);
        assertThat(heir.write(heir.address(arena), heir.key(inheritance), handover.lengthBytes, HEIR)).isEqualTo(SUCCESS);
        long blows = hammer.blows;
        for (int look = 0; look < LOOKS; look++) {
            seeOnly(written, handover, inheritance);
        }
        // Again when the old holder was refused, or has had every chance to do harm.
        Await.until(BareClient.PATIENCE, "the old holder has gone on",
                () -> hammering.isDone() || hammer.blows >= blows + BLOWS_TO_DO_HARM);
        seeOnly(written, handover, inheritance);
    }

    private void seeOnly(byte[] written, Handover handover, Granted inheritance) {
        assertThat(heir.read(heir.address(arena), heir.key(inheritance), handover.lengthBytes)).isEqualTo(SUCCESS);
        assertThat(heir.fetched(handover.lengthBytes)).as("the heir sees only what it wrote").isEqualTo(written);
    }

    @Override
    public void close() {
        cluster.close();
    }

    /// The old holder at work.
    private final class Hammer implements Runnable {
        private final Handover handover;
        private final int key;
        private volatile long blows;
        private volatile boolean stopped;
        private volatile boolean sawHeir;
        private volatile WorkCompletionStatus last = SUCCESS;

        Hammer(Handover handover, int key) {
            this.handover = handover;
            this.key = key;
        }

        @Override
        public void run() {
            long address = old.address(arena);
            int lengthBytes = handover.verb.isAtomic() ? Long.BYTES : handover.lengthBytes;
            long word = 0;
            while (last == SUCCESS && !stopped) {
                last = old.access(handover.verb, address, key, lengthBytes, word, word + OLD);
                blows++;
                if (last == SUCCESS && handover.verb == Verb.READ) {
                    for (byte seen : old.fetched(lengthBytes)) {
                        sawHeir |= seen == HEIR;
                    }
                } else if (last == SUCCESS && handover.verb.isAtomic()) {
                    word = old.previous();
                }
            }
        }
    }
}
