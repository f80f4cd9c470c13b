package io.leasehold.rdma.internal.soft;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.leasehold.rdma.AccessFlag;
import io.leasehold.rdma.AsyncEvent;
import io.leasehold.rdma.DeviceOptions;
import io.leasehold.rdma.EndpointAddress;
import io.leasehold.rdma.Link;
import io.leasehold.rdma.Listener;
import io.leasehold.rdma.MemoryWindow;
import io.leasehold.rdma.MemoryWindowType;
import io.leasehold.rdma.QueuePair;
import io.leasehold.rdma.QueuePairAddress;
import io.leasehold.rdma.QueuePairOptions;
import io.leasehold.rdma.QueuePairState;
import io.leasehold.rdma.RdmaError;
import io.leasehold.rdma.RemoteKey;
import io.leasehold.rdma.WorkCompletionStatus;
import io.leasehold.rdma.internal.NicClock;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/// A peer that has mapped the rings and writes into them what it likes harms its own queue pair, and nothing else.
@Timeout(120)
final class HostileRingTest {
    private static final Duration PATIENCE = Duration.ofSeconds(10);
    private static final int REGION_BYTES = 1 << 16;
    private static final int WINDOW_AT = 1 << 14;
    private static final int WINDOW_BYTES = 1 << 13;
    private static final byte UNTOUCHED = 3;

    @TempDir
    Path directory;

    private final BlockingQueue<AsyncEvent> events = new LinkedBlockingQueue<>();
    private Pair pair;
    private Listener listener;
    private QueuePair victim;
    private final List<MemoryWindow> windows = new ArrayList<>();

    @BeforeEach
    void open() {
        pair = new Pair(DeviceOptions.soft().withLinks(Link.SHARED_MEMORY).withSharedMemoryDirectory(directory), REGION_BYTES);
        pair.closeListener();
        pair.server.device.onAsyncEvent(events::add);
        pair.server.region.memory().fill(UNTOUCHED);
        listener = pair.server.device.listen(request -> request.accept(victim, new byte[0]));
        victim = newQueuePair();
    }

    private QueuePair newQueuePair() {
        return pair.server.domain.createQueuePair(QueuePairOptions.of(pair.server.completions, pair.server.completions));
    }

    @AfterEach
    void everybodyElseIsWellAndNothingIsLeft() throws InterruptedException {
        assertOthersAreWell();
        listener.close();
        victim.close();
        windows.forEach(MemoryWindow::close);
        pair.close();
        await(() -> pair.server.device.resources().threads() == 0 && pair.client.device.resources().threads() == 0);
        assertThat(directory.toFile().list()).isEmpty();
    }

    /// Nothing outside the window has changed, and the other queue pair of the node works.
    private void assertOthersAreWell() throws InterruptedException {
        MemorySegment memory = pair.server.region.memory();
        assertUntouched(memory.asSlice(0, WINDOW_AT));
        assertUntouched(memory.asSlice(WINDOW_AT + WINDOW_BYTES));
        pair.client.queuePair.newSendBatch()
                .read(77, pair.client.region, 0, 8, pair.server.region.address(), pair.server.region.remoteKey()).post();
        assertThat(pair.client.next().succeeded()).isTrue();
        assertThat(pair.client.queuePair.state()).isEqualTo(QueuePairState.RTS);
    }

    private static void assertUntouched(MemorySegment memory) {
        byte[] expected = new byte[(int) memory.byteSize()];
        Arrays.fill(expected, UNTOUCHED);
        assertThat(memory.mismatch(MemorySegment.ofArray(expected))).isEqualTo(-1);
    }

    private static void await(BooleanSupplier condition) {
        long deadline = NicClock.deadline(PATIENCE);
        while (!condition.getAsBoolean()) {
            assertThat(NicClock.nanos()).as("time").isLessThan(deadline);
            LockSupport.parkNanos(1_000_000);
        }
    }

    // ---- the impostor

    /// Its end of a connection that the victim believes to be of a peer.
    private record Impostor(SocketChannel channel, RingFile file, FileChannel raw, RingOutput output) implements AutoCloseable {
        /// Puts a frame and shows it.
        void send(int type, int payload, int sequence, int key, long address, long first) {
            int at = output.reserve(payload);
            output.commit(at, type, payload, sequence, key, address, first, 0);
            output.publish();
        }

        void scribble(int at, long value) {
            NativeMemory.putLong(file.counters(true) - RingFile.COUNTERS_AT - RingFile.COUNTERS_STRIDE + at, value);
        }

        /// Wakes whoever sleeps until something comes in.
        void wake() {
            long word = file.counters(true) + RingFile.SLEEPING_AT;
            NativeMemory.putInt(word, 0);
            Futex.wake(word);
        }

        @Override
        public void close() throws IOException {
            raw.close();
            channel.close();
            file.close();
        }
    }

    private SocketChannel dial() throws IOException {
        SocketChannel channel = SocketChannel.open(new InetSocketAddress(listener.address().host(), listener.address().port()));
        var source = new QueuePairAddress(new EndpointAddress("soft", "nowhere", 0, 99), 5);
        channel.write(ByteBuffer.wrap(
                new Hello(Hello.REQUEST, Hello.SHARED_MEMORY, 5000, source, 0, 0, new byte[0]).encode()));
        return channel;
    }

    private Impostor impersonate() throws IOException {
        SocketChannel channel = dial();
        Answer offer = Answer.read(channel, NicClock.deadline(PATIENCE));
        assertThat(offer.isOffer()).isTrue();
        FileChannel raw = FileChannel.open(directory.resolve(offer.reason()), StandardOpenOption.READ, StandardOpenOption.WRITE);
        RingFile file = PeerConnection.take(channel, RingDirectory.open(directory), offer.reason());
        assertThat(file).isNotNull();
        Answer answer = Answer.read(channel, NicClock.deadline(PATIENCE));
        assertThat(answer.refusal()).isNull();
        assertThat(answer.link()).isEqualTo(Hello.SHARED_MEMORY);
        return new Impostor(channel, file, raw, new RingOutput(file));
    }

    private void assertBroken(AsyncEvent.Type type) throws InterruptedException {
        AsyncEvent event = events.poll(10, TimeUnit.SECONDS);
        assertThat(event).isNotNull();
        assertThat(event.type()).isEqualTo(type);
        assertThat(event.number()).isEqualTo(victim.number());
        assertThat(victim.state()).isEqualTo(QueuePairState.ERR);
    }

    private static final int MY_TAIL = RingFile.COUNTERS_AT + RingFile.COUNTERS_STRIDE + RingFile.TAIL_AT;
    private static final int THEIR_HEAD = RingFile.COUNTERS_AT + RingFile.HEAD_AT;

    private enum Lie {
        TAIL_BEYOND_THE_RING(peer -> peer.scribble(MY_TAIL, RingFile.RING_BYTES + 64)),
        TAIL_THAT_IS_NEGATIVE(peer -> peer.scribble(MY_TAIL, -64)),
        TAIL_THAT_IS_HUGE(peer -> peer.scribble(MY_TAIL, Long.MIN_VALUE)),
        TAIL_AMID_A_FRAME(peer -> peer.scribble(MY_TAIL, 8)),
        TAIL_OVER_NOTHING(peer -> peer.scribble(MY_TAIL, 64)),
        UNKNOWN_TYPE(peer -> peer.send(99, 0, 0, 0, 0, 0)),
        TYPE_OF_ANOTHER_LINK(peer -> peer.send(Frame.PING, 0, 0, 0, 0, 0)),
        PAYLOAD_WHERE_NONE_BELONGS(peer -> peer.send(WorkRequests.READ, 8, 0, 0, 0, 8)),
        WRONG_SEQUENCE(peer -> peer.send(WorkRequests.READ, 0, 7, 0, 0, 8)),
        READ_LONGER_THAN_A_SEGMENT(peer -> peer.send(WorkRequests.READ, 0, 0, 0, 0, RingOutput.SEGMENT_BYTES + 1)),
        READ_OF_NEGATIVE_LENGTH(peer -> peer.send(WorkRequests.READ, 0, 0, 0, 0, -8)),
        WRITE_LONGER_THAN_ANY(peer -> peer.send(WorkRequests.WRITE_WITH_IMMEDIATE, 8, 0, 0, 0, 1L << 40)),
        WRITE_SHORTER_THAN_ITS_PAYLOAD(peer -> peer.send(WorkRequests.WRITE_WITH_IMMEDIATE, 8, 0, 0, 0, 7)),
        MESSAGE_LONGER_THAN_ANY(peer -> peer.send(WorkRequests.SEND, RingOutput.SEGMENT_BYTES, 0, 0, 0, 1L << 40)),
        ANSWER_TO_NOTHING(peer -> peer.send(Frame.ACKNOWLEDGE, 0, 0, 0, 0, 0)),
        PAYLOAD_LONGER_THAN_WHAT_IS_THERE(peer -> lieAboutLength(peer, 64)),
        PAYLOAD_OVER_THE_END_OF_THE_RING(peer -> lieAboutLength(peer, RingFile.RING_BYTES)),
        NEGATIVE_PAYLOAD(peer -> lieAboutLength(peer, -1)),
        MORE_READS_THAN_THE_WINDOW(peer -> {
            for (int i = 0; i < 40; i++) {
                peer.send(WorkRequests.READ, 0, i, 0, 0, 0);
            }
            peer.send(WorkRequests.READ, 0, 77, 0, 0, 0);
        });

        private final Consumer<Impostor> told;

        Lie(Consumer<Impostor> told) {
            this.told = told;
        }

        private static void lieAboutLength(Impostor peer, int payload) {
            NativeMemory.putLong(peer.file.ring(true), (long) payload << Integer.SIZE | WorkRequests.WRITE);
            peer.scribble(MY_TAIL, 64);
        }
    }

    @ParameterizedTest
    @EnumSource
    void aLieEndsTheConnection(Lie lie) throws IOException, InterruptedException {
        try (Impostor peer = impersonate()) {
            lie.told.accept(peer);
            peer.wake();
            assertBroken(AsyncEvent.Type.QP_FATAL);
        }
    }

    /// The peer says that it has taken what was never put: that is noticed when room runs out, before anything is overwritten.
    @ParameterizedTest
    @ValueSource(longs = {Long.MIN_VALUE, -64, 1L << 40})
    void aLieAboutWhatWasTakenEndsTheConnection(long head) throws IOException, InterruptedException {
        try (Impostor peer = impersonate()) {
            peer.scribble(THEIR_HEAD, head);
            for (int i = 0; i < 2 * RingFile.RING_BYTES / RingFile.FRAME_ALIGNMENT && victim.state() == QueuePairState.RTS; i++) {
                int sequence = i;
                await(() -> peer.output.hasRoomForRequest(0) || victim.state() == QueuePairState.ERR);
                peer.send(WorkRequests.READ, 0, sequence, 0, 0, 0);
            }
            assertBroken(AsyncEvent.Type.QP_FATAL);
        }
    }

    /// The peer asks and never takes an answer: it is given up, so that nobody waits for room for ever.
    @Test
    void aPeerThatTakesNothingIsGivenUp() throws IOException, InterruptedException {
        victim.close();
        victim = pair.server.domain.createQueuePair(QueuePairOptions.of(pair.server.completions, pair.server.completions)
                .withTimeouts(Duration.ofMillis(200), Duration.ofMillis(200)));
        try (Impostor peer = impersonate()) {
            int key = bindWindow();
            int sequence = 0;
            // As many answers as a requester may have on the way, and then something that is acknowledged.
            for (; sequence < SoftDevice.MAX_READ_ATOMIC; sequence++) {
                peer.send(WorkRequests.READ, 0, sequence, key, windowAddress(), RingOutput.READ_WINDOW / SoftDevice.MAX_READ_ATOMIC);
            }
            peer.send(WorkRequests.WRITE, 8, sequence, key, windowAddress(), 8);
            assertBroken(AsyncEvent.Type.PEER_GONE);
        }
    }

    @Test
    void theFileCannotBeCutShort() throws IOException, InterruptedException {
        try (Impostor peer = impersonate()) {
            assertThatThrownBy(() -> peer.raw.truncate(0)).isInstanceOf(IOException.class);
            assertThatThrownBy(() -> peer.raw.write(ByteBuffer.allocate(1), RingFile.FILE_BYTES)).isInstanceOf(IOException.class);
            int key = bindWindow();
            peer.send(WorkRequests.WRITE, 8, 0, key, windowAddress(), 8);
            await(() -> NativeMemory.getLong(windowAddress()) != 0x0303_0303_0303_0303L);
        }
    }

    /// An answer that comes when its request was flushed already, and the thread of the link has not heard of that.
    @Test
    void anAnswerToWhatWasFlushedIsNotTakenIn() throws IOException, InterruptedException {
        victim.close();
        victim = pair.server.domain.createQueuePair(
                QueuePairOptions.of(pair.server.completions, pair.server.completions).withDepth(1, 1));
        WorkQueues queues = ((SoftQueuePair) victim).queues();
        try (Impostor peer = impersonate()) {
            victim.newSendBatch().read(5, pair.server.region, 0, 8, 0x1000, 1).post();
            queues.sendLock().lock();
            try {
                peer.send(Frame.DATA, 8, 0, 0, 0, 0);
                queues.markError();
                queues.sends().flush(0);
                ((PolledWire) queues.wire()).advance();
                assertThat(queues.sends().done()).isEqualTo(queues.sends().tail());
            } finally {
                queues.sendLock().unlock();
            }
            queues.finishError("by the test");
            assertThat(pair.server.next().status()).isEqualTo(WorkCompletionStatus.WR_FLUSH_ERR);
        }
        await(() -> queues.wire() == null || pair.server.device.resources().threads() < 4);
        assertThat(pair.server.completions.poll(pair.server.completion)).isFalse();
    }

    /// It says again and again that it has no receive, and then that it has.
    @Test
    void aPeerThatIsNeverReadyIsGivenUpInTime() throws IOException, InterruptedException {
        victim.close();
        victim = pair.server.domain.createQueuePair(QueuePairOptions.of(pair.server.completions, pair.server.completions)
                .withTimeouts(Duration.ofSeconds(5), Duration.ofMillis(200)));
        try (Impostor peer = impersonate()) {
            victim.newSendBatch().send(5, pair.server.region, 0, 8).post();
            Thread liar = Thread.ofPlatform().daemon().start(() -> {
                var input = new RingInput(peer.file);
                while (victim.state() == QueuePairState.RTS) {
                    if (!input.isEmpty()) {
                        takeAll(input);
                        peer.send(Frame.NOT_READY, 0, 0, 0, 0, 0);
                        peer.send(Frame.READY, 0, 0, 0, 0, 0);
                    }
                }
            });
            long start = NicClock.nanos();
            WorkCompletionStatus status = pair.server.next().status();
            liar.join();
            assertThat(status).isEqualTo(WorkCompletionStatus.RNR_RETRY_EXC_ERR);
            assertThat(NicClock.millisSince(start)).isLessThan(4000);
        }
    }

    private static void takeAll(RingInput input) {
        try {
            input.begin();
            while (input.next()) {
                assertThat(Frame.type(input.header(), 0)).isEqualTo(WorkRequests.SEND);
            }
            input.giveBack();
        } catch (ProtocolViolation e) {
            throw new AssertionError(e);
        }
    }

    @Test
    void aPeerThatGoesIsMissed() throws IOException, InterruptedException {
        try (Impostor peer = impersonate()) {
            peer.channel.close();
            assertBroken(AsyncEvent.Type.PEER_GONE);
        }
    }

    @Test
    void whatThePeerPutBeforeItWentIsCarriedOut() throws IOException, InterruptedException {
        try (Impostor peer = impersonate()) {
            int key = bindWindow();
            for (int i = 0; i < 100; i++) {
                int at = peer.output.reserve(8);
                NativeMemory.putLong(peer.output.payloadAddress(at), i);
                peer.output.commit(at, WorkRequests.WRITE, 8, i, key, windowAddress() + 8 * i, 8, 0);
            }
            peer.output.publish();
            peer.channel.close();
            assertBroken(AsyncEvent.Type.PEER_GONE);
            for (int i = 0; i < 100; i++) {
                assertThat(NativeMemory.getLong(windowAddress() + 8 * i)).isEqualTo(i);
            }
        }
    }

    @Test
    void aRefusalArrivesThoughTheConnectionEnds() throws IOException {
        try (Impostor peer = impersonate()) {
            peer.send(WorkRequests.READ, 0, 0, 0x1234, pair.server.region.address(), 8);
            assertThat(peer.channel.socket().getInputStream().read()).isEqualTo(-1);
            var input = new RingInput(peer.file);
            input.begin();
            assertThat(input.next()).isTrue();
            assertThat(Frame.type(input.header(), 0)).isEqualTo(Frame.REFUSE);
            assertThat(Frame.key(input.header(), 0)).isEqualTo(WorkCompletionStatus.REM_ACCESS_ERR.ordinal());
            assertThat(input.next()).isFalse();
        }
    }

    @Test
    void aWrongProofSharesNothing() throws IOException {
        try (SocketChannel channel = dial()) {
            Answer offer = Answer.read(channel, NicClock.deadline(PATIENCE));
            channel.write(ByteBuffer.allocate(Answer.PROOF_BYTES));
            Answer answer = Answer.read(channel, NicClock.deadline(PATIENCE));
            assertThat(answer.refusal()).isEqualTo(RdmaError.UNREACHABLE);
            assertThat(directory.resolve(offer.reason())).doesNotExist();
        }
    }

    @Test
    void aPeerThatGoesBeforeItsProofLeavesNoFile() throws IOException {
        try (SocketChannel channel = dial()) {
            assertThat(Answer.read(channel, NicClock.deadline(PATIENCE)).isOffer()).isTrue();
        }
        await(() -> directory.toFile().list().length == 0);
    }

    // ---- scribbles

    private long windowAddress() {
        return pair.server.region.address() + WINDOW_AT;
    }

    /// A window on the victim, for all that can be done remotely.
    private int bindWindow() throws InterruptedException {
        MemoryWindow window = pair.server.domain.allocateMemoryWindow(MemoryWindowType.TYPE_2B);
        windows.add(window);
        int key = new RemoteKey(window.remoteKey()).next().value();
        victim.newSendBatch().bindMemoryWindow(1, window, key, pair.server.region, windowAddress(), WINDOW_BYTES,
                AccessFlag.mask(AccessFlag.REMOTE_READ, AccessFlag.REMOTE_WRITE, AccessFlag.REMOTE_ATOMIC)).post();
        assertThat(pair.server.next().status()).isEqualTo(WorkCompletionStatus.SUCCESS);
        return key;
    }

    /// Frames that are right but for what chance makes of them, and chance alone, until the connection ends or the peer dies: in
    /// whatever state that finds the ring.
    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8})
    void scribblesHarmTheirQueuePairAlone(long seed) throws IOException, InterruptedException {
        var random = new SplittableRandom(seed);
        for (int life = 0; life < 20; life++) {
            try (Impostor peer = impersonate()) {
                int key = bindWindow();
                int steps = 1 + random.nextInt(400);
                int sequence = 0;
                for (int i = 0; i < steps && victim.state() == QueuePairState.RTS; i++) {
                    sequence = step(peer, random, key, sequence);
                }
            }
            QueuePair last = victim;
            await(() -> last.state() == QueuePairState.ERR);
            last.close();
            victim = newQueuePair();
            assertOthersAreWell();
        }
    }

    private int step(Impostor peer, SplittableRandom random, int key, int sequence) {
        int dice = random.nextInt(100);
        if (dice < 2) {
            peer.scribble(random.nextInt(RingFile.RINGS_AT / Long.BYTES) * Long.BYTES, random.nextLong());
        } else if (dice < 8) {
            peer.scribble(random.nextInt(RingFile.FILE_BYTES / Long.BYTES) * Long.BYTES, random.nextInt(1 << 17));
        } else if (dice < 10) {
            peer.scribble(MY_TAIL, random.nextInt(RingFile.RING_BYTES) & -RingFile.FRAME_ALIGNMENT);
            peer.wake();
        } else if (peer.output.hasRoomForRequest(RingOutput.SEGMENT_BYTES)) {
            int type = 1 + random.nextInt(7);
            int length = random.nextInt(random.nextBoolean() ? 64 : WINDOW_BYTES);
            // Beside the window rarely, or nothing else would ever happen.
            long offset = random.nextInt(50) == 0 ? random.nextInt(REGION_BYTES) - WINDOW_AT : random.nextInt(1 + WINDOW_BYTES - length);
            boolean carries = Frame.mayCarry(type);
            peer.send(type, carries ? length : 0, sequence, random.nextInt(100) == 0 ? random.nextInt() : key,
                    windowAddress() + (offset & (carries || type == WorkRequests.READ ? -1L : -8L)), length);
            return sequence + 1;
        }
        return sequence;
    }

    /// It writes to the word that the other end's thread sleeps on, all the time.
    @Test
    void aPeerThatKeepsItsThreadAsleepDoesNotKeepTheQueuePairOpen() throws IOException, InterruptedException {
        QueuePair kept = victim;
        try (Impostor peer = impersonate()) {
            Thread insomniac = Thread.ofPlatform().daemon().start(() -> {
                while (kept.state() == QueuePairState.RTS) {
                    NativeMemory.putInt(peer.file.counters(true) + RingFile.SLEEPING_AT, 1);
                }
            });
            long start = NicClock.nanos();
            kept.close();
            assertThat(NicClock.millisSince(start)).isLessThan(1500);
            // Before the file is unmapped.
            insomniac.join();
        }
        victim = newQueuePair();
    }
}
