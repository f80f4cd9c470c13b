package io.leasehold.structures;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.leasehold.testkit.Await;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.LongStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// Elements that were taken for a caller who did not get them: its collection was full, or it had withdrawn.
@Timeout(60)
final class QueueUndeliveredTest {
    private static final QueueOptions OPTIONS = QueueOptions.unbounded().withSlotsPerSegment(16);
    private static final QueueOptions ACKNOWLEDGED = OPTIONS.acknowledged(Duration.ofHours(1));
    private static final List<Long> ALL = LongStream.range(0, 64).boxed().toList();
    private static final int FIT = 10;

    private final SimulatedNode node = new SimulatedNode(Schedule.free(), 16 << 20, QueueShape.ROOT_BYTES);
    private final List<RemoteQueue<Long>> opened = new ArrayList<>();

    @AfterEach
    void close() {
        opened.forEach(RemoteQueue::close);
        node.close();
    }

    private RemoteQueue<Long> open(QueueOptions options) {
        RemoteQueue<Long> queue = RemoteQueue.on(new SimulatedMemory(node, 1, false), "undelivered", Codec.LONG, options, true);
        opened.add(queue);
        return queue;
    }

    private static Collection<Long> drainToFull(RemoteQueue<Long> queue) {
        Collection<Long> full = new ArrayBlockingQueue<>(FIT);
        queue.addAll(ALL);
        assertThatThrownBy(() -> queue.drainTo(full)).isInstanceOf(IllegalStateException.class);
        assertThat(full).containsExactlyElementsOf(ALL.subList(0, FIT));
        return full;
    }

    @Test
    void whatDoesNotFitIsKeptAndCounted() {
        RemoteQueue<Long> queue = open(OPTIONS);
        drainToFull(queue);
        List<Long> rest = ALL.subList(FIT, ALL.size());
        assertThat(queue.size()).isEqualTo(rest.size());
        assertThat(queue).containsExactlyElementsOf(rest).contains(rest.getFirst());
        List<Long> drained = new ArrayList<>();
        queue.drainTo(drained);
        assertThat(drained).isEqualTo(rest);
    }

    @Test
    void whatDoesNotFitIsPutBackAtClose() {
        drainToFull(open(OPTIONS));
        opened.getFirst().close();
        assertThat(open(OPTIONS)).containsExactlyInAnyOrderElementsOf(ALL.subList(FIT, ALL.size()));
    }

    /// No process that dies may take it along, so it is not even kept.
    @Test
    void whatDoesNotFitGoesToOthersAtOnceIfItIsToBeAcknowledged() {
        drainToFull(open(ACKNOWLEDGED));
        List<Long> received = new ArrayList<>();
        RemoteQueue<Long> other = open(ACKNOWLEDGED);
        for (Delivery<Long> delivery = other.receiveNow(); delivery != null; delivery = other.receiveNow()) {
            assertThat(delivery.acknowledge()).isTrue();
            received.add(delivery.value());
        }
        assertThat(received).containsExactlyInAnyOrderElementsOf(ALL.subList(FIT, ALL.size()));
    }

    @Test
    void whatWasTakenForSomebodyWhoWithdrewGoesToOthersIfItIsToBeAcknowledged() {
        RemoteQueue<Long> queue = open(ACKNOWLEDGED);
        RemoteQueue<Long> other = open(ACKNOWLEDGED);
        other.add(1L);
        SimulatedMemory memory = new SimulatedMemory(node, 2, false);
        RemoteQueue<Long> withdrawing = RemoteQueue.on(memory, "undelivered", Codec.LONG, ACKNOWLEDGED, true);
        opened.add(withdrawing);
        AtomicReference<CompletableFuture<Long>> future = new AtomicReference<>();
        memory.hook((client, verb, address) -> {
            if (verb.equals("CAS")) {
                Await.until(Duration.ofSeconds(20), "the future", () -> future.get() != null);
                future.get().cancel(false);
            }
        });
        future.set(withdrawing.async().take());
        AtomicReference<Delivery<Long>> received = new AtomicReference<>();
        Await.until(Duration.ofSeconds(20), "the element", () -> {
            received.compareAndSet(null, queue.receiveNow());
            return received.get() != null;
        });
        assertThat(received.get().value()).isEqualTo(1L);
    }

    @Test
    void whatIsDrainedOrPolledIsAcknowledged() {
        RemoteQueue<Long> queue = open(ACKNOWLEDGED);
        queue.addAll(ALL);
        long full = node.allocatedBytes();
        List<Long> drained = new ArrayList<>();
        queue.drainTo(drained, 40);
        assertThat(queue.poll()).isEqualTo(40);
        assertThat(queue.async().poll().join()).isEqualTo(41);
        drained.addAll(queue.async().drain(10).join());
        assertThat(drained).hasSize(50).doesNotHaveDuplicates();
        queue.clear();
        assertThat(queue).isEmpty();
        queue.add(-1L);
        assertThat(queue.poll()).isEqualTo(-1L);
        assertThat(node.allocatedBytes()).as("blocks of %d elements are given back", ALL.size())
                .isLessThan(full - (ALL.size() - 16) * (long) Memory.GRANULE);
    }
}
