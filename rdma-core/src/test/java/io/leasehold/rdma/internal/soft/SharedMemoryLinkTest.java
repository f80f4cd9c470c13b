package io.leasehold.rdma.internal.soft;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.leasehold.rdma.AsyncEvent;
import io.leasehold.rdma.DeviceOptions;
import io.leasehold.rdma.EndpointAddress;
import io.leasehold.rdma.Link;
import io.leasehold.rdma.Listener;
import io.leasehold.rdma.PostStatus;
import io.leasehold.rdma.QueuePair;
import io.leasehold.rdma.QueuePairOptions;
import io.leasehold.rdma.QueuePairState;
import io.leasehold.rdma.RdmaDevice;
import io.leasehold.rdma.RdmaError;
import io.leasehold.rdma.RdmaException;
import io.leasehold.rdma.SendBatch;
import io.leasehold.rdma.WorkCompletionStatus;
import io.leasehold.rdma.internal.NicClock;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// When the shared-memory link is chosen, and how it ends when one of two processes dies.
@Timeout(120)
final class SharedMemoryLinkTest {
    private static final Duration PATIENCE = Duration.ofSeconds(10);
    private static final DeviceOptions REMOTE = DeviceOptions.soft().withLinks(Link.SHARED_MEMORY, Link.TCP);

    @TempDir
    Path directory;

    /// Options for files in `place` of the test's directory.
    private DeviceOptions in(String place, DeviceOptions options) {
        Path path = directory.resolve(place);
        assertThat(path.toFile().isDirectory() || path.toFile().mkdir()).isTrue();
        return options.withSharedMemoryDirectory(path);
    }

    private String[] files(String place) {
        return directory.resolve(place).toFile().list();
    }

    private static Wire wireBetween(DeviceOptions one, DeviceOptions other) throws InterruptedException {
        try (var client = new Pair.Side(one, 4096, options -> options); var server = new Pair.Side(other, 4096, options -> options);
                Listener listener = server.device.listen(request -> request.accept(server.queuePair, new byte[0]))) {
            client.queuePair.connect(listener.address(), new byte[0], PATIENCE);
            client.queuePair.newSendBatch()
                    .fetchAndAdd(1, client.region, 0, server.region.address(), server.region.remoteKey(), 42).post();
            assertThat(client.next().succeeded()).isTrue();
            assertThat(server.region.memory().get(ValueLayout.JAVA_LONG, 0)).isEqualTo(42);
            Wire ours = ((SoftQueuePair) client.queuePair).queues().wire();
            Wire theirs = ((SoftQueuePair) server.queuePair).queues().wire();
            assertThat(ours).isNotNull();
            assertThat(theirs).isNotNull();
            assertThat(ours.getClass()).isEqualTo(theirs.getClass());
            return ours;
        }
    }

    @Test
    void sharedMemoryIsChosen_whenBothSeeTheSameFile() throws InterruptedException {
        assertThat(wireBetween(in("a", REMOTE), in("a", REMOTE))).isInstanceOf(RingWire.class);
        assertThat(files("a")).isEmpty();
        assertThat(wireBetween(in("a", REMOTE), in("a", REMOTE.withLinks(Link.SHARED_MEMORY)))).isInstanceOf(RingWire.class);
        assertThat(wireBetween(REMOTE, REMOTE)).as("the default directory").isInstanceOf(RingWire.class);
    }

    @Test
    void theLocalLinkComesFirst() throws InterruptedException {
        assertThat(wireBetween(DeviceOptions.soft(), DeviceOptions.soft())).isInstanceOf(LocalWire.class);
    }

    @Test
    void tcpIsChosen_whenTheFileIsNotSeenOrNotWanted() throws InterruptedException {
        assertThat(wireBetween(in("a", REMOTE), in("b", REMOTE))).isInstanceOf(TcpWire.class);
        assertThat(wireBetween(in("a", REMOTE), REMOTE.withLinks(Link.TCP))).isInstanceOf(TcpWire.class);
        assertThat(wireBetween(REMOTE.withLinks(Link.TCP), in("b", REMOTE))).isInstanceOf(TcpWire.class);
        assertThat(wireBetween(REMOTE.withSharedMemoryDirectory(directory.resolve("nowhere")), in("b", REMOTE)))
                .isInstanceOf(TcpWire.class);
        assertThat(files("a")).isEmpty();
        assertThat(files("b")).isEmpty();
    }

    @Test
    void withoutALinkInCommonThereIsNoConnection() {
        assertThatThrownBy(() -> wireBetween(in("a", REMOTE), in("b", REMOTE.withLinks(Link.SHARED_MEMORY))))
                .isInstanceOfSatisfying(RdmaException.class, e -> assertThat(e.error()).isEqualTo(RdmaError.UNREACHABLE))
                .hasMessageContaining("no link in common");
        assertThatThrownBy(() -> wireBetween(REMOTE.withLinks(Link.SHARED_MEMORY), REMOTE.withLinks(Link.TCP)))
                .isInstanceOfSatisfying(RdmaException.class, e -> assertThat(e.error()).isEqualTo(RdmaError.UNREACHABLE));
    }

    @Test
    void aDirectoryThatIsNoneIsSaidAtOnce_whenThereIsNoOtherLink() {
        Path nowhere = directory.resolve("nowhere");
        assertThatThrownBy(() -> RdmaDevice.open(REMOTE.withLinks(Link.SHARED_MEMORY).withSharedMemoryDirectory(nowhere)))
                .isInstanceOfSatisfying(RdmaException.class, e -> assertThat(e.error()).isEqualTo(RdmaError.INVALID_ARGUMENT))
                .hasMessageContaining(nowhere.toString()).hasMessageContaining("name another directory");
    }

    /// The raw way, without a listener.
    @Test
    void queuePairsThatNameEachOtherShareMemory() {
        try (var one = new Pair.Side(REMOTE, 64, options -> options); var other = new Pair.Side(REMOTE, 64, options -> options)) {
            one.queuePair.toInit();
            other.queuePair.toInit();
            one.queuePair.toReadyToReceive(other.queuePair.address());
            other.queuePair.toReadyToReceive(one.queuePair.address());
            one.queuePair.toReadyToSend(PATIENCE);
            other.queuePair.toReadyToSend(PATIENCE);
            assertThat(((SoftQueuePair) one.queuePair).queues().wire()).isInstanceOf(RingWire.class);
        }
    }

    /// After a rest that sends everybody to sleep, on either side and with either way to wait.
    @Test
    void whoSleepsIsWoken() throws InterruptedException {
        try (var pair = new Pair(REMOTE.withLinks(Link.SHARED_MEMORY), 4096)) {
            for (int round = 0; round < 100; round++) {
                Pair.Side side = round % 2 == 0 ? pair.client : pair.server;
                Pair.Side peer = side == pair.client ? pair.server : pair.client;
                LockSupport.parkNanos(3_000_000);
                long start = NicClock.nanos();
                side.queuePair.newSendBatch().fetchAndAdd(round, side.region, 0, peer.region.address() + 8,
                        peer.region.remoteKey(), 1).post();
                assertThat((round % 3 == 0 ? side.spin() : side.next()).succeeded()).isTrue();
                // Far less than the second after which a thread wakes by itself.
                assertThat(NicClock.millisSince(start)).as("round %d", round).isLessThan(500);
            }
        }
    }

    // ---- two processes

    /// The other process of these tests: serves a region, adds to the word at 0 of a peer's region if that is named, and says
    /// how far it is.
    static final class Other {
        private static final int DEPTH = 32;

        private Other() {
        }

        public static void main(String[] arguments) throws IOException, InterruptedException {
            var options = REMOTE.withLinks(Link.SHARED_MEMORY).withSharedMemoryDirectory(Path.of(arguments[0]));
            try (var side = new Pair.Side(options, 1 << 20, tuning -> tuning);
                    Listener listener = side.device.listen(request -> request.accept(side.queuePair, new byte[0]))) {
                if (arguments.length == 1) {
                    System.out.println(listener.address() + " " + side.region.address() + " " + side.region.remoteKey());
                    Forked.awaitRelease();
                    return;
                }
                side.queuePair.connect(EndpointAddress.parse(arguments[1]), new byte[0], PATIENCE);
                System.out.println("connected");
                SendBatch batch = side.queuePair.newSendBatch();
                while (side.queuePair.state() == QueuePairState.RTS) {
                    add(side, batch, Long.parseLong(arguments[2]), Integer.parseInt(arguments[3]));
                }
            }
        }

        private static void add(Pair.Side side, SendBatch batch, long address, int key) throws InterruptedException {
            for (int i = 0; i < DEPTH; i++) {
                batch.fetchAndAdd(i, side.region, 8 * i, address, key, 1);
                batch.write(i, side.region, 4096, 20_000, address + 8, key).unsignalled();
            }
            if (batch.post() == PostStatus.POSTED) {
                for (int i = 0; i < DEPTH; i++) {
                    side.next();
                }
            }
        }
    }

    @Test
    void aKilledClientBreaksItsQueuePairAlone() throws Exception {
        var options = in("a", REMOTE.withLinks(Link.SHARED_MEMORY));
        BlockingQueue<AsyncEvent> events = new LinkedBlockingQueue<>();
        try (var pair = new Pair(options, 1 << 16)) {
            pair.closeListener();
            pair.server.device.onAsyncEvent(events::add);
            for (int round = 0; round < 3; round++) {
                QueuePair victim = pair.server.domain.createQueuePair(
                        QueuePairOptions.of(pair.server.completions, pair.server.completions));
                try (Listener listener = pair.server.device.listen(request -> request.accept(victim, new byte[0]));
                        Forked other = Forked.run(Other.class, directory.resolve("a").toString(), listener.address().toString(),
                                Long.toString(pair.server.region.address()), Integer.toString(pair.server.region.remoteKey()))) {
                    assertThat(other.words()[0]).isEqualTo("connected");
                    long before = count(pair);
                    await(() -> count(pair) > before + 1000);
                    long start = NicClock.nanos();
                    other.kill();
                    AsyncEvent event = events.poll(10, TimeUnit.SECONDS);
                    assertThat(event).isNotNull();
                    assertThat(NicClock.millisSince(start)).isLessThan(5000);
                    assertThat(event.type()).isEqualTo(AsyncEvent.Type.PEER_GONE);
                    assertThat(event.number()).isEqualTo(victim.number());
                    assertThat(victim.state()).isEqualTo(QueuePairState.ERR);
                }
                victim.close();
                pair.client.queuePair.newSendBatch()
                        .read(77, pair.client.region, 0, 8, pair.server.region.address(), pair.server.region.remoteKey()).post();
                assertThat(pair.client.next().succeeded()).as("another queue pair of the node").isTrue();
                assertThat(files("a")).isEmpty();
            }
        }
    }

    private static long count(Pair pair) {
        return NativeMemory.getLongAcquire(pair.server.region.address());
    }

    @Test
    void aKilledServerFailsItsClients() throws Exception {
        try (var client = new Pair.Side(in("a", REMOTE.withLinks(Link.SHARED_MEMORY)), 1 << 20, options -> options);
                Forked other = Forked.run(Other.class, directory.resolve("a").toString())) {
            String[] words = other.words();
            client.queuePair.connect(EndpointAddress.parse(words[0]), new byte[0], PATIENCE);
            SendBatch batch = client.queuePair.newSendBatch();
            Thread killer = null;
            long done = 0;
            WorkCompletionStatus last = WorkCompletionStatus.SUCCESS;
            for (long start = NicClock.nanos(); last == WorkCompletionStatus.SUCCESS; done++) {
                assertThat(NicClock.millisSince(start)).isLessThan(30_000);
                batch.read(1, client.region, 0, 1 << 19, Long.parseLong(words[1]), Integer.parseInt(words[2]));
                assertThat(batch.post()).isIn(PostStatus.POSTED, PostStatus.INVALID_STATE);
                last = client.next().status();
                if (done == 100) {
                    killer = Thread.startVirtualThread(other::kill);
                }
            }
            assertThat(done).isGreaterThan(100);
            assertThat(last).isIn(WorkCompletionStatus.RETRY_EXC_ERR, WorkCompletionStatus.WR_FLUSH_ERR);
            assertThat(client.queuePair.state()).isEqualTo(QueuePairState.ERR);
            assertThat(killer).isNotNull();
            killer.join();
            assertThat(files("a")).isEmpty();
        }
    }

    private static void await(BooleanSupplier condition) {
        long deadline = NicClock.deadline(PATIENCE);
        while (!condition.getAsBoolean()) {
            assertThat(NicClock.nanos()).as("time").isLessThan(deadline);
            LockSupport.parkNanos(1_000_000);
        }
    }
}
