package io.leasehold.testkit;

import static io.leasehold.rdma.AccessFlag.REMOTE_ATOMIC;
import static io.leasehold.rdma.AccessFlag.REMOTE_READ;
import static io.leasehold.rdma.AccessFlag.REMOTE_WRITE;
import static io.leasehold.rdma.MemoryWindowType.TYPE_2B;
import static io.leasehold.rdma.WorkCompletionStatus.REM_ACCESS_ERR;
import static io.leasehold.rdma.WorkCompletionStatus.RETRY_EXC_ERR;
import static io.leasehold.rdma.WorkCompletionStatus.SUCCESS;
import static io.leasehold.rdma.WorkCompletionStatus.WR_FLUSH_ERR;
import static org.assertj.core.api.Assertions.assertThat;

import io.leasehold.rdma.MemoryRegion;
import io.leasehold.rdma.WorkCompletionStatus;
import io.leasehold.testkit.Testbed.Connection;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

/// When a revocation has completed, no access through what it revoked takes effect any more, however many were on the way: what
/// every lease rests on.
public interface FencingContract extends FabricContract {
    /// How often each race is run.
    int ROUNDS = 25;

    /// Bytes that a hammering client touches at once; long enough to be caught in the middle.
    int LENGTH = 8192;

    /// The ways to revoke a window.
    enum Revocation {
        /// LOCAL_INV on the queue pair of the window.
        LOCAL_INVALIDATION(REM_ACCESS_ERR),
        /// [io.leasehold.rdma.MemoryWindow#close()].
        WINDOW_CLOSE(REM_ACCESS_ERR),
        /// [io.leasehold.rdma.QueuePair#close()] of the queue pair that the window is bound to.
        QUEUE_PAIR_CLOSE(WR_FLUSH_ERR, RETRY_EXC_ERR);

        /// How the last request of a client may end.
        private final List<WorkCompletionStatus> ends;

        Revocation(WorkCompletionStatus... ends) {
            this.ends = List.of(ends);
        }

        private void revoke(Connection connection, BoundWindow window) {
            switch (this) {
                case LOCAL_INVALIDATION -> assertThat(connection.server().invalidate(window.key()).status()).isEqualTo(SUCCESS);
                case WINDOW_CLOSE -> window.window().close();
                case QUEUE_PAIR_CLOSE -> connection.server().queuePair().close();
            }
        }
    }

    @Test
    default void noWriteTakesEffectAfterAnInvalidation() throws Exception {
        noWriteTakesEffectAfter(Revocation.LOCAL_INVALIDATION);
    }

    @Test
    default void noWriteTakesEffectAfterAWindowIsClosed() throws Exception {
        noWriteTakesEffectAfter(Revocation.WINDOW_CLOSE);
    }

    @Test
    default void noWriteTakesEffectAfterAQueuePairIsClosed() throws Exception {
        noWriteTakesEffectAfter(Revocation.QUEUE_PAIR_CLOSE);
    }

    private void noWriteTakesEffectAfter(Revocation revocation) throws Exception {
        try (Testbed bed = testbed(); ExecutorService threads = Executors.newSingleThreadExecutor()) {
            MemoryRegion region = bed.server().region(LENGTH, Host.EVERYTHING);
            MemoryRegion local = bed.client().region(LENGTH, Host.EVERYTHING);
            local.memory().fill((byte) 1);
            for (int round = 0; round < ROUNDS; round++) {
                Connection connection = bed.connect();
                BoundWindow window = connection.server().bind(TYPE_2B, region, 0, LENGTH, REMOTE_WRITE);
                region.memory().fill((byte) 0);
                Hammer hammer = new Hammer(connection.client(),
                        batch -> batch.write(1, local, 0, LENGTH, region.address(), window.key()), _ -> { });
                Future<?> run = threads.submit(hammer);
                hammer.awaitBlows(5);
                revocation.revoke(connection, window);
                region.memory().fill((byte) 2);
                run.get(20, TimeUnit.SECONDS);
                assertThat(region.memory().mismatch(filled(2))).as("first byte written after %s, round %s", revocation, round)
                        .isEqualTo(-1);
                assertThat(hammer.last().status()).isIn(revocation.ends);
                window.window().close();
                connection.client().close();
            }
        }
    }

    private static MemorySegment filled(int value) {
        return MemorySegment.ofArray(new byte[LENGTH]).fill((byte) value);
    }

    @Test
    default void noReadSeesWhatWasWrittenAfterAnInvalidation() throws Exception {
        noReadSeesWhatWasWrittenAfter(Revocation.LOCAL_INVALIDATION);
    }

    @Test
    default void noReadSeesWhatWasWrittenAfterAWindowIsClosed() throws Exception {
        noReadSeesWhatWasWrittenAfter(Revocation.WINDOW_CLOSE);
    }

    private void noReadSeesWhatWasWrittenAfter(Revocation revocation) throws Exception {
        try (Testbed bed = testbed(); ExecutorService threads = Executors.newSingleThreadExecutor()) {
            MemoryRegion region = bed.server().region(LENGTH, Host.EVERYTHING);
            MemoryRegion local = bed.client().region(LENGTH, Host.EVERYTHING);
            for (int round = 0; round < ROUNDS; round++) {
                region.memory().fill((byte) 0);
                Connection connection = bed.connect();
                BoundWindow window = connection.server().bind(TYPE_2B, region, 0, LENGTH, REMOTE_READ);
                AtomicBoolean sawSecret = new AtomicBoolean();
                Hammer hammer = new Hammer(connection.client(),
                        batch -> batch.read(1, local, 0, LENGTH, region.address(), window.key()),
                        _ -> sawSecret.compareAndSet(false, local.memory().mismatch(filled(0)) >= 0));
                Future<?> run = threads.submit(hammer);
                hammer.awaitBlows(5);
                revocation.revoke(connection, window);
                region.memory().fill((byte) 2);
                run.get(20, TimeUnit.SECONDS);
                assertThat(sawSecret).as("read a byte written after %s, round %s", revocation, round).isFalse();
                assertThat(hammer.last().status()).isIn(revocation.ends);
                window.window().close();
                connection.client().close();
            }
        }
    }

    @Test
    default void eachAtomicBeforeAnInvalidationCountsAndNoneAfter() throws Exception {
        try (Testbed bed = testbed(); ExecutorService threads = Executors.newSingleThreadExecutor()) {
            MemoryRegion region = bed.server().region(64, Host.EVERYTHING);
            MemoryRegion local = bed.client().region(64, Host.EVERYTHING);
            for (int round = 0; round < ROUNDS; round++) {
                region.memory().fill((byte) 0);
                Connection connection = bed.connect();
                BoundWindow window = connection.server().bind(TYPE_2B, region, 8, 8, REMOTE_ATOMIC);
                AtomicLong added = new AtomicLong();
                Hammer hammer = new Hammer(connection.client(),
                        batch -> batch.fetchAndAdd(1, local, 0, window.address(), window.key(), 1),
                        _ -> added.incrementAndGet());
                Future<?> run = threads.submit(hammer);
                hammer.awaitBlows(5);
                Revocation.LOCAL_INVALIDATION.revoke(connection, window);
                long atRevocation = (long) ValueLayout.JAVA_LONG.varHandle().getVolatile(region.memory(), 8L);
                run.get(20, TimeUnit.SECONDS);
                assertThat(region.memory().get(ValueLayout.JAVA_LONG, 8)).isEqualTo(atRevocation).isEqualTo(added.get());
                assertThat(hammer.last().status()).isIn(Revocation.LOCAL_INVALIDATION.ends);
                window.window().close();
                connection.client().close();
            }
        }
    }

    @Test
    default void aRangeChangesHandsWithoutMixing() throws Exception {
        try (Testbed bed = testbed(); ExecutorService threads = Executors.newCachedThreadPool()) {
            MemoryRegion region = bed.server().region(LENGTH, Host.EVERYTHING);
            for (int round = 0; round < ROUNDS; round++) {
                Connection old = bed.connect();
                Connection heir = bed.connect();
                BoundWindow oldWindow = old.server().bind(TYPE_2B, region, 0, LENGTH, REMOTE_WRITE);
                Hammer oldHammer = writer(bed, old, oldWindow, 1);
                Future<?> oldRun = threads.submit(oldHammer);
                oldHammer.awaitBlows(5);
                // As a memory node does it: the heir's window is bound as soon as the invalidation has completed.
                assertThat(old.server().invalidate(oldWindow.key()).succeeded()).isTrue();
                BoundWindow heirWindow = heir.server().bind(oldWindow.window(), region, 0, LENGTH, REMOTE_WRITE);
                MemoryRegion local = bed.client().region(LENGTH, Host.EVERYTHING);
                local.memory().fill((byte) 2);
                assertThat(heir.client().write(local, 0, LENGTH, heirWindow.address(), heirWindow.key()).succeeded()).isTrue();
                oldRun.get(20, TimeUnit.SECONDS);
                assertThat(region.memory().mismatch(filled(2))).as("first byte that the old holder wrote, round %s", round)
                        .isEqualTo(-1);
                heirWindow.window().close();
                old.client().close();
                heir.client().close();
            }
        }
    }

    private static Hammer writer(Testbed bed, Connection connection, BoundWindow window, int value) {
        MemoryRegion local = bed.client().region(LENGTH, Host.EVERYTHING);
        local.memory().fill((byte) value);
        return new Hammer(connection.client(), batch -> batch.write(1, local, 0, LENGTH, window.address(), window.key()),
                _ -> { });
    }
}
