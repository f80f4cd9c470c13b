package io.leasehold.rdma.internal.soft;

import static org.assertj.core.api.Assertions.assertThat;

import io.leasehold.rdma.DeviceOptions;
import io.leasehold.rdma.Link;
import io.leasehold.rdma.internal.NicClock;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/// The life of a wire, apart from what travels on it.
final class TcpWireTest {
    private static final long PATIENCE_NANOS = TimeUnit.SECONDS.toNanos(10);

    /// A queue pair has its wire a moment before the wire's thread starts, and may be closed in that moment.
    @Test
    @SuppressWarnings("try") // The early close of the peer is the event.
    void whoeverEndsAWireWaitsForAThreadThatHasYetToStart() throws Exception {
        try (Pair.Side side = new Pair.Side(DeviceOptions.soft().withLinks(Link.TCP), 64, options -> options);
                ServerSocketChannel server = ServerSocketChannel.open().bind(
                        new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
                SocketChannel channel = SocketChannel.open(server.getLocalAddress()); SocketChannel peer = server.accept()) {
            var wire = new TcpWire(((SoftQueuePair) side.queuePair).queues(), channel, side.queuePair.address(), new byte[0]);
            wire.breakOff("the test ends it");
            CompletableFuture<Void> ending = CompletableFuture.runAsync(() -> wire.awaitEnd(NicClock.nanos() + PATIENCE_NANOS));
            assertThat(ending).isNotDone();
            wire.start();
            peer.close();
            ending.get(PATIENCE_NANOS, TimeUnit.NANOSECONDS);
            assertThat(channel.isOpen()).isFalse();
        }
    }
}
