package io.leasehold.lease;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.leasehold.rdma.WorkCompletionOpcode;
import java.time.Duration;
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
}
