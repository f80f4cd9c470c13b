package io.leasehold.rdma.internal.soft;

import static org.assertj.core.api.Assertions.assertThat;

import io.leasehold.rdma.DeviceOptions;
import io.leasehold.rdma.Link;
import io.leasehold.rdma.PostStatus;
import io.leasehold.rdma.SendBatch;
import io.leasehold.rdma.WorkCompletion;
import io.leasehold.rdma.internal.NicClock;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// Traffic that would stop a fabric whose two sides wait for each other.
@Timeout(60)
final class TrafficTest {
    private static final int LARGE = 6 << 20;

    /// Both sides read and write much at once, far more than the buffers between them hold.
    @ParameterizedTest
    @EnumSource(Link.class)
    void bothSidesMoveMuchAtOnce(Link link) throws InterruptedException {
        try (var pair = new Pair(DeviceOptions.soft().withLinks(link), 4 * LARGE)) {
            fill(pair.client.region.memory().asSlice(0, LARGE), 1);
            fill(pair.server.region.memory().asSlice(0, LARGE), 2);
            var failure = new AtomicReference<Throwable>();
            Thread other = Thread.ofPlatform().start(() -> {
                try {
                    move(pair.server, pair.client);
                } catch (Throwable e) {
                    failure.set(e);
                }
            });
            move(pair.client, pair.server);
            other.join();
            assertThat(failure.get()).isNull();
            for (Pair.Side side : List.of(pair.client, pair.server)) {
                Pair.Side peer = side == pair.client ? pair.server : pair.client;
                MemorySegment sent = peer.region.memory().asSlice(0, LARGE);
                // What I read, and what the peer wrote to me and sent to me.
                for (int part = 1; part < 4; part++) {
                    assertThat(side.region.memory().asSlice((long) part * LARGE, LARGE).mismatch(sent)).as("part %d", part)
                            .isEqualTo(-1);
                }
            }
        }
    }

    private static void fill(MemorySegment memory, int seed) {
        for (long at = 0; at < memory.byteSize(); at += 8) {
            memory.set(ValueLayout.JAVA_LONG, at, at * 31 + seed);
        }
    }

    private static void move(Pair.Side side, Pair.Side peer) throws InterruptedException {
        long remote = peer.region.address();
        int key = peer.region.remoteKey();
        assertThat(side.queuePair.postReceive(9, side.region, 3L * LARGE, LARGE)).isEqualTo(PostStatus.POSTED);
        SendBatch batch = side.queuePair.newSendBatch();
        batch.read(1, side.region, LARGE, LARGE, remote, key);
        batch.write(2, side.region, 0, LARGE, remote + 2L * LARGE, key);
        batch.send(3, side.region, 0, LARGE);
        assertThat(batch.post()).isEqualTo(PostStatus.POSTED);
        for (int i = 0; i < 4; i++) {
            assertThat(side.next().succeeded()).as("%s", side.completion).isTrue();
        }
    }

    /// Many threads post to one queue pair from both ends; each request is carried out exactly once.
    @ParameterizedTest
    @EnumSource(Link.class)
    void manyThreadsPostToOneQueuePair(Link link) throws InterruptedException {
        int threads = 8;
        int rounds = 500;
        try (var pair = new Pair(DeviceOptions.soft().withLinks(link), 1 << 16, options -> options.withDepth(1024, 16))) {
            List<Thread> posters = new ArrayList<>();
            for (int i = 0; i < threads; i++) {
                Pair.Side side = (i & 1) == 0 ? pair.client : pair.server;
                Pair.Side peer = side == pair.client ? pair.server : pair.client;
                int offset = 64 * i;
                // Not virtual: those that find the queue full and yield would keep both carriers from whoever holds its lock.
                posters.add(Thread.ofPlatform().daemon().start(() -> {
                    SendBatch batch = side.queuePair.newSendBatch();
                    for (int round = 0; round < rounds; round++) {
                        do {
                            Thread.yield();
                            batch.fetchAndAdd(round, side.region, offset, peer.region.address() + 8192, peer.region.remoteKey(),
                                    1);
                        } while (batch.post() == PostStatus.QUEUE_FULL);
                    }
                }));
            }
            for (Pair.Side side : List.of(pair.client, pair.server)) {
                for (int i = 0; i < rounds * threads / 2; i++) {
                    assertThat(side.next().succeeded()).as("%s", side.completion).isTrue();
                }
            }
            for (Thread poster : posters) {
                poster.join();
            }
            for (Pair.Side side : List.of(pair.client, pair.server)) {
                assertThat(side.region.memory().get(ValueLayout.JAVA_LONG, 8192)).isEqualTo(rounds * threads / 2);
            }
        }
    }

    /// Handlers that post and poll, on both sides at once: a game of ping-pong with no other thread in it.
    @ParameterizedTest
    @EnumSource(Link.class)
    void handlersPostAndPoll(Link link) throws InterruptedException {
        int hits = 2_000;
        try (var pair = new Pair(DeviceOptions.soft().withLinks(link), 4096)) {
            var count = new AtomicInteger();
            for (Pair.Side side : List.of(pair.client, pair.server)) {
                for (int i = 0; i < 4; i++) {
                    side.queuePair.postReceive(i, side.region, 64L * i, 64);
                }
                SendBatch batch = side.queuePair.newSendBatch();
                var completion = new WorkCompletion();
                side.completions.onCompletion(() -> {
                    synchronized (batch) {
                        while (side.completions.poll(completion)) {
                            if (completion.opcode() == io.leasehold.rdma.WorkCompletionOpcode.RECV && completion.succeeded()) {
                                side.queuePair.postReceive(completion.id(), side.region, 64 * completion.id(), 64);
                                if (count.incrementAndGet() < hits) {
                                    batch.send(7, side.region, 1024, 8).post();
                                }
                            }
                        }
                    }
                });
            }
            pair.client.queuePair.newSendBatch().send(7, pair.client.region, 1024, 8).post();
            long deadline = NicClock.deadline(Duration.ofSeconds(30));
            while (count.get() < hits && NicClock.nanos() < deadline) {
                LockSupport.parkNanos(1_000_000);
            }
            assertThat(count.get()).isGreaterThanOrEqualTo(hits);
        }
    }

    /// A queue pair connected to another of its own device, as the memory node's.
    @Test
    void aDeviceReachesItself() throws InterruptedException {
        try (var pair = new Pair(DeviceOptions.soft().withLinks(Link.TCP), 4096)) {
            Pair.Side side = pair.client;
            var one = side.domain.createQueuePair(io.leasehold.rdma.QueuePairOptions.of(side.completions, side.completions));
            one.toInit();
            one.toReadyToReceive(one.address());
            one.toReadyToSend(Duration.ofSeconds(1));
            one.newSendBatch().compareAndSwap(5, side.region, 0, side.region.address() + 8, side.region.remoteKey(), 0, 42)
                    .post();
            assertThat(side.next().succeeded()).isTrue();
            assertThat(side.region.memory().get(ValueLayout.JAVA_LONG, 8)).isEqualTo(42);
            one.postReceive(6, side.region, 64, 64);
            one.newSendBatch().send(7, side.region, 8, 8).post();
            assertThat(side.next().succeeded()).isTrue();
            assertThat(side.next().succeeded()).isTrue();
            one.close();
        }
    }
}
