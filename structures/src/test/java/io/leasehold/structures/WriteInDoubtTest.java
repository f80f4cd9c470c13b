package io.leasehold.structures;

import static org.assertj.core.api.Assertions.assertThat;

import io.leasehold.lease.MemoryNode;
import io.leasehold.lease.NodeOptions;
import io.leasehold.lease.Session;
import io.leasehold.lease.SessionOptions;
import io.leasehold.rdma.DeviceOptions;
import io.leasehold.rdma.Link;
import io.leasehold.rdma.RdmaDevice;
import io.leasehold.rdma.WorkCompletion;
import io.leasehold.rdma.WorkCompletionOpcode;
import io.leasehold.rdma.WorkCompletionStatus;
import io.leasehold.testkit.MutantDevice;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// A structure gets over a WRITE that was carried out without an answer and could not be repeated since its lease had ended.
@Timeout(60)
class WriteInDoubtTest {
    private final AtomicInteger writes = new AtomicInteger();

    /// Of each twenty WRITEs that end a doorbell the first is left in doubt, and the second, which repeats it, is refused.
    private WorkCompletionStatus report(WorkCompletion completion) {
        if (completion.opcode() != WorkCompletionOpcode.RDMA_WRITE || !completion.succeeded()) {
            return completion.status();
        }
        return switch (writes.getAndIncrement() % 20) {
            case 0 -> WorkCompletionStatus.RETRY_EXC_ERR;
            case 1 -> WorkCompletionStatus.REM_ACCESS_ERR;
            default -> WorkCompletionStatus.SUCCESS;
        };
    }

    @Test
    void mapIsCreatedAndSplitAndQueueIsCreatedAllTheSame() throws Exception {
        DeviceOptions local = DeviceOptions.soft().withLinks(Link.LOCAL);
        try (MemoryNode node = MemoryNode.start(NodeOptions.ofMemory(64 << 20).withDevice(local));
                RdmaDevice own = RdmaDevice.open(local)) {
            MutantDevice device = MutantDevice.of(own);
            device.testify(this::report);
            MapOptions options = MapOptions.defaults().withGroupsPerSubtable(2).withMaxDepth(8);
            try (Session session = Session.connect(device, node.address(), SessionOptions.defaults());
                    RemoteHashMap<Long, Long> map = RemoteHashMap.open(session, "map", Codec.LONG, Codec.LONG, options);
                    RemoteQueue<Long> queue = RemoteQueue.open(session, "queue", Codec.LONG)) {
                for (long i = 0; i < 300; i++) {
                    map.put(i, -i);
                    queue.put(i);
                }
                assertThat(map).hasSize(300);
                for (long i = 0; i < 300; i++) {
                    assertThat(map.get(i)).isEqualTo(-i);
                    assertThat(queue.poll()).isEqualTo(i);
                }
                assertThat(queue.poll()).isNull();
                assertThat(writes).as("WRITEs that ended a doorbell").hasValueGreaterThan(20);
            }
        }
    }

    /// While the thread that delivers completions is held up, no answer comes in time, and batches are given up.
    @Test
    void operationsGetOverAnswersThatDoNotComeInTime() throws Exception {
        DeviceOptions local = DeviceOptions.soft().withLinks(Link.LOCAL);
        CountDownLatch isHeld = new CountDownLatch(1);
        CountDownLatch release = new CountDownLatch(1);
        try (MemoryNode node = MemoryNode.start(NodeOptions.ofMemory(64 << 20).withDevice(local));
                RdmaDevice own = RdmaDevice.open(local)) {
            MutantDevice device = MutantDevice.of(own);
            try (Session session = Session.connect(device, node.address(),
                    SessionOptions.defaults().withTimeouts(Duration.ofSeconds(2), Duration.ofMillis(400)));
                    RemoteHashMap<Long, Long> map = RemoteHashMap.open(session, "map", Codec.LONG, Codec.LONG);
                    RemoteQueue<Long> queue = RemoteQueue.open(session, "queue", Codec.LONG)) {
                queue.addAll(List.of(0L, 1L));
                map.put(0L, 0L);
                device.testify(completion -> {
                    if (completion.opcode() == WorkCompletionOpcode.RDMA_READ) {
                        isHeld.countDown();
                        hold(release);
                    }
                    return completion.status();
                });
                Thread holder = Thread.ofPlatform().start(queue::size);
                isHeld.await();
                CompletableFuture.delayedExecutor(600, TimeUnit.MILLISECONDS).execute(release::countDown);
                assertThat(queue.offer(2L)).isTrue();
                holder.join();
                assertThat(queue.poll()).isZero();
                assertThat(queue).containsExactly(1L, 2L);
                assertThat(map.merge(0L, 5L, Long::sum)).isEqualTo(5);
            } finally {
                release.countDown();
            }
        }
    }

    private static void hold(CountDownLatch release) {
        try {
            release.await();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
