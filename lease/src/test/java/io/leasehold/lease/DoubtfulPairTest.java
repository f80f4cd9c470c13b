package io.leasehold.lease;

import static org.assertj.core.api.Assertions.assertThat;

import io.leasehold.rdma.CompletionQueue;
import io.leasehold.rdma.DeviceOptions;
import io.leasehold.rdma.EndpointAddress;
import io.leasehold.rdma.Link;
import io.leasehold.rdma.QueuePair;
import io.leasehold.rdma.QueuePairOptions;
import io.leasehold.rdma.RdmaDevice;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// What is known of a data queue pair whose requests may be in doubt.
@Timeout(60)
class DoubtfulPairTest {
    private static final int PAIRS = 20_000;

    @Test
    void whoeverSeesThatAPairIsBrokenSeesSinceWhen() throws Exception {
        try (RdmaDevice device = RdmaDevice.open(DeviceOptions.soft().withLinks(Link.LOCAL));
                CompletionQueue completions = device.createCompletionQueue(16);
                var domain = device.allocateProtectionDomain();
                QueuePair queuePair = domain.createQueuePair(QueuePairOptions.of(completions, completions))) {
            ChainPath path = new ChainPath(completions, new CallbackQueue(),
                    new SessionState(EndpointAddress.parse("soft:127.0.0.1:1")));
            AtomicReference<@Nullable DataPair> next = new AtomicReference<>();
            AtomicInteger untold = new AtomicInteger();
            AtomicInteger looks = new AtomicInteger();
            Thread looker = Thread.ofPlatform().start(() -> {
                for (int i = 0; i < PAIRS; i++) {
                    DataPair pair = next.getAndSet(null);
                    while (pair == null) {
                        Thread.onSpinWait();
                        pair = next.getAndSet(null);
                    }
                    while (!pair.isBroken()) {
                        Thread.onSpinWait();
                    }
                    untold.addAndGet(pair.brokenAtNanos() == 0 ? 1 : 0);
                    looks.incrementAndGet();
                }
            });
            for (int i = 0; i < PAIRS; i++) {
                DataPair pair = new DataPair(queuePair, 0, 1, 16);
                next.set(pair);
                while (next.get() != null) {
                    Thread.onSpinWait();
                }
                path.breakPair(pair);
                while (looks.get() == i) {
                    Thread.onSpinWait();
                }
            }
            looker.join();
            assertThat(untold).as("pairs that were broken since nobody knew when").hasValue(0);
        }
    }
}
