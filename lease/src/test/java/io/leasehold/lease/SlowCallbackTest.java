package io.leasehold.lease;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/// What users do when an operation has ended holds up their own session at most.
final class SlowCallbackTest {
    private static final Duration TERM = Duration.ofSeconds(10);

    @Test
    void aNodeInTheSameJvmServesOthers_whileACallbackBlocks() throws Exception {
        CountDownLatch begun = new CountDownLatch(1);
        CountDownLatch mayEnd = new CountDownLatch(1);
        try (MemoryNode node = MemoryNode.start(NodeOptions.ofMemory(1 << 20));
                Session slow = Session.connect(node.address(), SessionOptions.defaults());
                Session other = Session.connect(node.address(), SessionOptions.defaults())) {
            RemoteAddress contended = other.openOrCreate("contended", 64).address();
            Lease held = other.acquireWrite(contended, 64, TERM);
            // Not granted before the one that is held ends, so that the callback is there by then.
            CompletableFuture<Void> blocked = slow
                    .acquireAsync(LeaseRequest.of(contended, 64, Set.of(AccessRight.WRITE), LeaseMode.EXCLUSIVE, TERM).withPatience(TERM))
                    .thenAccept(_ -> {
                        begun.countDown();
                        awaitUninterruptibly(mayEnd);
                    });
            held.close();
            assertThat(begun.await(TERM.toSeconds(), TimeUnit.SECONDS)).as("the callback has begun").isTrue();

            RemoteAddress own = other.allocate(64);
            try (Lease lease = other.acquire(LeaseRequest.of(own, 64, Set.of(AccessRight.values()), LeaseMode.EXCLUSIVE, TERM))) {
                assertThat(lease.fetchAndAdd(0, 1)).isZero();
            }
            assertThat(blocked).isNotDone();

            mayEnd.countDown();
            blocked.get(TERM.toSeconds(), TimeUnit.SECONDS);
        } finally {
            mayEnd.countDown();
        }
    }

    private static void awaitUninterruptibly(CountDownLatch latch) {
        try {
            assertThat(latch.await(3 * TERM.toSeconds(), TimeUnit.SECONDS)).isTrue();
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }
}
