package io.leasehold.rdma.internal.soft;

import static org.assertj.core.api.Assertions.assertThat;

import io.leasehold.rdma.EndpointAddress;
import io.leasehold.rdma.QueuePairAddress;
import io.leasehold.rdma.RdmaError;
import io.leasehold.rdma.internal.NicClock;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.time.Duration;
import org.junit.jupiter.api.Test;

/// The drawings in the Javadoc of [Frame], [Hello] and [Answer], field by field.
final class FrameTest {
    @Test
    void fieldsLieAsDrawn() {
        ByteBuffer bytes = TcpOutput.allocate(Frame.HEADER_BYTES);
        Frame.put(bytes, 0, 0x11, 0x2222_2222, 0x3333_3333, 0x4444_4444, 0x5555_5555_5555_5555L, 0x6666_6666_6666_6666L,
                0x7777_7777_7777_7777L);
        int[][] drawing = {{1, 0x11}, {3, 0}, {4, 0x22}, {4, 0x33}, {4, 0x44}, {8, 0x55}, {8, 0x66}, {8, 0x77}};
        assertDrawn(bytes, drawing, Frame.HEADER_BYTES);
        assertThat(Frame.type(bytes, 0)).isEqualTo(0x11);
        assertThat(Frame.payload(bytes, 0)).isEqualTo(0x2222_2222);
        assertThat(Frame.sequence(bytes, 0)).isEqualTo(0x3333_3333);
        assertThat(Frame.key(bytes, 0)).isEqualTo(0x4444_4444);
        assertThat(Frame.address(bytes, 0)).isEqualTo(0x5555_5555_5555_5555L);
        assertThat(Frame.first(bytes, 0)).isEqualTo(0x6666_6666_6666_6666L);
        assertThat(Frame.second(bytes, 0)).isEqualTo(0x7777_7777_7777_7777L);
    }

    @Test
    void helloLiesAsDrawn() {
        var endpoint = new EndpointAddress("soft", "a", 0x6666, 0x3333_3333_3333_3333L);
        var hello = new Hello(Hello.ATTACH, Hello.SHARED_MEMORY, 0x2222_2222, new QueuePairAddress(endpoint, 0x4444_4444),
                0x5555_5555_5555_5555L, 0x7777_7777, new byte[] {9, 9});
        ByteBuffer bytes = ByteBuffer.wrap(hello.encode());
        assertThat(new String(bytes.array(), 0, 8, java.nio.charset.StandardCharsets.US_ASCII)).isEqualTo("LEASEHLD");
        bytes.position(8);
        int[][] drawing = {{1, Frame.VERSION}, {1, 0}, {1, Hello.ATTACH}, {1, Hello.SHARED_MEMORY}, {4, 0x22}, {8, 0x33}, {8, 0x55},
            {4, 0x44}, {4, 0x77}, {2, 0x66}, {1, 1}, {1, 0}, {1, 2}, {1, 0}, {2, 0}, {1, 'a'}, {2, 9}};
        assertDrawn(bytes.slice(), drawing, Hello.FIXED_BYTES - 8 + 3);
    }

    @Test
    void answerLiesAsDrawn() {
        ByteBuffer bytes = ByteBuffer.wrap(Answer.accepting(0x3333_3333_3333_3333L, 0x2222_2222, Hello.TCP, new byte[] {9}).encode());
        bytes.position(8);
        int[][] drawing = {{1, Frame.VERSION}, {1, 0}, {1, Answer.ACCEPTED}, {1, Hello.TCP}, {4, 0x22}, {8, 0x33}, {1, 1}, {1, 0},
            {6, 0}, {1, 9}};
        assertDrawn(bytes.slice(), drawing, Answer.FIXED_BYTES - 8 + 1);
    }

    private static void assertDrawn(ByteBuffer bytes, int[][] drawing, int length) {
        assertThat(bytes.capacity()).isEqualTo(length);
        int at = 0;
        for (int[] field : drawing) {
            for (int i = 0; i < field[0]; i++, at++) {
                assertThat(bytes.get(at)).as("byte %d", at).isEqualTo((byte) field[1]);
            }
        }
        assertThat(at).isEqualTo(length);
    }

    @Test
    void helloAndAnswerComeBackAsTheyWere() throws IOException {
        var endpoint = new EndpointAddress("soft", "node-7.example", 65_535, -2);
        var hello = new Hello(Hello.REQUEST, Hello.TCP | Hello.SHARED_MEMORY, 1234, new QueuePairAddress(endpoint, 0xff_ffff), -3, 5,
                new byte[] {1, 2, 3});
        Answer refusal = Answer.refusing(RdmaError.BUSY, "später");
        try (var server = ServerSocketChannel.open().bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
                var client = SocketChannel.open(server.getLocalAddress()); var accepted = server.accept()) {
            client.write(ByteBuffer.wrap(hello.encode()));
            accepted.write(ByteBuffer.wrap(refusal.encode()));
            long deadline = NicClock.deadline(Duration.ofSeconds(10));
            Hello heard = Hello.read(accepted, deadline);
            assertThat(heard).usingRecursiveComparison().isEqualTo(hello);
            Answer answer = Answer.read(client, deadline);
            assertThat(answer.refusal()).isEqualTo(RdmaError.BUSY);
            assertThat(answer.reason()).isEqualTo("später");
        }
    }
}
