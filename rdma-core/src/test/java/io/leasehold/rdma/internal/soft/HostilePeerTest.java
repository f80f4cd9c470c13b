package io.leasehold.rdma.internal.soft;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.leasehold.rdma.AsyncEvent;
import io.leasehold.rdma.DeviceOptions;
import io.leasehold.rdma.EndpointAddress;
import io.leasehold.rdma.Link;
import io.leasehold.rdma.Listener;
import io.leasehold.rdma.QueuePair;
import io.leasehold.rdma.QueuePairAddress;
import io.leasehold.rdma.QueuePairOptions;
import io.leasehold.rdma.QueuePairState;
import io.leasehold.rdma.RdmaError;
import io.leasehold.rdma.RdmaException;
import io.leasehold.rdma.WorkCompletionStatus;
import io.leasehold.rdma.internal.NicClock;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// What comes over a TCP connection that is no peer of ours costs that connection, and nothing else.
@Timeout(60)
final class HostilePeerTest {
    private static final Duration PATIENCE = Duration.ofSeconds(10);

    private final BlockingQueue<AsyncEvent> events = new LinkedBlockingQueue<>();
    private Pair pair;
    private Listener listener;
    private QueuePair victim;

    @BeforeEach
    void open() {
        pair = new Pair(DeviceOptions.soft().withLinks(Link.TCP), 4096);
        pair.closeListener();
        pair.server.device.onAsyncEvent(events::add);
        victim = pair.server.domain.createQueuePair(QueuePairOptions.of(pair.server.completions, pair.server.completions));
        listener = pair.server.device.listen(request -> request.accept(victim, new byte[0]));
    }

    @AfterEach
    void everybodyElseIsWellAndNothingIsLeft() throws InterruptedException {
        pair.client.queuePair.newSendBatch()
                .read(77, pair.client.region, 0, 8, pair.server.region.address(), pair.server.region.remoteKey()).post();
        assertThat(pair.client.next().succeeded()).isTrue();
        listener.close();
        victim.close();
        pair.close();
        await(() -> pair.server.device.resources().threads() == 0 && pair.client.device.resources().threads() == 0);
    }

    private static void await(BooleanSupplier condition) throws InterruptedException {
        long deadline = NicClock.deadline(PATIENCE);
        while (!condition.getAsBoolean()) {
            assertThat(NicClock.nanos()).as("time").isLessThan(deadline);
            LockSupport.parkNanos(1_000_000);
        }
    }

    private SocketChannel dial() throws IOException {
        return SocketChannel.open(new InetSocketAddress(listener.address().host(), listener.address().port()));
    }

    /// A connection that the victim believes to be of a peer.
    private SocketChannel impersonate() throws IOException {
        SocketChannel channel = dial();
        var source = new QueuePairAddress(new EndpointAddress("soft", "nowhere", 0, 99), 5);
        channel.write(ByteBuffer.wrap(new Hello(Hello.REQUEST, Hello.TCP, 5000, source, 0, 0, new byte[0]).encode()));
        assertThat(Answer.read(channel, NicClock.deadline(PATIENCE)).refusal()).isNull();
        return channel;
    }

    /// A place in the line of those that wait for a link is not for who can never get one.
    @Test
    void attachingToAQueuePairThatHasALinkIsRefusedAtOnce() throws IOException {
        var source = new QueuePairAddress(new EndpointAddress("soft", "nowhere", 0, 99), 5);
        try (SocketChannel channel = dial()) {
            long begin = NicClock.nanos();
            int linked = pair.server.queuePair.number();
            channel.write(ByteBuffer.wrap(new Hello(Hello.ATTACH, Hello.TCP, 60_000, source, 0, linked, new byte[0]).encode()));
            assertThat(Answer.read(channel, NicClock.deadline(PATIENCE)).refusal()).isEqualTo(RdmaError.TIMEOUT);
            assertThat(NicClock.millisSince(begin)).as("milliseconds").isLessThan(5_000);
        }
    }

    private static ByteBuffer frame(int type, int payload, int sequence, long address, long first) {
        ByteBuffer bytes = TcpOutput.allocate(Frame.HEADER_BYTES + Math.clamp(payload, 0, 100_000));
        Frame.put(bytes, 0, type, payload, sequence, 0, address, first, 0);
        return bytes;
    }

    private enum Garbage {
        UNKNOWN_TYPE(frame(99, 0, 0, 0, 0)),
        TYPE_WITH_A_HIGH_BYTE(frame(WorkRequests.READ | 1 << 24, 0, 0, 0, 8)),
        OVERSIZE_PAYLOAD(frame(WorkRequests.WRITE, Frame.SEGMENT_BYTES + 1, 0, 0, 0)),
        NEGATIVE_PAYLOAD(frame(WorkRequests.WRITE, -1, 0, 0, 0)),
        PAYLOAD_WHERE_NONE_BELONGS(frame(WorkRequests.READ, 8, 0, 0, 8)),
        WRONG_SEQUENCE(frame(WorkRequests.READ, 0, 7, 0, 8)),
        READ_LONGER_THAN_A_SEGMENT(frame(WorkRequests.READ, 0, 0, 0, Frame.SEGMENT_BYTES + 1)),
        READ_OF_NEGATIVE_LENGTH(frame(WorkRequests.READ, 0, 0, 0, -8)),
        MESSAGE_THAT_BEGINS_IN_THE_MIDDLE(frame(WorkRequests.SEND, 8, 0, 8, 16)),
        MESSAGE_OF_NEGATIVE_LENGTH(frame(WorkRequests.SEND, 0, 0, 0, -1)),
        MESSAGE_LONGER_THAN_ANY(frame(WorkRequests.SEND, Frame.SEGMENT_BYTES, 0, 0, 1L << 40)),
        PIECE_LONGER_THAN_ITS_MESSAGE(frame(WorkRequests.SEND, 16, 0, 0, 8)),
        ANSWER_TO_NOTHING(frame(Frame.ACKNOWLEDGE, 0, 0, 0, 0)),
        DATA_FOR_NOTHING(frame(Frame.DATA, 8, 0, 0, 0)),
        REFUSAL_OF_NOTHING(frame(Frame.REFUSE, 0, 0, 0, 0)),
        READY_FOR_NOTHING(frame(Frame.READY, 0, 0, 0, 0)),
        TEXT(ByteBuffer.wrap("GET / HTTP/1.1\r\nHost: somewhere.example\r\n\r\n".repeat(4).getBytes(StandardCharsets.US_ASCII)));

        private final ByteBuffer bytes;

        Garbage(ByteBuffer bytes) {
            this.bytes = bytes;
        }
    }

    @ParameterizedTest
    @EnumSource
    void garbageClosesTheConnection(Garbage garbage) throws IOException, InterruptedException {
        pair.server.region.memory().fill((byte) 3);
        try (SocketChannel channel = impersonate()) {
            channel.write(garbage.bytes.duplicate());
            AsyncEvent event = events.poll(10, TimeUnit.SECONDS);
            assertThat(event).isNotNull();
            assertThat(event.type()).isEqualTo(AsyncEvent.Type.QP_FATAL);
            assertThat(event.number()).isEqualTo(victim.number());
            assertThat(victim.state()).isEqualTo(QueuePairState.ERR);
        }
    }

    @Test
    void aRefusedAccessIsAnsweredAndTheAnswerArrives() throws IOException {
        try (SocketChannel channel = impersonate()) {
            channel.write(frame(WorkRequests.READ, 0, 0, pair.server.region.address(), 8));
            channel.write(frame(WorkRequests.READ, 0, 1, pair.server.region.address(), 8));
            ByteBuffer answer = Hello.readFully(channel, Frame.HEADER_BYTES, NicClock.deadline(PATIENCE));
            assertThat(Frame.type(answer, 0)).isEqualTo(Frame.REFUSE);
            assertThat(Frame.key(answer, 0)).isEqualTo(WorkCompletionStatus.REM_ACCESS_ERR.ordinal());
            assertThat(channel.socket().getInputStream().read()).isEqualTo(-1);
        }
    }

    @Test
    void aConnectionThatBreaksOffAmidAFrameIsForgotten() throws IOException, InterruptedException {
        try (SocketChannel channel = impersonate()) {
            channel.write(frame(WorkRequests.WRITE, 1000, 0, 0, 0).limit(Frame.HEADER_BYTES + 10));
        }
        assertThat(events.poll(10, TimeUnit.SECONDS)).extracting(AsyncEvent::type).isEqualTo(AsyncEvent.Type.PEER_GONE);
    }

    @Test
    void anotherVersionIsToldSo() throws IOException {
        var source = new QueuePairAddress(new EndpointAddress("soft", "nowhere", 0, 99), 5);
        byte[] hello = new Hello(Hello.REQUEST, Hello.TCP, 5000, source, 0, 0, new byte[0]).encode();
        hello[8]++;
        try (SocketChannel channel = dial()) {
            channel.write(ByteBuffer.wrap(hello));
            Answer answer = Answer.read(channel, NicClock.deadline(PATIENCE));
            assertThat(answer.refusal()).isEqualTo(RdmaError.PROTOCOL);
            assertThat(answer.reason()).contains("version 2").contains("speaks 1");
        }
    }

    @Test
    void connectionsWithoutHelloDoNotStopOthers() throws IOException, InterruptedException {
        SocketChannel[] silent = new SocketChannel[20];
        for (int i = 0; i < silent.length; i++) {
            silent[i] = dial();
        }
        silent[0].write(ByteBuffer.wrap(new byte[100]));
        try (SocketChannel channel = impersonate()) {
            channel.write(frame(Frame.PING, 0, 0, 0, 0));
            ByteBuffer answer = Hello.readFully(channel, Frame.HEADER_BYTES, NicClock.deadline(PATIENCE));
            assertThat(Frame.type(answer, 0)).isEqualTo(Frame.PONG);
        }
        for (SocketChannel channel : silent) {
            channel.close();
        }
        await(() -> victim.state() == QueuePairState.ERR);
    }

    @Test
    void aPeerThatDoesNotReadStopsOnlyItself() throws IOException, InterruptedException {
        try (SocketChannel channel = impersonate()) {
            channel.configureBlocking(false);
            ByteBuffer pings = TcpOutput.allocate(Frame.HEADER_BYTES * 1000);
            for (int i = 0; i < 1000; i++) {
                Frame.put(pings, i * Frame.HEADER_BYTES, Frame.PING, 0, 0, 0, 0, 0, 0);
            }
            long end = NicClock.deadline(Duration.ofSeconds(1));
            while (NicClock.nanos() < end) {
                pings.clear();
                while (pings.hasRemaining() && NicClock.nanos() < end) {
                    channel.write(pings);
                }
            }
            everyoneReads();
        }
        await(() -> victim.state() == QueuePairState.ERR);
    }

    private void everyoneReads() throws InterruptedException {
        pair.client.queuePair.newSendBatch()
                .read(78, pair.client.region, 0, 8, pair.server.region.address(), pair.server.region.remoteKey()).post();
        assertThat(pair.client.next().succeeded()).isTrue();
    }

    @Test
    void aListenerThatSaysNothingTimesOut() throws IOException {
        try (var server = ServerSocketChannel.open().bind(new InetSocketAddress("127.0.0.1", 0))) {
            int port = ((InetSocketAddress) server.getLocalAddress()).getPort();
            QueuePair dialling = pair.client.domain.createQueuePair(
                    QueuePairOptions.of(pair.client.completions, pair.client.completions));
            assertThatThrownBy(() -> dialling.connect(EndpointAddress.parse("soft:127.0.0.1:" + port), new byte[0],
                    Duration.ofMillis(200))).isInstanceOfSatisfying(RdmaException.class, e -> {
                        assertThat(e.error()).isEqualTo(RdmaError.TIMEOUT);
                        assertThat(e).hasMessageContaining("127.0.0.1:" + port).hasMessageContaining("await the answer")
                                .hasMessageContaining("ms");
                    });
            assertThat(dialling.state()).isEqualTo(QueuePairState.RESET);
            dialling.close();
        }
    }

    @Test
    void aResponderThatSaysNothingIsGivenUp() throws IOException, InterruptedException {
        try (var server = ServerSocketChannel.open().bind(new InetSocketAddress("127.0.0.1", 0))) {
            int port = ((InetSocketAddress) server.getLocalAddress()).getPort();
            QueuePair dialling = pair.client.domain.createQueuePair(
                    QueuePairOptions.of(pair.client.completions, pair.client.completions)
                            .withTimeouts(Duration.ofMillis(200), Duration.ofMillis(200)));
            Thread acceptor = Thread.startVirtualThread(() -> {
                try {
                    SocketChannel channel = server.accept();
                    Hello.read(channel, NicClock.deadline(PATIENCE));
                    channel.write(ByteBuffer.wrap(Answer.accepting(7, 8, Hello.TCP, new byte[0]).encode()));
                    // And nothing ever after.
                    channel.socket().getInputStream().readAllBytes();
                    channel.close();
                } catch (IOException e) {
                    throw new AssertionError(e);
                }
            });
            dialling.connect(EndpointAddress.parse("soft:127.0.0.1:" + port), new byte[0], PATIENCE);
            long start = NicClock.nanos();
            dialling.newSendBatch().read(1, pair.client.region, 0, 8, 0, 0).read(2, pair.client.region, 0, 8, 0, 0).post();
            assertThat(pair.client.next().status()).isEqualTo(WorkCompletionStatus.RETRY_EXC_ERR);
            assertThat(pair.client.next().status()).isEqualTo(WorkCompletionStatus.RETRY_EXC_ERR);
            assertThat(NicClock.millisSince(start)).isBetween(150L, 2000L);
            assertThat(dialling.state()).isEqualTo(QueuePairState.ERR);
            dialling.close();
            acceptor.join();
        }
    }
}
