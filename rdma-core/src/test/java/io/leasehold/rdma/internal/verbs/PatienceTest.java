package io.leasehold.rdma.internal.verbs;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import org.junit.jupiter.api.Test;

final class PatienceTest {
    @Test
    void timeoutsComeNearestToWhatIsWanted() {
        for (long millis : new long[] {1, 10, 100, 500, 1000, 5000, 30_000}) {
            int exponent = Patience.timeoutExponent(Duration.ofMillis(millis));
            double total = 4.096e-3 * Math.pow(2, exponent) * (Patience.RETRIES + 1);
            assertThat(total / millis).as("%s ms", millis).isBetween(0.7, 1.42);
        }
        assertThat(Patience.timeoutExponent(Duration.ZERO)).as("0 would mean for ever").isEqualTo(1);
        assertThat(Patience.timeoutExponent(Duration.ofDays(999))).isEqualTo(31);
    }

    @Test
    void receiversAreWaitedForAsLongAsAskedAndNotForEver() {
        assertThat(Patience.receiverNotReadyTimer(Patience.receiverNotReadyMicros(Duration.ZERO))).as("10 us").isEqualTo(1);
        assertThat(Patience.receiverNotReadyTimer(Patience.receiverNotReadyMicros(Duration.ofMillis(1)))).as("0.24 ms")
                .isEqualTo(9);
        assertThat(Patience.receiverNotReadyTimer(Patience.receiverNotReadyMicros(Duration.ofMillis(980)))).as("163.84 ms")
                .isEqualTo(28);
        assertThat(Patience.receiverNotReadyTimer(Patience.receiverNotReadyMicros(Duration.ofSeconds(2)))).as("491.52 ms")
                .isEqualTo(31);
        assertThat(Patience.receiverNotReadyTimer(Patience.receiverNotReadyMicros(Duration.ofDays(1)))).as("655.36 ms").isZero();
    }
}
