package io.leasehold.rdma.internal.soft;

import static org.assertj.core.api.Assertions.assertThat;

import io.leasehold.rdma.DeviceOptions;
import io.leasehold.rdma.Hostility;
import io.leasehold.rdma.Link;
import io.leasehold.rdma.Listener;
import io.leasehold.rdma.PostStatus;
import io.leasehold.rdma.QueuePairState;
import io.leasehold.rdma.SendBatch;
import io.leasehold.rdma.WorkCompletionStatus;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// Connections that break at any moment: what completed happened, what was flushed did not, and only what ends in doubt may be
/// either.
@Timeout(120)
final class BrokenConnectionTest {
    private static final Duration PATIENCE = Duration.ofSeconds(10);
    private static final int LIVES = 60;
    private static final int DEPTH = 12;

    @ParameterizedTest
    @EnumSource(Link.class)
    void everyRequestTellsTheTruth(Link link) throws InterruptedException {
        var options = DeviceOptions.soft().withLinks(link).withHostility(new Hostility(11, 0, 0, 0, 0.1, 0.02));
        try (var pair = new Pair(options, 4096)) {
            pair.closeListener();
            Listener listener = pair.server.device.listen(request -> request.accept(pair.server.queuePair, new byte[0]));
            long done = 0;
            long doubtful = 0;
            SendBatch batch = pair.client.queuePair.newSendBatch();
            for (int life = 0; life < LIVES; life++) {
                while (pair.client.queuePair.state() == QueuePairState.RTS) {
                    for (int i = 0; i < DEPTH; i++) {
                        batch.fetchAndAdd(i, pair.client.region, 8 * i, pair.server.region.address(),
                                pair.server.region.remoteKey(), 1);
                    }
                    if (batch.post() != PostStatus.POSTED) {
                        break;
                    }
                    for (int i = 0; i < DEPTH; i++) {
                        WorkCompletionStatus status = pair.client.next().status();
                        assertThat(pair.client.completion.id()).isEqualTo(i);
                        done += status == WorkCompletionStatus.SUCCESS ? 1 : 0;
                        doubtful += status == WorkCompletionStatus.RETRY_EXC_ERR ? 1 : 0;
                    }
                }
                startOver(pair, listener);
                long counted = pair.server.region.memory().get(ValueLayout.JAVA_LONG, 0);
                assertThat(counted).as("life %d", life).isBetween(done, done + doubtful);
            }
            assertThat(doubtful).isPositive();
            listener.close();
        }
    }

    private static void startOver(Pair pair, Listener listener) throws InterruptedException {
        assertThat(pair.client.queuePair.state()).isEqualTo(QueuePairState.ERR);
        pair.client.queuePair.toReset();
        pair.server.queuePair.toReset();
        assertThat(pair.client.completions.await(Duration.ZERO)).isFalse();
        pair.client.queuePair.connect(listener.address(), new byte[0], PATIENCE);
    }
}
