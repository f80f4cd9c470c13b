package io.leasehold.rdma.internal.verbs;

import static io.leasehold.rdma.WorkCompletionStatus.FATAL_ERR;
import static io.leasehold.rdma.WorkCompletionStatus.MW_BIND_ERR;
import static io.leasehold.rdma.WorkCompletionStatus.RETRY_EXC_ERR;
import static io.leasehold.rdma.WorkCompletionStatus.SUCCESS;
import static io.leasehold.rdma.WorkCompletionStatus.WR_FLUSH_ERR;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.leasehold.rdma.AccessFlag;
import io.leasehold.rdma.AsyncEvent;
import io.leasehold.rdma.CompletionQueue;
import io.leasehold.rdma.DeviceOptions;
import io.leasehold.rdma.EndpointAddress;
import io.leasehold.rdma.MemoryRegion;
import io.leasehold.rdma.MemoryWindow;
import io.leasehold.rdma.MemoryWindowType;
import io.leasehold.rdma.PostStatus;
import io.leasehold.rdma.ProtectionDomain;
import io.leasehold.rdma.QueuePairAddress;
import io.leasehold.rdma.QueuePairOptions;
import io.leasehold.rdma.QueuePairState;
import io.leasehold.rdma.RdmaError;
import io.leasehold.rdma.RdmaException;
import io.leasehold.rdma.RemoteKey;
import io.leasehold.rdma.ResourceCounts;
import io.leasehold.rdma.SendBatch;
import io.leasehold.rdma.WorkCompletion;
import io.leasehold.rdma.WorkCompletionStatus;
import io.leasehold.rdma.internal.NicClock;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.HexFormat;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BooleanSupplier;
import jdk.net.ExtendedSocketOptions;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/// Queue pairs that fail, are reset or are refused something while somebody posts, on a device that does as it is told.
final class BreakdownTest {
    private static final Duration PATIENCE = Duration.ofSeconds(10);

    private final FakeVerbs fake = new FakeVerbs();
    private final Arena arena = Arena.ofShared();
    private final List<Thread> meanwhile = new ArrayList<>();
    private VerbsDevice device;
    private ProtectionDomain domain;
    private CompletionQueue completions;
    private MemoryRegion region;
    private VerbsQueuePair peer;
    private VerbsQueuePair queuePair;
    private SendBatch batch;

    private record Polled(long id, WorkCompletionStatus status) {
    }

    @BeforeEach
    void open() {
        device = VerbsDevice.open(fake, DeviceOptions.verbs());
        domain = device.allocateProtectionDomain();
        completions = device.createCompletionQueue(64);
        region = domain.register(arena.allocate(4096), EnumSet.allOf(AccessFlag.class));
        peer = newQueuePair();
        queuePair = newQueuePair();
        batch = queuePair.newSendBatch();
        fake.completes = false;
        fake.flushes = true;
        // Of the trials when the device was opened.
        fake.freedWindows.clear();
        fake.destroyedPairs.clear();
    }

    private VerbsQueuePair newQueuePair() {
        return (VerbsQueuePair) domain.createQueuePair(QueuePairOptions.of(completions, completions).withDepth(8, 8));
    }

    @AfterEach
    void close() throws InterruptedException {
        for (Thread thread : meanwhile) {
            assertThat(thread.join(PATIENCE)).as("%s ended", thread).isTrue();
        }
        device.close();
        until("all has ended", () -> device.resources().equals(ResourceCounts.NONE));
        arena.close();
    }

    private void join() {
        VerbsQueuePair.joinWithin(queuePair, peer);
        fake.posted();
    }

    /// Connects the pairs by an exchange, so that each is told of the other's end.
    private void connect() {
        try (var listener = device.listen(request -> request.accept(peer, new byte[0]))) {
            queuePair.connect(listener.address(), new byte[0], PATIENCE);
        }
        fake.posted();
    }

    private static void until(String what, BooleanSupplier condition) {
        long deadline = NicClock.deadline(PATIENCE);
        while (!condition.getAsBoolean()) {
            assertThat(NicClock.nanos()).as("waiting until %s", what).isLessThan(deadline);
            Thread.onSpinWait();
        }
    }

    /// Runs `action` on another thread, until it has returned or waits for a lock.
    private void meanwhile(Runnable action) {
        Thread thread = Thread.ofPlatform().start(action);
        meanwhile.add(thread);
        until("the other thread is done or waits", () -> switch (thread.getState()) {
            case WAITING, BLOCKED, TERMINATED -> true;
            default -> false;
        });
    }

    private void once(Runnable action) {
        fake.duringModify = () -> {
            fake.duringModify = () -> { };
            action.run();
        };
    }

    private List<Polled> poll(int count) {
        List<Polled> polled = new ArrayList<>();
        WorkCompletion completion = new WorkCompletion();
        until(count + " completions have come; so far " + polled, () -> {
            while (completions.poll(completion)) {
                polled.add(new Polled(completion.id(), completion.status()));
            }
            return polled.size() >= count;
        });
        return polled;
    }

    /// It either never reached the device, or may have been carried out.
    private void assertHonest(long id) {
        boolean posted = !fake.posted().isEmpty();
        assertThat(poll(1)).containsExactly(new Polled(id, posted ? RETRY_EXC_ERR : WR_FLUSH_ERR));
    }

    @Test
    void whatIsPostedWhileTheDeviceGoesToErrIsNotSaidToHaveHadNoEffect() throws InterruptedException {
        join();
        once(() -> meanwhile(() -> batch.fetchAndAdd(1, region, 0, 0x1000, 0, 1).post()));
        queuePair.toError();
        meanwhile.getFirst().join();
        assertHonest(1);
    }

    @Test
    void whatIsPostedWhileThePeersEndIsToldIsNotSaidToHaveHadNoEffect() throws InterruptedException {
        connect();
        // The first to be modified is the pair that is closed, the second the one that is told.
        once(() -> once(() -> meanwhile(() -> batch.fetchAndAdd(1, region, 0, 0x1000, 0, 1).post())));
        peer.close();
        until("the pair has failed", () -> queuePair.queues().state() == QueuePairState.ERR);
        meanwhile.getFirst().join();
        assertHonest(1);
    }

    @Test
    void whatIsPostedWhileTheDeviceResetsDoesNotReachIt() throws InterruptedException {
        join();
        List<PostStatus> statuses = new ArrayList<>();
        once(() -> {
            meanwhile(() -> statuses.add(batch.fetchAndAdd(1, region, 0, 0x1000, 0, 1).post()));
            meanwhile(() -> statuses.add(queuePair.postReceive(2, region, 0, 8)));
        });
        queuePair.toReset();
        for (Thread thread : meanwhile) {
            thread.join();
        }
        assertThat(statuses).containsExactly(PostStatus.INVALID_STATE, PostStatus.INVALID_STATE);
        assertThat(fake.posted()).isEmpty();
    }

    @Test
    void whatIsRefusedBehindWhatSucceedsWithoutAWordCompletes() throws InterruptedException {
        join();
        fake.completes = true;
        fake.refusedAt = 1;
        fake.refusedWith = NativeFailure.EINVAL;
        batch.write(1, region, 0, 8, 0, 0).unsignalled().write(2, region, 0, 8, 0, 0).write(3, region, 0, 8, 0, 0);
        assertThat(batch.post()).isEqualTo(PostStatus.POSTED);
        assertThat(completions.await(PATIENCE)).as("there is something").isTrue();
        assertThat(poll(2)).containsExactly(new Polled(2, WR_FLUSH_ERR), new Polled(3, WR_FLUSH_ERR));
        batch.write(4, region, 0, 8, 0, 0).post();
        assertThat(poll(1)).containsExactly(new Polled(4, WR_FLUSH_ERR));
    }

    @Test
    void whatIsPostedInErrBehindWhatSucceedsWithoutAWordCompletes() throws InterruptedException {
        join();
        fake.completes = true;
        batch.write(1, region, 0, 8, 0, 0).unsignalled().post();
        queuePair.toError();
        batch.write(2, region, 0, 8, 0, 0).unsignalled().post();
        assertThat(completions.await(PATIENCE)).as("there is something").isTrue();
        assertThat(poll(1)).containsExactly(new Polled(2, WR_FLUSH_ERR));
    }

    @Test
    void nothingIsCarriedOutBehindAHole() throws InterruptedException {
        join();
        fake.refusedAt = 1;
        fake.refusedWith = NativeFailure.EINVAL;
        SendBatch other = queuePair.newSendBatch();
        once(() -> meanwhile(() -> other.fetchAndAdd(3, region, 0, 0x1000, 0, 1).post()));
        batch.write(1, region, 0, 8, 0, 0).write(2, region, 0, 8, 0, 0).post();
        until("the device has failed the pair", () -> fake.isInError(queuePair.pointer()));
        meanwhile.getFirst().join();
        assertThat(fake.posted()).extracting(FakeVerbs.Posted::opcode).as("what reached the device").containsExactly(Abi.WRITE);
        assertThat(poll(3)).containsExactly(new Polled(1, RETRY_EXC_ERR), new Polled(2, WR_FLUSH_ERR),
                new Polled(3, WR_FLUSH_ERR));
    }

    @Test
    void aRequestThatWaitsForItsTurnDoesNotHoldUpThoseOfOthers() {
        join();
        fake.flushes = false;
        batch.write(1, region, 0, 8, 0, 0).post();
        queuePair.toError();
        batch.write(2, region, 0, 8, 0, 0).post();
        peer.toError();
        peer.newSendBatch().write(3, region, 0, 8, 0, 0).post();
        assertThat(poll(1)).containsExactly(new Polled(3, WR_FLUSH_ERR));
        fake.complete(queuePair.pointer(), fake.posted().getFirst().tag(), WR_FLUSH_ERR.ordinal());
        assertThat(poll(2)).containsExactly(new Polled(1, RETRY_EXC_ERR), new Polled(2, WR_FLUSH_ERR));
    }

    @Test
    void aWindowThatTwoCloseWhileABindIsPostedIsFreedOnce() throws InterruptedException {
        var window = (VerbsMemoryWindow) domain.allocateMemoryWindow(MemoryWindowType.TYPE_2B);
        long pointer = window.beginPost(queuePair);
        meanwhile(window::close);
        meanwhile(window::close);
        assertThat(window.beginPost(queuePair)).as("for a further bind").isZero();
        window.notPosted();
        for (Thread thread : meanwhile) {
            thread.join();
        }
        assertThat(fake.freedWindows).containsExactly(pointer);
        assertThat(device.resources().windows()).isZero();
    }

    @Test
    void aBindThatFailsDoesNotMakeTheWindowForgetWhereItIsBound() {
        join();
        MemoryWindow window = domain.allocateMemoryWindow(MemoryWindowType.TYPE_2B);
        int first = new RemoteKey(window.remoteKey()).next().value();
        int second = new RemoteKey(first).next().value();
        int read = AccessFlag.REMOTE_READ.bit();
        fake.completes = true;
        batch.bindMemoryWindow(1, window, first, region, region.address(), 64, read).post();
        assertThat(poll(1)).containsExactly(new Polled(1, SUCCESS));
        fake.completes = false;
        fake.posted();
        peer.newSendBatch().bindMemoryWindow(2, window, second, region, region.address(), 64, read).post();
        fake.complete(peer.pointer(), fake.posted().getFirst().tag(), MW_BIND_ERR.ordinal());
        assertThat(poll(1)).containsExactly(new Polled(2, MW_BIND_ERR));
        batch.localInvalidate(3, first).post();
        assertThat(fake.posted().getFirst().number(Abi.SendRequest.IMMEDIATE)).as("the key to invalidate").isEqualTo(first);
        queuePair.close();
        assertThat(fake.freedWindows).as("windows freed with their queue pair").hasSize(1);
    }

    @Test
    void aHandlerThatIsSetWhileTheQueueIsToldIsNotForgotten() throws InterruptedException {
        join();
        var queue = (VerbsCompletionQueue) completions;
        assertThat(queue.await(Duration.ZERO)).isFalse();
        assertThat(fake.armed).containsExactly(queue.pointer());
        fake.armed.clear();
        queue.lock().lock();
        try {
            meanwhile(() -> device.told(queue.slot()));
            queue.onCompletion(() -> { });
        } finally {
            queue.lock().unlock();
        }
        meanwhile.getFirst().join();
        assertThat(fake.armed).as("queues that raise an event").containsExactly(queue.pointer());
    }

    @Test
    void aHandlerRunsOnOneThreadAtATimeAndOnceMoreForWhoCameMeanwhile() throws InterruptedException {
        var entered = new AtomicInteger();
        var most = new AtomicInteger();
        var runs = new AtomicInteger();
        var leave = new CountDownLatch(1);
        completions.onCompletion(() -> {
            most.accumulateAndGet(entered.incrementAndGet(), Math::max);
            runs.incrementAndGet();
            try {
                leave.await();
            } catch (InterruptedException e) {
                throw new AssertionError(e);
            }
            entered.decrementAndGet();
        });
        int slot = ((VerbsCompletionQueue) completions).slot();
        meanwhile(() -> device.told(slot));
        meanwhile(() -> device.told(slot));
        leave.countDown();
        for (Thread thread : meanwhile) {
            thread.join();
        }
        assertThat(most).hasValue(1);
        assertThat(runs).hasValue(2);
    }

    @Test
    void aQueueThatCannotBeArmedIsToldAllTheSame() {
        var runs = new AtomicInteger();
        completions.onCompletion(runs::incrementAndGet);
        fake.notificationAnswer = NativeFailure.EINVAL;
        device.told(((VerbsCompletionQueue) completions).slot());
        assertThat(runs).hasValue(1);
        assertThatExceptionOfType(RdmaException.class).isThrownBy(() -> completions.await(PATIENCE))
                .withMessageContaining("ibv_req_notify_cq");
    }

    @Test
    void whatAnAnnouncementThrowsDoesNotHoldUpTheNext() throws InterruptedException {
        var told = new CountDownLatch(1);
        device.announcements().later(() -> {
            throw new IllegalStateException("thrown by the test");
        });
        device.announcements().later(told::countDown);
        assertThat(told.await(PATIENCE.toMillis(), TimeUnit.MILLISECONDS)).isTrue();
    }

    @Test
    void anExceptionOfAnInlinePayloadLeavesNoRequestBehind() {
        join();
        MemorySegment payload;
        try (Arena ended = Arena.ofConfined()) {
            payload = ended.allocate(8);
        }
        batch.write(1, region, 0, 8, 0, 0);
        assertThatExceptionOfType(IllegalStateException.class).isThrownBy(() -> batch.writeInline(2, payload, 0, 8, 0, 0));
        assertThat(batch.size()).isEqualTo(1);
        batch.post();
        assertThat(fake.posted()).hasSize(1);
    }

    @Test
    void aQueueThatCannotBeReadFailsWhoUsesItAndLosesWhatWasOutstanding() {
        join();
        List<AsyncEvent.Type> events = new CopyOnWriteArrayList<>();
        device.onAsyncEvent(event -> events.add(event.type()));
        batch.write(1, region, 0, 8, 0, 0).unsignalled().fetchAndAdd(2, region, 0, 0, 0, 1).post();
        fake.pollAnswer = -1;
        assertThat(poll(2)).containsExactly(new Polled(1, FATAL_ERR), new Polled(2, FATAL_ERR));
        until("it is told", () -> events.contains(AsyncEvent.Type.CQ_ERR));
        assertThat(queuePair.queues().state()).isEqualTo(QueuePairState.ERR);
        batch.write(3, region, 0, 8, 0, 0).post();
        assertThat(poll(1)).containsExactly(new Polled(3, WR_FLUSH_ERR));
        assertThat(events).containsOnlyOnce(AsyncEvent.Type.CQ_ERR);
        fake.pollAnswer = 0;
    }

    @Test
    void aDeviceThatFailsLosesWhatWasOutstanding() {
        join();
        fake.flushes = false;
        batch.fetchAndAdd(1, region, 0, 0, 0, 1).post();
        FakeVerbs.Posted lost = fake.posted().getFirst();
        device.reactionTo(8, 0).run();
        assertThat(poll(1)).containsExactly(new Polled(1, FATAL_ERR));
        // The device has another word for it after all: too late.
        fake.complete(queuePair.pointer(), lost.tag(), WR_FLUSH_ERR.ordinal());
        batch.write(2, region, 0, 8, 0, 0).post();
        assertThat(poll(1)).containsExactly(new Polled(2, WR_FLUSH_ERR));
    }

    @Test
    void aQueuePairThatTheDeviceNoLongerModifiesIsClosedAllTheSame() {
        join();
        fake.failing = "ibv_modify_qp";
        fake.failingWith = NativeFailure.ENODEV;
        queuePair.close();
        assertThat(fake.destroyedPairs).containsExactly(queuePair.pointer());
        fake.failing = "ibv_destroy_qp";
        assertThatExceptionOfType(RdmaException.class).isThrownBy(peer::close).withMessageContaining("ibv_destroy_qp");
        peer.close();
        assertThat(device.resources().queuePairs()).isZero();
        completions.close();
        region.close();
        domain.close();
    }

    @Test
    void aStrangerThatAsksAndSaysNoMoreIsNotWaitedForAsLongAsItLikes() throws IOException {
        try (var server = new ServerSocket(0, 1, InetAddress.getLoopbackAddress());
                var stranger = new Socket(server.getInetAddress(), server.getLocalPort());
                var exchange = new Exchange(server.accept())) {
            var request = new IncomingRequest(device, exchange, peer.info(), new byte[0], NicClock.deadline(Duration.ofDays(24)),
                    Duration.ofMillis(20));
            assertThatExceptionOfType(RdmaException.class).isThrownBy(() -> request.accept(queuePair, new byte[0]))
                    .satisfies(e -> assertThat(e.error()).isEqualTo(RdmaError.TIMEOUT));
            assertThat(queuePair.state()).isEqualTo(QueuePairState.RESET);
            assertThat(stranger.isConnected()).isTrue();
        }
        assertThat(Connections.patience(Integer.MAX_VALUE)).isEqualTo(Connections.PATIENCE_MAX);
        assertThat(Connections.patience(-1)).isZero();
        assertThat(Connections.patience(5)).isEqualTo(Duration.ofMillis(5));
    }

    @Test
    void strangersThatSayNothingAreNotLetInWithoutBound() throws IOException {
        EndpointAddress address = device.connections().endpoint();
        List<Socket> strangers = new ArrayList<>();
        try {
            for (int i = 0; i < Connections.PENDING_MAX; i++) {
                strangers.add(new Socket(address.host(), address.port()));
            }
            try (var last = new Socket(address.host(), address.port())) {
                // Well before a stranger's time to say something is over.
                last.setSoTimeout(5_000);
                assertThat(last.getInputStream().read()).as("the end of the stream").isEqualTo(-1);
            }
        } finally {
            for (Socket stranger : strangers) {
                stranger.close();
            }
        }
        // They have made room.
        until("there is room", () -> {
            try {
                connect();
                return true;
            } catch (RdmaException e) {
                return false;
            }
        });
        assertThat(queuePair.state()).isEqualTo(QueuePairState.RTS);
    }

    @Test
    void aDeviceWhoseEventsCannotBeWaitedForIsClosedAgain() {
        var deaf = new FakeVerbs();
        // A descriptor that is none.
        RawMemory.putInt(deaf.context + Abi.Context.ASYNC_FD, 1_000_000);
        assertThatExceptionOfType(RdmaException.class).isThrownBy(() -> VerbsDevice.open(deaf, DeviceOptions.verbs()));
        // The first channel is that of the check.
        assertThat(deaf.freed).containsExactly("channel", "channel", "context");
    }

    @Test
    void aDeviceThatIsClosedByAnInterruptedThreadIsFreedAllTheSame() {
        fake.freed.clear();
        var returned = new AtomicBoolean();
        var end = new CountDownLatch(1);
        // Something of the device's own that does not end before somebody waits for it.
        device.announcements().later(() -> awaitUninterruptibly(end));
        Thread closing = Thread.currentThread();
        meanwhile.add(Thread.ofPlatform().start(() -> {
            until("it waits", () -> closing.getState() == Thread.State.TIMED_WAITING || returned.get());
            end.countDown();
        }));
        closing.interrupt();
        device.close();
        returned.set(true);
        assertThat(Thread.interrupted()).as("still interrupted").isTrue();
        assertThat(fake.freed).containsExactly("channel", "context");
    }

    private static void awaitUninterruptibly(CountDownLatch end) {
        while (end.getCount() > 0) {
            try {
                end.await();
            } catch (InterruptedException e) {
                // As the device is closed.
                continue;
            }
        }
    }

    @Test
    void aDeviceThatItsOwnHandlerClosesIsFreedWhenTheHandlerIsBack() {
        fake.freed.clear();
        List<List<String>> freedInHandler = new CopyOnWriteArrayList<>();
        completions.onCompletion(() -> {
            device.close();
            freedInHandler.add(List.copyOf(fake.freed));
        });
        fake.raise(((VerbsCompletionQueue) completions).pointer());
        until("it is freed", () -> fake.freed.contains("context"));
        assertThat(freedInHandler).containsExactly(List.of());
        assertThat(fake.freed).containsExactly("channel", "context");
    }

    @Test
    void whoNamesNoDeviceGetsOneWithAtomicsAndTheReasonsIfThereIsNone() {
        var two = new FakeVerbs();
        two.firstAtomics = 0;
        try (VerbsDevice chosen = VerbsDevice.open(two, DeviceOptions.verbs())) {
            assertThat(chosen.attributes().name()).isEqualTo("fake1");
        }
        try (VerbsDevice named = VerbsDevice.open(two, DeviceOptions.verbs().withDevice("fake0"))) {
            assertThat(named.attributes().name()).isEqualTo("fake0");
        }
        two.ports = 0;
        assertThatExceptionOfType(RdmaException.class).isThrownBy(() -> VerbsDevice.open(two, DeviceOptions.verbs()))
                .withMessageContaining("fake0").withMessageContaining("atomic").withMessageContaining("fake1")
                .withMessageContaining("port");
    }

    @Test
    void packetsToAnotherSubnetAndOfPortsThatSayGoWithAGid() {
        byte[] here = HexFormat.of().parseHex("fe800000000000000000000000000001");
        byte[] there = HexFormat.of().parseHex("fe800000000000010000000000000002");
        assertThat(isGlobal(false, here, here)).isFalse();
        assertThat(isGlobal(false, here, there)).isTrue();
        assertThat(isGlobal(true, here, here)).isTrue();
    }

    private boolean isGlobal(boolean global, byte[] own, byte[] others) {
        var port = new VerbsPort(1, 7, global, 5, 1 << 20, 0, own);
        PeerInfo info = peer.info();
        new PairTransitions(fake, port, queuePair.pointer(), 1).toReadyToReceive(
                new PeerInfo(info.address(), info.psn(), 8, others, info.mtu(), 1, 1, info.patienceMicros()), 1);
        return fake.modified[Abi.PairAttributes.IS_GLOBAL] != 0;
    }

    @Test
    void aPeerThatCannotBeReachedIsSaidToBeSoWithWhereAndWhen() {
        try (var listener = device.listen(request -> request.reject("no room for you"))) {
            assertThatExceptionOfType(RdmaException.class)
                    .isThrownBy(() -> queuePair.connect(listener.address(), new byte[0], PATIENCE))
                    .satisfies(e -> assertThat(e.error()).isEqualTo(RdmaError.REJECTED))
                    .withMessageContaining(listener.address().toString()).withMessageContaining("waiting for its answer")
                    .withMessageContaining(" ms: it says: no room for you");
        }
        fake.failingWith = NativeFailure.EHOSTUNREACH;
        fake.failing = "ibv_modify_qp";
        assertThatExceptionOfType(RdmaException.class).isThrownBy(queuePair::toInit)
                .satisfies(e -> assertThat(e.error()).isEqualTo(RdmaError.UNREACHABLE)).withMessageContaining("EHOSTUNREACH");
    }

    @Test
    void whoseHostDiesIsMissedBeforeLong() throws IOException {
        try (var server = new ServerSocket(0, 1, InetAddress.getLoopbackAddress());
                var socket = new Socket(server.getInetAddress(), server.getLocalPort());
                var _ = new Exchange(socket)) {
            assertThat(socket.getKeepAlive()).isTrue();
            int seconds = socket.getOption(ExtendedSocketOptions.TCP_KEEPIDLE)
                    + socket.getOption(ExtendedSocketOptions.TCP_KEEPINTERVAL) * socket.getOption(ExtendedSocketOptions.TCP_KEEPCOUNT);
            assertThat(seconds).isLessThanOrEqualTo(20);
        }
    }

    @Test
    void aRefusedPeerIsAskedAgainAndNotWithoutPause() throws IOException {
        var asked = new AtomicInteger();
        try (var server = new ServerSocket(0, 16, InetAddress.getLoopbackAddress())) {
            // An identity greater than any: this side dials.
            var address = new QueuePairAddress(new EndpointAddress(VerbsProvider.NAME, "127.0.0.1", server.getLocalPort(), -1), 9);
            PeerInfo stranger = peer.info();
            var info = new PeerInfo(address, stranger.psn(), stranger.lid(), stranger.gid(), stranger.mtu(), 1, 1, 1);
            Thread.ofVirtual().start(() -> refuseAll(server, info, asked));
            queuePair.toInit();
            long start = NicClock.nanos();
            queuePair.toReadyToReceive(address);
            until("it was asked six times", () -> asked.get() >= 6);
            assertThat(Duration.ofNanos(NicClock.nanos() - start)).isGreaterThan(Duration.ofMillis(1500));
            queuePair.toReset();
        }
    }

    private static void refuseAll(ServerSocket server, PeerInfo info, AtomicInteger asked) {
        while (!server.isClosed()) {
            try (var exchange = new Exchange(server.accept())) {
                if (exchange.receive(NicClock.deadline(PATIENCE)).type() == Exchange.ASK) {
                    exchange.send(Exchange.TELL, info::write);
                } else {
                    exchange.send(Exchange.REJECT, "there is no queue pair 9");
                    asked.incrementAndGet();
                }
            } catch (IOException e) {
                // The test has ended, or the pair was reset.
                continue;
            }
        }
    }

    @Test
    void aDeviceThatIsGoneWhenSomethingIsPostedIsNotTheUsersFault() {
        join();
        fake.refusedAt = 0;
        fake.refusedWith = NativeFailure.EIO;
        batch.write(1, region, 0, 8, 0, 0).write(2, region, 0, 8, 0, 0);
        assertThat(batch.post()).isEqualTo(PostStatus.POSTED);
        assertThat(poll(2)).containsExactly(new Polled(1, WR_FLUSH_ERR), new Polled(2, WR_FLUSH_ERR));
        assertThat(queuePair.queues().state()).isEqualTo(QueuePairState.ERR);
    }

    @Test
    void anErrorNumberThatAFunctionAnswersIsNotTakenFromErrno() {
        CFunction negative = CFunction.find(Linker.nativeLinker().defaultLookup(), "atoi", CFunction.descriptor("ip")).orElseThrow();
        long number = arena.allocateFrom("-95").address();
        assertThatExceptionOfType(NativeFailure.class).isThrownBy(() -> negative.number(number))
                .satisfies(e -> assertThat(e.errno()).isEqualTo(NativeFailure.EOPNOTSUPP));
    }
}
