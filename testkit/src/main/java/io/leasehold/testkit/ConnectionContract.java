package io.leasehold.testkit;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.leasehold.rdma.AsyncEvent;
import io.leasehold.rdma.ConnectionHandler;
import io.leasehold.rdma.ConnectionRequest;
import io.leasehold.rdma.EndpointAddress;
import io.leasehold.rdma.Listener;
import io.leasehold.rdma.MemoryRegion;
import io.leasehold.rdma.QueuePair;
import io.leasehold.rdma.QueuePairState;
import io.leasehold.rdma.RdmaDevice;
import io.leasehold.rdma.RdmaError;
import io.leasehold.rdma.RdmaException;
import io.leasehold.rdma.WorkCompletionStatus;
import io.leasehold.testkit.Testbed.Connection;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;

/// Finding a peer, being refused by it, and losing it.
public interface ConnectionContract extends FabricContract {
    /// A time-out that is meant to pass.
    Duration SOON = Duration.ofMillis(300);

    /// What a loaded machine may add to a time-out.
    Duration SLACK = Duration.ofSeconds(5);

    /// A device of its own with a handler of its own; the endpoints live on `host`.
    private Listener listen(Host host, ConnectionHandler handler) {
        RdmaDevice device = host.closing(openDevice());
        return host.closing(device.listen(handler));
    }

    @Test
    default void connectingTakesBothSidesToReadyToSend() {
        try (Testbed bed = testbed()) {
            Connection connection = bed.connect();
            QueuePair client = connection.client().queuePair();
            QueuePair server = connection.server().queuePair();
            assertThat(client.state()).isEqualTo(QueuePairState.RTS);
            assertThat(server.state()).isEqualTo(QueuePairState.RTS);
            assertThat(client.remoteAddress()).isNotNull();
            assertThat(client.remoteAddress().number()).isEqualTo(server.number());
            assertThat(server.remoteAddress()).isNotNull();
            assertThat(server.remoteAddress().number()).isEqualTo(client.number());
        }
    }

    @Test
    default void privateDataTravelsBothWays() throws Exception {
        try (Testbed bed = testbed()) {
            int most = bed.server().device().attributes().maxPrivateDataBytes();
            BlockingQueue<ConnectionRequest> requests = new LinkedBlockingQueue<>();
            Host host = bed.server();
            Endpoint accepting = host.endpoint();
            RdmaDevice device = host.device();
            host.listener().close();
            try (Listener listener = device.listen(requests::add);
                    ExecutorService threads = Executors.newSingleThreadExecutor()) {
                for (int length : new int[] {0, 1, most}) {
                    Endpoint client = bed.client().endpoint();
                    Future<byte[]> answer = threads.submit(
                            () -> client.queuePair().connect(listener.address(), bytes(length, 1), Endpoint.PATIENCE));
                    ConnectionRequest request = requests.poll(20, TimeUnit.SECONDS);
                    assertThat(request).isNotNull();
                    assertThat(request.privateData()).isEqualTo(bytes(length, 1));
                    assertThat(request.remote().number()).isEqualTo(client.queuePair().number());
                    request.accept(accepting.queuePair(), bytes(length, 2));
                    assertThat(answer.get(20, TimeUnit.SECONDS)).isEqualTo(bytes(length, 2));
                    accepting.queuePair().toReset();
                }
                QueuePair refused = bed.client().endpoint().queuePair();
                failsWith(RdmaError.INVALID_ARGUMENT,
                        () -> refused.connect(listener.address(), bytes(most + 1, 1), Endpoint.PATIENCE));
            }
        }
    }

    private static byte[] bytes(int length, int seed) {
        byte[] bytes = new byte[length];
        for (int i = 0; i < length; i++) {
            bytes[i] = (byte) (i * 31 + seed);
        }
        return bytes;
    }

    @Test
    default void aRejectedPeerLearnsWhyAndMayTryAgain() {
        try (Testbed bed = testbed()) {
            Endpoint client = bed.client().endpoint();
            EndpointAddress address = bed.server().listener().address();
            RdmaException rejected = failsWith(RdmaError.REJECTED,
                    () -> client.queuePair().connect(address, "stranger".getBytes(UTF_8), Endpoint.PATIENCE));
            assertThat(rejected).hasMessageContaining("nobody here expects you").hasMessageContaining(address.host());
            assertThat(client.queuePair().state()).isEqualTo(QueuePairState.RESET);
            client.connect(bed.server().endpoint());
        }
    }

    @Test
    default void aRequestThatNobodyAnswersTimesOut() {
        try (Testbed bed = testbed()) {
            Listener mute = listen(bed.server(), _ -> { });
            QueuePair client = bed.client().endpoint().queuePair();
            long start = System.nanoTime();
            assertThatExceptionOfType(RdmaException.class)
                    .isThrownBy(() -> client.connect(mute.address(), new byte[0], SOON))
                    .satisfies(e -> assertThat(e.error()).isIn(RdmaError.TIMEOUT, RdmaError.REJECTED));
            assertThat(Duration.ofNanos(System.nanoTime() - start)).isBetween(SOON.dividedBy(2), SOON.plus(SLACK));
            assertThat(client.state()).isEqualTo(QueuePairState.RESET);
        }
    }

    @Test
    default void aListenerThatClosedCannotBeReached() {
        try (Testbed bed = testbed()) {
            EndpointAddress address = bed.server().listener().address();
            bed.server().listener().close();
            QueuePair client = bed.client().endpoint().queuePair();
            long start = System.nanoTime();
            assertThatExceptionOfType(RdmaException.class)
                    .isThrownBy(() -> client.connect(address, new byte[0], Duration.ofSeconds(2)))
                    .satisfies(e -> assertThat(e.error()).isIn(RdmaError.UNREACHABLE, RdmaError.REJECTED, RdmaError.TIMEOUT))
                    .withMessageContaining(address.host());
            assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(Duration.ofSeconds(2).plus(SLACK));
            assertThat(client.state()).isEqualTo(QueuePairState.RESET);
        }
    }

    @Test
    default void onlyAFreshQueuePairConnects() {
        try (Testbed bed = testbed()) {
            EndpointAddress address = bed.server().listener().address();
            QueuePair connected = bed.connect().client().queuePair();
            failsWith(RdmaError.INVALID_STATE, () -> connected.connect(address, new byte[0], Endpoint.PATIENCE));
            connected.toError();
            failsWith(RdmaError.INVALID_STATE, () -> connected.connect(address, new byte[0], Endpoint.PATIENCE));
        }
    }

    @Test
    default void aSlowHandlerHoldsNobodyElseUp() throws Exception {
        try (Testbed bed = testbed(); ExecutorService threads = Executors.newCachedThreadPool()) {
            CountDownLatch release = new CountDownLatch(1);
            Listener slow = listen(bed.server(), request -> {
                if (request.privateData()[0] == 0) {
                    awaitLatch(release);
                }
                request.reject("go " + request.privateData()[0]);
            });
            QueuePair first = bed.client().endpoint().queuePair();
            Future<byte[]> held = threads.submit(() -> first.connect(slow.address(), new byte[] {0}, Endpoint.PATIENCE));
            QueuePair second = bed.client().endpoint().queuePair();
            assertThat(failsWith(RdmaError.REJECTED, () -> second.connect(slow.address(), new byte[] {1}, Endpoint.PATIENCE)))
                    .hasMessageContaining("go 1");
            assertThat(held.isDone()).isFalse();
            release.countDown();
            assertThatThrownBy(() -> held.get(20, TimeUnit.SECONDS)).hasMessageContaining("go 0");
        }
    }

    private static void awaitLatch(CountDownLatch latch) {
        try {
            latch.await(20, TimeUnit.SECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    @Test
    default void manyConnectAtOnce() throws Exception {
        int peers = 24;
        try (Testbed bed = testbed(); ExecutorService threads = Executors.newCachedThreadPool()) {
            MemoryRegion words = bed.server().region(8L * peers, Host.EVERYTHING);
            List<Connection> pairs = new ArrayList<>();
            for (int i = 0; i < peers; i++) {
                pairs.add(new Connection(bed.client().endpoint(), bed.server().endpoint()));
            }
            MemoryRegion results = bed.client().region(8L * peers, Host.EVERYTHING);
            List<Future<?>> runs = new ArrayList<>();
            for (int i = 0; i < peers; i++) {
                int index = i;
                Connection pair = pairs.get(i);
                runs.add(threads.submit(() -> {
                    pair.client().connect(pair.server());
                    assertThat(pair.client().fetchAndAdd(results, 8L * index, words.address() + 8L * index, words.remoteKey(),
                            index + 1).succeeded()).isTrue();
                }));
            }
            for (Future<?> run : runs) {
                run.get(60, TimeUnit.SECONDS);
            }
            assertThat(words.memory().toArray(ValueLayout.JAVA_LONG))
                    .isEqualTo(LongStream.rangeClosed(1, peers).toArray());
        }
    }

    @Test
    default void aDeviceConnectsToItself() {
        try (Testbed bed = testbed()) {
            Endpoint one = bed.server().endpoint();
            Endpoint two = bed.server().endpoint();
            one.connect(two);
            MemoryRegion region = bed.server().region(64, Host.EVERYTHING);
            assertThat(one.fetchAndAdd(region, 0, region.address() + 8, region.remoteKey(), 5).succeeded()).isTrue();
            assertThat(two.fetchAndAdd(region, 16, region.address() + 8, region.remoteKey(), 5).succeeded()).isTrue();
            assertThat(region.memory().get(ValueLayout.JAVA_LONG, 8)).isEqualTo(10);
        }
    }

    @Test
    default void ownersWhoExchangeAddressesNeedNoListener() throws Exception {
        try (Testbed bed = testbed(); ExecutorService threads = Executors.newSingleThreadExecutor()) {
            Endpoint client = bed.client().endpoint();
            Endpoint server = bed.server().endpoint();
            for (Endpoint side : List.of(client, server)) {
                side.queuePair().toInit();
                assertThat(side.queuePair().state()).isEqualTo(QueuePairState.INIT);
            }
            client.queuePair().toReadyToReceive(server.queuePair().address());
            server.queuePair().toReadyToReceive(client.queuePair().address());
            assertThat(client.queuePair().state()).isEqualTo(QueuePairState.RTR);
            Future<?> other = threads.submit(() -> server.queuePair().toReadyToSend(Endpoint.PATIENCE));
            client.queuePair().toReadyToSend(Endpoint.PATIENCE);
            other.get(20, TimeUnit.SECONDS);
            MemoryRegion region = bed.server().region(64, Host.EVERYTHING);
            MemoryRegion local = bed.client().region(64, Host.EVERYTHING);
            assertThat(client.fetchAndAdd(local, 0, region.address(), region.remoteKey(), 3).succeeded()).isTrue();
            MemoryRegion mine = bed.client().region(64, Host.EVERYTHING);
            assertThat(server.fetchAndAdd(region, 8, mine.address(), mine.remoteKey(), 4).succeeded()).isTrue();
        }
    }

    @Test
    default void anOwnerWhosePeerNeverComesTimesOut() {
        try (Testbed bed = testbed()) {
            QueuePair client = bed.client().endpoint().queuePair();
            QueuePair server = bed.server().endpoint().queuePair();
            client.toInit();
            client.toReadyToReceive(server.address());
            long start = System.nanoTime();
            assertThatExceptionOfType(RdmaException.class).isThrownBy(() -> client.toReadyToSend(SOON))
                    .satisfies(e -> assertThat(e.error()).isIn(RdmaError.TIMEOUT, RdmaError.UNREACHABLE));
            assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(SOON.plus(SLACK));
        }
    }

    @Test
    default void statesAreTakenInOrder() {
        try (Testbed bed = testbed()) {
            QueuePair fresh = bed.client().endpoint().queuePair();
            QueuePair peer = bed.server().endpoint().queuePair();
            assertThat(fresh.state()).isEqualTo(QueuePairState.RESET);
            assertThat(fresh.remoteAddress()).isNull();
            failsWith(RdmaError.INVALID_STATE, () -> fresh.toReadyToReceive(peer.address()));
            failsWith(RdmaError.INVALID_STATE, () -> fresh.toReadyToSend(SOON));
            failsWith(RdmaError.INVALID_STATE, fresh::toSendQueueDrained);
            fresh.toInit();
            failsWith(RdmaError.INVALID_STATE, fresh::toInit);
            failsWith(RdmaError.INVALID_STATE, () -> fresh.toReadyToSend(SOON));
            assertThat(fresh.state()).isEqualTo(QueuePairState.INIT);
            fresh.toError();
            assertThat(fresh.state()).isEqualTo(QueuePairState.ERR);
            failsWith(RdmaError.INVALID_STATE, fresh::toInit);
            fresh.toReset();
            assertThat(fresh.state()).isEqualTo(QueuePairState.RESET);
        }
    }

    @Test
    default void whoseThePeerClosesIsToldAndInError() {
        try (Testbed bed = testbed()) {
            Connection connection = bed.connect();
            Endpoint server = connection.server();
            MemoryRegion region = bed.server().region(64, Host.EVERYTHING);
            server.receive(7, region, 0, 64);
            connection.client().queuePair().close();
            Await.until(Endpoint.PATIENCE, "the queue pair whose peer went is in error",
                    () -> server.queuePair().state() == QueuePairState.ERR);
            assertThat(server.await().status()).isEqualTo(WorkCompletionStatus.WR_FLUSH_ERR);
            Await.until(Endpoint.PATIENCE, "the owner is told", () -> bed.server().events().stream()
                    .anyMatch(event -> event.type() == AsyncEvent.Type.PEER_GONE
                            && event.number() == server.queuePair().number()));
        }
    }

    @Test
    default void aDeviceThatClosesTakesItsConnectionsWithIt() {
        try (Host survivor = Host.of("survivor", openDevice())) {
            Endpoint left = survivor.endpoint();
            try (Host mortal = Host.of("mortal", openDevice())) {
                left.connect(mortal.endpoint());
            }
            Await.until(Endpoint.PATIENCE, "the queue pair whose peer's device closed is in error",
                    () -> left.queuePair().state() == QueuePairState.ERR);
        }
    }

    /// Runs `call`, which must fail with `error`.
    private static RdmaException failsWith(RdmaError error, Runnable call) {
        try {
            call.run();
        } catch (RdmaException e) {
            assertThat(e.error()).as(e.getMessage()).isEqualTo(error);
            return e;
        }
        throw new AssertionError("expected an RdmaException with " + error);
    }
}
