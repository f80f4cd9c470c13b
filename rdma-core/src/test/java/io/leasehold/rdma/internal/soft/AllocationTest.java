package io.leasehold.rdma.internal.soft;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import io.leasehold.rdma.DeviceOptions;
import io.leasehold.rdma.Link;
import io.leasehold.rdma.PostStatus;
import io.leasehold.rdma.SendBatch;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.management.ManagementFactory;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// The data path makes no garbage: neither where requests are posted and completions polled, nor in the threads of a link.
final class AllocationTest {
    private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    private static final int WARM_UP = 20_000;
    private static final int ROUNDS = 10_000;
    private static final int REQUESTS = 6;
    private static final int ATTEMPTS = 5;
    // A lock that two threads want at once makes a node of 32 bytes to queue in: two a round are allowed to each thread. The
    // smallest object for each of the six requests would be half as much again.
    private static final long SLACK_BYTES = ROUNDS * 64L;
    private static final int READERS = 2;

    @ParameterizedTest
    @EnumSource(Link.class)
    void nothingPerOperation(Link link) {
        try (var pair = new Pair(DeviceOptions.soft().withLinks(link), 1 << 16); Arena arena = Arena.ofConfined()) {
            MemorySegment inline = arena.allocate(32, 8);
            SendBatch batch = pair.client.queuePair.newSendBatch();
            run(pair, batch, inline, WARM_UP);
            long poster = Long.MAX_VALUE;
            long readers = Long.MAX_VALUE;
            for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
                long readersBefore = readersAllocated();
                long posterBefore = THREADS.getCurrentThreadAllocatedBytes();
                run(pair, batch, inline, ROUNDS);
                poster = Math.min(poster, THREADS.getCurrentThreadAllocatedBytes() - posterBefore);
                readers = Math.min(readers, readersAllocated() - readersBefore);
            }
            assertThat(poster).as("bytes of the poster").isLessThan(SLACK_BYTES);
            assertThat(readers).as("bytes of the readers").isLessThan(READERS * SLACK_BYTES);
        }
    }

    private static void run(Pair pair, SendBatch batch, MemorySegment inline, int rounds) {
        Pair.Side client = pair.client;
        Pair.Side server = pair.server;
        long remote = server.region.address();
        int key = server.region.remoteKey();
        var handled = new AtomicLong();
        client.completions.onCompletion(handled::incrementAndGet);
        for (int i = 0; i < rounds; i++) {
            server.queuePair.postReceive(i, server.region, 1024, 64);
            batch.read(1, client.region, 0, 64, remote, key).unsignalled();
            batch.write(2, client.region, 64, 64, remote + 64, key).unsignalled();
            batch.writeInline(3, inline, 0, 32, remote + 128, key).unsignalled();
            batch.compareAndSwap(4, client.region, 256, remote + 256, key, 0, 0).unsignalled();
            batch.fetchAndAdd(5, client.region, 264, remote + 264, key, 1).fence().unsignalled();
            batch.send(REQUESTS, client.region, 0, 64);
            if (batch.post() != PostStatus.POSTED || client.spin().id() != REQUESTS || !client.completion.succeeded()
                    || server.spin().id() != i) {
                throw new AssertionError(client.completion + ", " + server.completion);
            }
        }
    }

    private static long readersAllocated() {
        List<Thread> readers = Thread.getAllStackTraces().keySet().stream()
                .filter(thread -> thread.getName().startsWith("leasehold-nic-soft")).toList();
        return readers.stream().mapToLong(thread -> THREADS.getThreadAllocatedBytes(thread.threadId())).sum();
    }
}
