package io.leasehold.lease;

import static org.assertj.core.api.Assertions.assertThat;

import io.leasehold.rdma.DeviceOptions;
import io.leasehold.rdma.Link;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// More callers than a session has room for wait their turn.
@Timeout(60)
class DepthTest {
    @ParameterizedTest
    @CsvSource({"LOCAL,1", "LOCAL,3", "TCP,1", "TCP,64", "SHARED_MEMORY,1", "SHARED_MEMORY,64"})
    void moreCallersThanDepthAllGetThrough(Link link, int depth) throws Exception {
        DeviceOptions options = DeviceOptions.soft().withLinks(link);
        SessionOptions defaults = SessionOptions.defaults().withDevice(options);
        SessionOptions small = new SessionOptions(options, "", 1, depth, 1 << 16, defaults.connectTimeout(),
                Duration.ofSeconds(20), defaults.drift(), defaults.clock());
        List<Throwable> failures = Collections.synchronizedList(new ArrayList<>());
        try (ScriptedNode node = new ScriptedNode(options); Session session = Session.connect(node.address(), small)) {
            Lease lease = session.acquireWrite(new RemoteAddress(0, 0), 64, Duration.ofSeconds(60));
            List<Thread> threads = new ArrayList<>();
            for (int i = 0; i < 200; i++) {
                threads.add((i % 4 == 0 ? Thread.ofPlatform() : Thread.ofVirtual()).start(() -> {
                    try {
                        for (int k = 0; k < 20; k++) {
                            lease.fetchAndAdd(0, 1);
                        }
                    } catch (RuntimeException e) {
                        failures.add(e);
                    }
                }));
            }
            for (Thread thread : threads) {
                thread.join();
            }
            assertThat(failures).isEmpty();
            assertThat(lease.fetchAndAdd(0, 0)).isEqualTo(4_000);
        }
    }

    @ParameterizedTest
    @CsvSource({"LOCAL", "SHARED_MEMORY", "TCP"})
    void moreBatchesThanTheSendQueueHoldsAllEnd(Link link) throws Exception {
        DeviceOptions options = DeviceOptions.soft().withLinks(link);
        try (ScriptedNode node = new ScriptedNode(options);
                Session session = Session.connect(node.address(), SessionOptions.defaults().withDevice(options))) {
            Lease lease = session.acquireWrite(new RemoteAddress(0, 0), 64, Duration.ofSeconds(60));
            List<Batch> batches = new ArrayList<>();
            List<CompletableFuture<Void>> futures = new ArrayList<>();
            for (int i = 0; i < 200; i++) {
                Batch batch = session.batch();
                for (int k = 0; k < 100; k++) {
                    batch.fetchAndAdd(lease, 0, 1);
                }
                batches.add(batch);
                futures.add(batch.executeAsync());
            }
            CompletableFuture.allOf(futures.toArray(CompletableFuture[]::new)).get(30, TimeUnit.SECONDS);
            assertThat(lease.fetchAndAdd(0, 0)).isEqualTo(20_000);
            // One caller's batches are carried out in the order in which they were posted.
            for (int i = 0; i < batches.size(); i++) {
                assertThat(batches.get(i).previous(0)).isEqualTo(i * 100L);
                batches.get(i).close();
            }
        }
    }
}
