package io.leasehold.lease;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.leasehold.rdma.WorkCompletionOpcode;
import io.leasehold.rdma.WorkCompletionStatus;
import io.leasehold.testkit.Await;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// Extensions whose answer is lost or late: holder and node agree whether the deadline has moved.
@Timeout(60)
class ExtensionRaceTest {
    private final DoubtfulClient client = new DoubtfulClient();

    @AfterEach
    void close() {
        client.close();
    }

    @Test
    void extensionInDoubtThatWasNotCarriedOutIsMadeAgain() {
        Lease lease = client.lease(Duration.ofSeconds(5));
        long before = client.word();
        client.doubt(WorkCompletionOpcode.COMP_SWAP, 1, () -> client.setWord(before));
        lease.extend(Duration.ofSeconds(10));
        assertThat(client.granted(lease)).isEqualTo(Duration.ofSeconds(15));
        assertThat(lease.remaining()).isBetween(Duration.ofSeconds(10), Duration.ofSeconds(15));
    }

    @Test
    void extensionInDoubtThatWasCarriedOutIsMadeOnce() {
        Lease lease = client.lease(Duration.ofSeconds(5));
        client.doubt(WorkCompletionOpcode.COMP_SWAP, 1, () -> { });
        lease.extend(Duration.ofSeconds(10));
        assertThat(client.granted(lease)).isEqualTo(Duration.ofSeconds(15));
        assertThat(lease.remaining()).isBetween(Duration.ofSeconds(10), Duration.ofSeconds(15));
    }

    @Test
    void extensionInDoubtOfALeaseThatTheNodeEndedFails() {
        Lease lease = client.lease(Duration.ofSeconds(5));
        client.doubt(WorkCompletionOpcode.COMP_SWAP, 1, () -> client.setWord(LeaseWord.word(2, 0)));
        assertThatThrownBy(() -> lease.extend(Duration.ofSeconds(10))).isInstanceOf(LeaseExpiredException.class);
        assertThat(lease.isLive()).isFalse();
    }

    @Test
    void extensionThatNobodyCanLookAtStaysInDoubt() {
        Lease lease = client.lease(Duration.ofSeconds(5));
        client.lockOut();
        client.doubt(WorkCompletionOpcode.COMP_SWAP, 1, () -> { });
        assertThatThrownBy(() -> lease.extend(Duration.ofSeconds(10))).isInstanceOf(OutcomeUnknownException.class)
                .satisfies(e -> assertThat(((LeaseException) e).effect()).isEqualTo(LeaseException.Effect.UNKNOWN));
    }

    @Test
    void lookAtAWordInDoubtIsRepeatedWhenTheConnectionBreaksAgain() {
        Lease lease = client.lease(Duration.ofSeconds(5));
        client.doubt(WorkCompletionOpcode.COMP_SWAP, 1, () -> client.doubt(WorkCompletionOpcode.FETCH_ADD, 2, () -> { }));
        lease.extend(Duration.ofSeconds(10));
        assertThat(client.granted(lease)).isEqualTo(Duration.ofSeconds(15));
    }

    @Test
    void extensionThatIsAnsweredAfterTheLeaseHasEndedHereGivesItUpAtTheNode() {
        Lease lease = client.lease(Duration.ofSeconds(5));
        CountDownLatch lost = new CountDownLatch(1);
        lease.onLost(lost::countDown);
        client.report(WorkCompletionStatus.SUCCESS, WorkCompletionOpcode.COMP_SWAP, 1, () -> client.leap(Duration.ofSeconds(6)));
        assertThatThrownBy(() -> lease.extend(Duration.ofSeconds(10))).isInstanceOf(LeaseExpiredException.class);
        assertThat(lease.isLive()).isFalse();
        client.awaitNoLease();
        Await.until(Duration.ofSeconds(20), "the holder is told", () -> lost.getCount() == 0);
    }

    @Test
    void leaseWhoseExtensionStayedInDoubtIsGivenUpAtTheNodeWhenItEndsHere() {
        Lease lease = client.lease(Duration.ofSeconds(5));
        client.doubt(WorkCompletionOpcode.COMP_SWAP, 1,
                () -> client.doubt(WorkCompletionOpcode.FETCH_ADD, Integer.MAX_VALUE, () -> { }));
        assertThatThrownBy(() -> lease.extend(Duration.ofSeconds(10))).isInstanceOf(OutcomeUnknownException.class);
        assertThat(client.granted(lease)).isEqualTo(Duration.ofSeconds(15));
        client.leap(Duration.ofSeconds(6));
        assertThat(lease.isLive()).isFalse();
        client.awaitNoLease();
    }

    @Test
    void renewalThatIsAnsweredAfterTheLeaseHasEndedHereGivesItUpAtTheNode() {
        client.report(WorkCompletionStatus.SUCCESS, WorkCompletionOpcode.COMP_SWAP, 1, () -> client.leap(Duration.ofSeconds(2)));
        Lease lease = client.session.acquire(LeaseRequest.write(DoubtfulClient.START, 64, Duration.ofSeconds(1)).autoExtended());
        client.awaitNoLease();
        assertThat(lease.isLive()).isFalse();
    }

    @Test
    void leaseThatExpiresWithoutAnExtensionIsNotRelinquished() {
        client.lease(Duration.ofSeconds(5));
        client.leap(Duration.ofSeconds(6));
        client.lease(Duration.ofSeconds(5)).close();
        assertThat(client.node.requests).filteredOn(ControlMessage.Relinquish.class::isInstance)
                .containsExactly(new ControlMessage.Relinquish(List.of(2L)));
    }

    @Test
    void deadlineIsThatOfTheWordHoweverManyExtendAtOnce() throws Exception {
        for (int round = 0; round < 20; round++) {
            Lease lease = client.lease(Duration.ofSeconds(5));
            List<Thread> threads = new ArrayList<>();
            for (int i = 0; i < 8; i++) {
                threads.add(Thread.ofPlatform().start(() -> {
                    for (int k = 0; k < 5; k++) {
                        lease.extend(Duration.ofSeconds(1));
                    }
                }));
            }
            for (Thread thread : threads) {
                thread.join();
            }
            Duration remaining = lease.remaining();
            long begin = client.node.client().leases.get(lease.id()).beginNanos();
            long deadline = begin + Duration.ofSeconds(45).toNanos();
            assertThat(remaining.toNanos()).isGreaterThanOrEqualTo(deadline - client.session.core().clock().latestNodeNanos());
            lease.close();
        }
    }
}
