package io.leasehold.rdma.internal.soft;

import static org.assertj.core.api.Assertions.assertThat;

import io.leasehold.rdma.AccessFlag;
import io.leasehold.rdma.DeviceOptions;
import io.leasehold.rdma.Hostility;
import io.leasehold.rdma.Link;
import io.leasehold.rdma.MemoryRegion;
import io.leasehold.rdma.MemoryWindow;
import io.leasehold.rdma.MemoryWindowType;
import io.leasehold.rdma.PostStatus;
import io.leasehold.rdma.QueuePair;
import io.leasehold.rdma.QueuePairOptions;
import io.leasehold.rdma.QueuePairState;
import io.leasehold.rdma.RemoteKey;
import io.leasehold.rdma.SendBatch;
import io.leasehold.rdma.WorkCompletion;
import io.leasehold.rdma.WorkCompletionStatus;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.EnumSet;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// Fencing: when an invalidation has completed, nothing written through the key can appear any more, however hard the peer
/// writes.
final class RevocationTest {
    private static final int BYTES = 4096;
    private static final Duration PATIENCE = Duration.ofSeconds(10);

    private enum Way { LOCAL_INVALIDATE, CLOSE_WINDOW, CLOSE_QUEUE_PAIR }

    @ParameterizedTest
    @CsvSource({"LOCAL, LOCAL_INVALIDATE, false", "LOCAL, CLOSE_WINDOW, false", "LOCAL, CLOSE_QUEUE_PAIR, false",
        "TCP, LOCAL_INVALIDATE, false", "TCP, CLOSE_WINDOW, false", "TCP, CLOSE_QUEUE_PAIR, false",
        "LOCAL, LOCAL_INVALIDATE, true", "LOCAL, CLOSE_WINDOW, true", "TCP, LOCAL_INVALIDATE, true", "TCP, CLOSE_WINDOW, true",
        "SHARED_MEMORY, LOCAL_INVALIDATE, false", "SHARED_MEMORY, CLOSE_WINDOW, false", "SHARED_MEMORY, CLOSE_QUEUE_PAIR, false",
        "SHARED_MEMORY, LOCAL_INVALIDATE, true", "SHARED_MEMORY, CLOSE_WINDOW, true"})
    void nothingIsWrittenAfterwards(Link link, Way way, boolean hostile) throws InterruptedException {
        var options = DeviceOptions.soft().withLinks(link)
                .withHostility(hostile ? Hostility.unpleasant(5) : Hostility.NONE);
        for (int round = 0; round < 30; round++) {
            try (var pair = new Pair(options, 2 * BYTES)) {
                round(pair, way);
            }
        }
    }

    private static void round(Pair pair, Way way) throws InterruptedException {
        Pair.Side server = pair.server;
        MemoryWindow window = server.domain.allocateMemoryWindow(MemoryWindowType.TYPE_2B);
        int key = new RemoteKey(window.remoteKey()).next().value();
        SendBatch control = server.queuePair.newSendBatch();
        control.bindMemoryWindow(1, window, key, server.region, server.region.address(), BYTES,
                AccessFlag.mask(AccessFlag.REMOTE_WRITE)).post();
        assertThat(server.next().status()).isEqualTo(WorkCompletionStatus.SUCCESS);
        var written = new AtomicBoolean();
        Thread writer = Thread.ofPlatform().start(() -> write(pair, key, written));
        while (!written.get()) {
            assertThat(writer.isAlive()).as("the writer lives").isTrue();
            Thread.onSpinWait();
        }
        switch (way) {
            case LOCAL_INVALIDATE -> {
                assertThat(control.localInvalidate(2, key).post()).isEqualTo(PostStatus.POSTED);
                assertThat(server.next().status()).isEqualTo(WorkCompletionStatus.SUCCESS);
            }
            case CLOSE_WINDOW -> window.close();
            case CLOSE_QUEUE_PAIR -> server.queuePair.close();
        }
        server.region.memory().asSlice(0, BYTES).fill((byte) 0);
        writer.join();
        window.close();
        for (int at = 0; at < BYTES; at += Long.BYTES) {
            assertThat(server.region.memory().get(ValueLayout.JAVA_LONG, at)).as("the word at %d", at).isZero();
        }
    }

    /// Writes numbers other than zero until it is refused.
    private static void write(Pair pair, int key, AtomicBoolean written) {
        Pair.Side client = pair.client;
        client.region.memory().fill((byte) 0x55);
        SendBatch batch = client.queuePair.newSendBatch();
        var completion = new WorkCompletion();
        while (client.queuePair.state() == QueuePairState.RTS) {
            for (int i = 0; i < 8; i++) {
                batch.write(i, client.region, 0, BYTES, pair.server.region.address(), key);
            }
            batch.post();
            for (int i = 0; i < 8; i++) {
                try {
                    while (!client.completions.poll(completion)) {
                        if (!client.completions.await(PATIENCE)) {
                            throw new AssertionError("no completion");
                        }
                    }
                } catch (InterruptedException e) {
                    throw new AssertionError(e);
                }
                if (completion.succeeded()) {
                    written.set(true);
                }
            }
        }
    }

    /// Many writers through one region, which is closed under their hands: all end, and the memory can be unmapped at once.
    @ParameterizedTest
    @CsvSource({"LOCAL", "SHARED_MEMORY", "TCP"})
    void aClosedRegionIsTouchedNoMore(Link link) throws InterruptedException {
        var options = DeviceOptions.soft().withLinks(link);
        try (var pair = new Pair(options, BYTES)) {
            QueuePair second = pair.client.domain.createQueuePair(
                    QueuePairOptions.of(pair.client.completions, pair.client.completions));
            var written = new AtomicBoolean();
            Thread writer = Thread.ofPlatform().start(() -> write(pair, pair.server.region.remoteKey(), written));
            while (!written.get()) {
                assertThat(writer.isAlive()).as("the writer lives").isTrue();
                Thread.onSpinWait();
            }
            pair.server.region.close();
            pair.server.region.memory().fill((byte) 0);
            writer.join();
            assertThat(pair.server.region.memory().get(ValueLayout.JAVA_LONG, 0)).isZero();
            second.close();
        }
    }

    /// Memory that was freed before its region is refused; the process lives on.
    @ParameterizedTest
    @CsvSource({"LOCAL", "SHARED_MEMORY", "TCP"})
    void freedMemoryIsRefused(Link link) throws InterruptedException {
        try (var pair = new Pair(DeviceOptions.soft().withLinks(link), BYTES)) {
            MemoryRegion region;
            try (Arena arena = Arena.ofConfined()) {
                region = pair.server.domain.register(arena.allocate(BYTES), EnumSet.allOf(AccessFlag.class));
            }
            pair.client.queuePair.newSendBatch().read(1, pair.client.region, 0, 8, region.address(), region.remoteKey()).post();
            assertThat(pair.client.next().status()).isEqualTo(WorkCompletionStatus.REM_ACCESS_ERR);
            region.close();
        }
    }
}
