package io.leasehold.rdma.internal.verbs;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.leasehold.rdma.AsyncEvent;
import io.leasehold.rdma.CompletionQueue;
import io.leasehold.rdma.PostStatus;
import io.leasehold.rdma.QueuePairOptions;
import io.leasehold.rdma.QueuePairState;
import io.leasehold.rdma.RdmaError;
import io.leasehold.rdma.RdmaException;
import io.leasehold.rdma.ResourceCounts;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// Ids, their events and their queue pairs, on a connection manager that says whatever one could want.
@Timeout(60)
final class CmChannelTest {
    private static final Duration SOON = Duration.ofSeconds(10);
    private static final byte[] NOTHING = new byte[0];

    private final FakeVerbs verbs = new FakeVerbs();
    private final FakeCm fake = new FakeCm(verbs);
    private final InetSocketAddress server = new InetSocketAddress("10.0.0.7", 7471);
    private VerbsDevice device;
    private VerbsProtectionDomain domain;
    private QueuePairOptions options;
    private CmChannel channel;

    @BeforeEach
    void open() {
        device = verbs.open();
        domain = (VerbsProtectionDomain) device.allocateProtectionDomain();
        CompletionQueue queue = device.createCompletionQueue(64);
        options = QueuePairOptions.of(queue, queue);
        channel = fake.open();
    }

    @AfterEach
    void close() {
        channel.closeAll();
        device.close();
        assertThat(device.resources()).isEqualTo(ResourceCounts.NONE);
        assertThat(fake.left()).as("ids, channels and events that were not acknowledged").isZero();
    }

    private CmEvent next() throws InterruptedException {
        CmEvent event = channel.next(SOON);
        assertThat(event).as("an event in time").isNotNull();
        return event;
    }

    private CmEvent happen(CmEvent.Type type, long id, int status) throws InterruptedException {
        fake.happen(type, id, 0, status, NOTHING);
        return next();
    }

    /// An id with a queue pair, whose pointer is [FakeCm#lastId].
    private CmId prepared() {
        CmId id = channel.newId();
        id.resolveAddress(null, server, 100);
        id.createQueuePair(domain, options, 1, 1);
        return id;
    }

    private CmId connected() throws InterruptedException {
        CmId id = prepared();
        id.connect(NOTHING, CmId.RETRIES, CmId.RETRIES);
        assertThat(happen(CmEvent.Type.CONNECT_RESPONSE, fake.lastId(), 0).type()).isEqualTo(CmEvent.Type.ESTABLISHED);
        return id;
    }

    @Test
    void theSideThatAsksBringsItsQueuePairUpAndThenEstablishes() throws InterruptedException {
        CmId id = prepared();
        VerbsQueuePair pair = id.queuePair();
        assertThat(pair.state()).isEqualTo(QueuePairState.INIT);
        assertThat(pair.newSendBatch().localInvalidate(1, 1).post()).isEqualTo(PostStatus.INVALID_STATE);
        assertThatExceptionOfType(RdmaException.class).isThrownBy(pair::toInit).withMessageContaining("is being connected");
        id.connect(new byte[] {1}, 3, 4);
        assertThat(fake.retries()).containsExactly(3, 4);
        fake.calls();
        CmEvent event = happen(CmEvent.Type.CONNECT_RESPONSE, fake.lastId(), 0);
        assertThat(event.type()).isEqualTo(CmEvent.Type.ESTABLISHED);
        assertThat(event.id()).isSameAs(id);
        assertThat(event.phase()).isEqualTo("connecting to");
        assertThat(event.peer()).isEqualTo(server);
        assertThat(fake.calls()).containsExactly("rdma_init_qp_attr", "rdma_init_qp_attr", "rdma_init_qp_attr", "rdma_establish");
        assertThat(pair.state()).isEqualTo(QueuePairState.RTS);
        assertThat(pair.remoteAddress()).hasToString("QueuePairAddress[endpoint=verbs:10.0.0.7:7471, number=4711]");
    }

    @Test
    void theSideThatIsAskedBringsItsQueuePairUpBeforeItAccepts() throws InterruptedException {
        CmId listener = channel.newId();
        listener.bind(server);
        listener.listen(1);
        fake.happen(CmEvent.Type.CONNECT_REQUEST, 0, fake.lastId(), 0, new byte[] {7, 8});
        CmEvent request = next();
        assertThat(request.listener()).isSameAs(listener);
        assertThat(request.privateData()).containsExactly(7, 8);
        CmId id = request.id();
        VerbsQueuePair pair = id.createQueuePair(domain, options, 1, 1);
        fake.calls();
        id.accept(NOTHING, 5);
        assertThat(fake.calls()).endsWith("rdma_init_qp_attr", "rdma_accept");
        assertThat(fake.retries().getLast()).isEqualTo(5);
        assertThat(pair.state()).isEqualTo(QueuePairState.RTS);
        assertThat(happen(CmEvent.Type.ESTABLISHED, fake.lastId(), 0).phase()).isEqualTo("accepting");
        assertThat(pair.remoteAddress()).isNotNull();
    }

    @ParameterizedTest
    @EnumSource(value = CmEvent.Type.class, names = {"REJECTED", "UNREACHABLE", "CONNECT_ERROR", "DEVICE_REMOVAL"})
    void whatFailsIsToldAndFailsTheQueuePair(CmEvent.Type type) throws InterruptedException {
        CmId id = prepared();
        id.connect(NOTHING, 1, 1);
        CmEvent event = happen(type, fake.lastId(), type == CmEvent.Type.REJECTED ? 8 : -110);
        assertThat(event.type()).isEqualTo(type);
        assertThat(event.type().isError()).isTrue();
        assertThat(event.describe()).contains(type.name(), "while connecting to", "10.0.0.7:7471", " ms")
                .contains(type == CmEvent.Type.REJECTED ? "nobody listens" : "ETIMEDOUT");
        assertThat(id.queuePair().state()).isEqualTo(QueuePairState.ERR);
        assertThatExceptionOfType(RdmaException.class).isThrownBy(() -> id.connect(NOTHING, 1, 1))
                .withMessageContaining("past its connection");
    }

    @ParameterizedTest
    @EnumSource(value = CmEvent.Type.class, names = {"ADDR_ERROR", "ROUTE_ERROR"})
    void whatCannotBeResolvedIsToldAndMayBeTriedAgain(CmEvent.Type type) throws InterruptedException {
        CmId id = channel.newId();
        id.resolveAddress(null, server, 100);
        id.resolveRoute(100);
        CmEvent event = happen(type, fake.lastId(), -113);
        assertThat(event.describe()).contains("EHOSTUNREACH");
        id.resolveAddress(null, server, 100);
        assertThat(happen(CmEvent.Type.ADDR_RESOLVED, fake.lastId(), 0).phase()).isEqualTo("resolving the address");
    }

    @Test
    void aQueuePairThatCannotBeBroughtUpIsAnErrorAndThePeerIsTold() throws InterruptedException {
        CmId id = prepared();
        id.connect(NOTHING, 1, 1);
        fake.fail("rdma_establish", NativeFailure.EINVAL);
        CmEvent event = happen(CmEvent.Type.CONNECT_RESPONSE, fake.lastId(), 0);
        assertThat(event.type()).isEqualTo(CmEvent.Type.CONNECT_ERROR);
        assertThat(event.status()).isEqualTo(-NativeFailure.EINVAL);
        assertThat(fake.calls()).contains("rdma_reject");
        assertThat(id.queuePair().state()).isEqualTo(QueuePairState.ERR);
    }

    @Test
    void thePeersEndFailsTheQueuePairAndIsAnsweredOnce() throws Exception {
        CmId id = connected();
        var gone = new CompletableFuture<AsyncEvent>();
        device.onAsyncEvent(gone::complete);
        fake.calls();
        CmEvent event = happen(CmEvent.Type.DISCONNECTED, fake.lastId(), 0);
        assertThat(event.phase()).isEqualTo("connected to");
        assertThat(id.queuePair().state()).isEqualTo(QueuePairState.ERR);
        assertThat(gone.get(10, TimeUnit.SECONDS).type()).isEqualTo(AsyncEvent.Type.PEER_GONE);
        id.disconnect();
        id.disconnect();
        assertThat(fake.calls()).containsExactly("rdma_disconnect");
    }

    @Test
    void whateverEndsTheQueuePairEndsTheConnection() throws InterruptedException {
        connected().queuePair().toError();
        assertThat(fake.calls()).endsWith("rdma_disconnect");
        connected().queuePair().toReset();
        assertThat(fake.calls()).endsWith("rdma_disconnect");
        connected().queuePair().close();
        assertThat(fake.calls()).endsWith("rdma_disconnect");
        connected().disconnect();
        assertThat(fake.calls()).endsWith("rdma_disconnect");
        connected().destroyQueuePair();
        assertThat(fake.calls()).endsWith("rdma_disconnect");
    }

    @Test
    void anIdThatHasAQueuePairIsNotDestroyedNorAChannelThatHasIds() {
        CmId id = prepared();
        assertThatExceptionOfType(RdmaException.class).isThrownBy(id::destroy)
                .satisfies(e -> assertThat(e.error()).isEqualTo(RdmaError.BUSY));
        assertThatExceptionOfType(RdmaException.class).isThrownBy(channel::close)
                .satisfies(e -> assertThat(e.error()).isEqualTo(RdmaError.BUSY));
        id.destroyWithQueuePair();
        id.destroyWithQueuePair();
        assertThat(channel.ids()).isZero();
        for (Runnable call : List.<Runnable>of(() -> id.connect(NOTHING, 1, 1), () -> id.accept(NOTHING, 1), () -> id.listen(1),
                () -> id.bind(server), () -> id.resolveRoute(1), () -> id.reject(NOTHING), id::disconnect, id::deviceName,
                id::destroyQueuePair, () -> id.createQueuePair(domain, options, 1, 1))) {
            assertThatExceptionOfType(RdmaException.class).isThrownBy(call::run)
                    .satisfies(e -> assertThat(e.error()).isEqualTo(RdmaError.CLOSED));
        }
    }

    @Test
    void anEventOfAnIdThatIsGoneIsDroppedAndAcknowledged() throws InterruptedException {
        CmId id = channel.newId();
        long pointer = fake.lastId();
        fake.happen(CmEvent.Type.ADDR_RESOLVED, pointer, 0, 0, NOTHING);
        id.destroy();
        assertThat(channel.next(Duration.ofMillis(50))).isNull();
    }

    @Test
    void aRequestToAListenerThatIsGoneIsRefused() throws InterruptedException {
        CmId listener = channel.newId();
        long pointer = fake.lastId();
        fake.happen(CmEvent.Type.CONNECT_REQUEST, 0, pointer, 0, NOTHING);
        listener.destroy();
        fake.calls();
        assertThat(channel.next(Duration.ofMillis(50))).isNull();
        assertThat(fake.calls()).containsExactly("rdma_reject", "rdma_destroy_id");
        assertThat(channel.ids()).isZero();
    }

    @Test
    void whatCannotBeIsRefusedBeforeTheLibraryIsAsked() {
        CmId id = channel.newId();
        assertThatExceptionOfType(RdmaException.class).isThrownBy(() -> id.createQueuePair(domain, options, 1, 1))
                .withMessageContaining("belongs to no device yet");
        assertThatExceptionOfType(RdmaException.class).isThrownBy(() -> id.connect(new byte[57], 1, 1))
                .withMessageContaining("at most 56");
        assertThatExceptionOfType(RdmaException.class).isThrownBy(() -> id.accept(new byte[197], 1)).withMessageContaining("at most 196");
        assertThatExceptionOfType(RdmaException.class).isThrownBy(() -> id.reject(new byte[149])).withMessageContaining("at most 148");
        assertThatExceptionOfType(RdmaException.class).isThrownBy(() -> id.bind(InetSocketAddress.createUnresolved("nowhere", 1)))
                .withMessageContaining("no resolved IP address");
        id.resolveAddress(null, server, 1);
        id.createQueuePair(domain, options, 1, 1);
        assertThatExceptionOfType(RdmaException.class).isThrownBy(() -> id.createQueuePair(domain, options, 1, 1))
                .withMessageContaining("has a queue pair already");
        fake.fail("rdma_connect", NativeFailure.EINVAL);
        assertThatExceptionOfType(RdmaException.class).isThrownBy(() -> id.connect(NOTHING, 1, 1))
                .withMessageContaining("connecting to").withMessageContaining("10.0.0.7").withMessageContaining("EINVAL");
    }

    @Test
    void aWaitEndsInTimeByAnInterruptionAndByTheEndOfTheChannel() throws Exception {
        assertThat(channel.next(Duration.ZERO)).isNull();
        Thread.currentThread().interrupt();
        assertThatExceptionOfType(InterruptedException.class).isThrownBy(() -> channel.next(SOON));
        assertThat(Thread.interrupted()).isFalse();
        try (ExecutorService executor = Executors.newVirtualThreadPerTaskExecutor()) {
            Future<CmEvent> waiting = executor.submit(() -> channel.next(Duration.ofDays(1)));
            channel.close();
            assertThat(waiting).failsWithin(SOON).withThrowableThat().withMessageContaining("closed");
        }
        assertThatExceptionOfType(RdmaException.class).isThrownBy(channel::newId)
                .satisfies(e -> assertThat(e.error()).isEqualTo(RdmaError.CLOSED));
    }

    /// More virtual threads wait than there are carriers, and each is woken.
    @Test
    void aVirtualThreadThatWaitsDoesNotKeepItsCarrier() throws Exception {
        int threads = 64;
        List<Future<CmEvent>> waiting = new ArrayList<>();
        try (ExecutorService executor = Executors.newVirtualThreadPerTaskExecutor()) {
            for (int i = 0; i < threads; i++) {
                waiting.add(executor.submit(() -> channel.next(SOON)));
            }
            // It runs at once only if those before it have given their carriers back.
            executor.submit(() -> {
                CmId id = channel.newId();
                for (int i = 0; i < threads; i++) {
                    fake.happen(CmEvent.Type.ADDR_RESOLVED, fake.lastId(), 0, 0, NOTHING);
                }
                return id;
            }).get(SOON.toMillis() / 2, TimeUnit.MILLISECONDS);
            for (Future<CmEvent> one : waiting) {
                assertThat(one.get(SOON.toMillis(), TimeUnit.MILLISECONDS)).isNotNull();
            }
        }
    }

    /// Ids are made, connected and destroyed by some threads while others take their events in.
    @Test
    void idsComeAndGoWhileOthersWait() throws Exception {
        int makers = 4;
        int rounds = 100;
        var established = new AtomicInteger();
        var done = new AtomicInteger();
        List<Future<?>> all = new ArrayList<>();
        try (ExecutorService executor = Executors.newCachedThreadPool()) {
            for (int i = 0; i < 2; i++) {
                all.add(executor.submit(() -> {
                    while (done.get() < makers) {
                        CmEvent event = channel.next(Duration.ofMillis(20));
                        if (event != null && event.type() == CmEvent.Type.ESTABLISHED) {
                            established.incrementAndGet();
                        }
                    }
                    return null;
                }));
            }
            for (int i = 0; i < makers; i++) {
                all.add(executor.submit(() -> {
                    for (int round = 0; round < rounds; round++) {
                        comeAndGo(round % 3);
                    }
                    return done.incrementAndGet();
                }));
            }
            for (Future<?> one : all) {
                one.get(50, TimeUnit.SECONDS);
            }
        }
        assertThat(channel.ids()).isZero();
        assertThat(established.get()).isGreaterThanOrEqualTo(makers * (rounds / 3));
    }

    /// One id's life, which ends with an event on its way, or when it is connected.
    private void comeAndGo(int kind) {
        CmId id;
        long pointer;
        synchronized (fake) {
            id = channel.newId();
            pointer = fake.lastId();
        }
        id.resolveAddress(null, server, 1);
        id.createQueuePair(domain, options, 1, 1);
        id.connect(NOTHING, 1, 1);
        fake.happen(kind == 0 ? CmEvent.Type.REJECTED : CmEvent.Type.CONNECT_RESPONSE, pointer, 0, 0, NOTHING);
        if (kind == 1) {
            long deadline = System.nanoTime() + SOON.toNanos();
            while (id.queuePair().state() != QueuePairState.RTS) {
                assertThat(System.nanoTime()).as("connected in time").isLessThan(deadline);
                Thread.yield();
            }
        } else if (kind == 2) {
            fake.happen(CmEvent.Type.DISCONNECTED, pointer, 0, 0, NOTHING);
            id.disconnect();
        }
        id.destroyWithQueuePair();
    }
}
