package io.leasehold.rdma.internal.soft;

import static org.assertj.core.api.Assertions.assertThat;

import io.leasehold.rdma.CompletionQueue;
import io.leasehold.rdma.DeviceOptions;
import io.leasehold.rdma.Link;
import io.leasehold.rdma.Listener;
import io.leasehold.rdma.QueuePair;
import io.leasehold.rdma.QueuePairAddress;
import io.leasehold.rdma.QueuePairOptions;
import io.leasehold.rdma.QueuePairState;
import io.leasehold.rdma.WorkCompletionStatus;
import io.leasehold.rdma.internal.NicClock;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.BrokenBarrierException;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.CyclicBarrier;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// What is left of a connection does nothing to the next one of its queue pair.
@Timeout(60)
final class FormerLifeTest {
    private static final Duration PATIENCE = Duration.ofSeconds(10);

    @TempDir
    Path directory;

    private static WorkQueues queues(Pair.Side side) {
        return ((SoftQueuePair) side.queuePair).queues();
    }

    @ParameterizedTest
    @EnumSource(Link.class)
    void theClockOfAFormerWireFailsNothing(Link link) throws InterruptedException {
        try (var pair = new Pair(DeviceOptions.soft().withLinks(link), 4096)) {
            Wire former = queues(pair.client).wire();
            pair.client.queuePair.toError();
            pair.client.queuePair.toReset();
            pair.server.queuePair.toError();
            pair.server.queuePair.toReset();
            pair.closeListener();
            try (Listener listener = pair.server.device.listen(request -> request.accept(pair.server.queuePair, new byte[0]))) {
                pair.client.queuePair.connect(listener.address(), new byte[0], PATIENCE);
                queues(pair.client).sendLock().lock();
                try {
                    pair.client.queuePair.newSendBatch()
                            .read(1, pair.client.region, 0, 8, pair.server.region.address(), pair.server.region.remoteKey()).post();
                    queues(pair.client).failHead(former, WorkCompletionStatus.RETRY_EXC_ERR, () -> true);
                } finally {
                    queues(pair.client).sendLock().unlock();
                }
                assertThat(pair.client.next().status()).isEqualTo(WorkCompletionStatus.SUCCESS);
                assertThat(pair.client.queuePair.state()).isEqualTo(QueuePairState.RTS);
            }
        }
    }

    /// A poster that comes too late must not leave the key that the next connection's poster is inside of.
    @Test
    void aLatePosterLeavesNobodyElsesKey() throws InterruptedException {
        try (var pair = new Pair(DeviceOptions.soft().withLinks(Link.LOCAL), 4096)) {
            WorkQueues server = queues(pair.server);
            int key = pair.server.region.remoteKey();
            KeyEntry entry = server.device().keys().find(key);
            assertThat(entry).isNotNull();
            assertThat(server.gate().enter()).isTrue();
            assertThat(server.responder().read(pair.server.region.address(), key, 8, pair.client.region.address()))
                    .isEqualTo(WorkCompletionStatus.SUCCESS);
            LocalWire late = (LocalWire) queues(pair.client).wire();
            assertThat(late).isNotNull();
            late.cut();
            pair.client.queuePair.newSendBatch()
                    .read(1, pair.client.region, 0, 8, pair.server.region.address(), key).post();
            assertThat(pair.client.next().status()).isEqualTo(WorkCompletionStatus.RETRY_EXC_ERR);
            assertThat(entry.isIdle()).isFalse();
            server.responder().rest();
            server.gate().leave();
            assertThat(entry.isIdle()).isTrue();
        }
    }

    /// Once a request has failed, none that is posted later can have been carried out.
    @ParameterizedTest
    @EnumSource(Link.class)
    void whatIsPostedAfterAFailureIsFlushed(Link link) throws InterruptedException {
        try (var pair = new Pair(DeviceOptions.soft().withLinks(link), 4096,
                options -> options.withTimeouts(Duration.ofSeconds(5), Duration.ofMillis(50)))) {
            pair.client.queuePair.newSendBatch().send(1, pair.client.region, 0, 8).post();
            assertThat(pair.client.next().status()).isEqualTo(WorkCompletionStatus.RNR_RETRY_EXC_ERR);
            for (int i = 0; i < 3; i++) {
                pair.client.queuePair.newSendBatch()
                        .write(2, pair.client.region, 0, 8, pair.server.region.address(), pair.server.region.remoteKey()).post();
                assertThat(pair.client.next().status()).isEqualTo(WorkCompletionStatus.WR_FLUSH_ERR);
            }
        }
    }

    /// As when a queue pair fails in the moment in which it comes up.
    @Test
    void aWireThatNeverBeganIsHarmless() throws IOException {
        try (var side = new Pair.Side(DeviceOptions.soft(), 64, options -> options);
                ServerSocketChannel server = ServerSocketChannel.open().bind(new InetSocketAddress("127.0.0.1", 0));
                SocketChannel channel = SocketChannel.open(server.getLocalAddress())) {
            RingFile file = RingDirectory.open(directory).create();
            file.unlink();
            var nobody = new QueuePairAddress(side.queuePair.address().endpoint(), 1);
            var wire = new RingWire(queues(side), channel, file, nobody, new byte[0]);
            wire.discard();
            wire.breakOff("it never began");
            wire.awaitEnd(NicClock.deadline(Duration.ofMillis(20)));
            wire.receivePosted();
            assertThat(wire.pump(1)).isEqualTo(Wire.NOTHING);
            assertThat(channel.isOpen()).isFalse();
        }
    }

    /// Whoever of two closes last: when it is done, what the queue pair used can be closed.
    @Test
    void aQueuePairIsClosedForAllWhoCloseIt() throws Exception {
        try (var side = new Pair.Side(DeviceOptions.soft(), 64, options -> options)) {
            for (int round = 0; round < 2000; round++) {
                CompletionQueue completions = side.device.createCompletionQueue(4);
                QueuePair queuePair = side.domain.createQueuePair(QueuePairOptions.of(completions, completions));
                var both = new CyclicBarrier(2);
                Thread other = Thread.ofPlatform().start(() -> {
                    meet(both);
                    queuePair.close();
                });
                meet(both);
                queuePair.close();
                completions.close();
                other.join();
            }
        }
    }

    private static void meet(CyclicBarrier barrier) {
        try {
            barrier.await();
        } catch (InterruptedException | BrokenBarrierException e) {
            throw new AssertionError(e);
        }
    }

    /// Requests that nobody answers expire, and take no place from those that come later.
    @Test
    void requestsThatExpireLeaveTheirPlace() throws IOException {
        try (var side = new Pair.Side(DeviceOptions.soft(), 64, options -> options);
                Listener listener = side.device.listen(request -> { })) {
            for (int round = 0; round < 3; round++) {
                SocketChannel[] channels = new SocketChannel[200];
                for (int i = 0; i < channels.length; i++) {
                    channels[i] = dial(listener, side, 0);
                }
                for (SocketChannel channel : channels) {
                    assertThat(Answer.read(channel, NicClock.deadline(PATIENCE)).refusal()).isNotNull();
                    channel.close();
                }
            }
        }
    }

    /// The dialler hears at once that the device was closed, and nothing stays open.
    @Test
    void requestsThatNobodyAnsweredEndWithTheDevice() throws Exception {
        var asked = new CountDownLatch(1);
        SocketChannel channel;
        try (var side = new Pair.Side(DeviceOptions.soft(), 64, options -> options)) {
            Listener listener = side.device.listen(request -> asked.countDown());
            channel = dial(listener, side, 60_000);
            asked.await();
        }
        assertThat(Answer.read(channel, NicClock.deadline(Duration.ofSeconds(2))).refusal()).isNotNull();
        channel.close();
    }

    private static SocketChannel dial(Listener listener, Pair.Side side, int patienceMillis) throws IOException {
        SocketChannel channel = SocketChannel.open(new InetSocketAddress(listener.address().host(), listener.address().port()));
        channel.write(ByteBuffer.wrap(new Hello(Hello.REQUEST, Hello.TCP, patienceMillis, side.queuePair.address(), 0, 0,
                new byte[0]).encode()));
        return channel;
    }
}
