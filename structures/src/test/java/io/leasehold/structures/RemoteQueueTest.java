package io.leasehold.structures;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// What one client sees of a queue, on segments of four slots so that their ends are met often.
@Timeout(60)
final class RemoteQueueTest {
    private final SimulatedNode node = new SimulatedNode(Schedule.free(), 64 << 20, QueueShape.ROOT_BYTES);
    private final List<RemoteQueue<?>> opened = new ArrayList<>();

    @AfterEach
    void close() {
        opened.forEach(RemoteQueue::close);
        node.close();
    }

    private RemoteQueue<Integer> open(QueueOptions options) {
        return open(options, Codec.INT);
    }

    private <E> RemoteQueue<E> open(QueueOptions options, Codec<E> codec) {
        RemoteQueue<E> queue = RemoteQueue.on(new SimulatedMemory(node, 1, false), "test", codec, options, true);
        opened.add(queue);
        return queue;
    }

    private static QueueOptions small() {
        return QueueOptions.unbounded().withSlotsPerSegment(4);
    }

    private static QueueOptions small(int capacity) {
        return small().withCapacity(capacity);
    }

    @Test
    void firstInFirstOutAcrossSegments() {
        RemoteQueue<Integer> queue = open(small());
        assertThat(queue.poll()).isNull();
        for (int round = 0; round < 20; round++) {
            for (int i = 0; i < round; i++) {
                assertThat(queue.offer(i)).isTrue();
            }
            assertThat(queue).hasSize(round);
            for (int i = 0; i < round; i++) {
                assertThat(queue.peek()).isEqualTo(i);
                assertThat(queue.poll()).isEqualTo(i);
            }
            assertThat(queue.poll()).isNull();
            assertThat(queue.peek()).isNull();
            assertThat(queue.isEmpty()).isTrue();
        }
    }

    @Test
    void segmentsAreRecycled() {
        RemoteQueue<Integer> queue = open(small());
        long before = node.allocatedBytes();
        for (int i = 0; i < 1_000; i++) {
            queue.add(i);
            assertThat(queue.remove()).isEqualTo(i);
        }
        int segment = new SegmentLayout(0, 4).bytes();
        assertThat(node.allocatedBytes()).isLessThanOrEqualTo(before + 2L * segment);
    }

    @Test
    void sizesIteratesAndRemovesInTheMiddle() {
        RemoteQueue<Integer> queue = open(small());
        queue.addAll(IntStream.range(0, 30).boxed().toList());
        assertThat(queue).containsExactlyElementsOf(IntStream.range(0, 30).boxed().toList());
        assertThat(queue.remove((Object) 7)).isTrue();
        assertThat(queue.remove((Object) 7)).isFalse();
        assertThat(queue.removeIf(i -> i % 3 == 0)).isTrue();
        List<Integer> left = IntStream.range(0, 30).filter(i -> i % 3 != 0 && i != 7).boxed().toList();
        assertThat(queue).hasSize(left.size()).containsExactlyElementsOf(left);
        assertThat(queue.contains(8)).isTrue();
        assertThat(queue.contains(9)).isFalse();
        List<Integer> drained = new ArrayList<>();
        assertThat(queue.drainTo(drained, 5)).isEqualTo(5);
        assertThat(queue.drainTo(drained)).isEqualTo(left.size() - 5);
        assertThat(drained).isEqualTo(left);
        assertThat(queue.drainTo(drained)).isZero();
    }

    @Test
    void iteratorOutlivesSegments() {
        RemoteQueue<Integer> queue = open(small());
        queue.addAll(IntStream.range(0, 100).boxed().toList());
        Iterator<Integer> iterator = queue.iterator();
        assertThat(iterator.next()).isZero();
        queue.drainTo(new ArrayList<>(), 90);
        List<Integer> seen = new ArrayList<>();
        iterator.forEachRemaining(seen::add);
        assertThat(seen).doesNotHaveDuplicates().endsWith(90, 91, 92, 93, 94, 95, 96, 97, 98, 99);
        assertThatThrownBy(iterator::next).isInstanceOf(NoSuchElementException.class);
        assertThat(queue).hasSize(10);
    }

    @Test
    void aBoundedQueueTakesItsCapacityAndNoMore() {
        for (int capacity : new int[] {1, 3, 4, 5, 11}) {
            SimulatedMemory alone = SimulatedMemory.alone(QueueShape.ROOT_BYTES);
            RemoteQueue<Integer> queue = RemoteQueue.on(alone, "bounded", Codec.INT, small(capacity), true);
            for (int round = 0; round < 10; round++) {
                for (int i = 0; i < capacity; i++) {
                    assertThat(queue.offer(i)).as("%d of %d", i, capacity).isTrue();
                }
                assertThat(queue.offer(-1)).isFalse();
                assertThat(queue.remainingCapacity()).isZero();
                assertThat(queue.remove((Object) (capacity / 2))).isTrue();
                assertThat(queue.offer(capacity)).as("room by a removal from the middle").isTrue();
                assertThat(queue.offer(-1)).isFalse();
                for (int i = 0; i <= capacity; i++) {
                    if (i != capacity / 2) {
                        assertThat(queue.poll()).isEqualTo(i);
                    }
                }
                assertThat(queue.poll()).isNull();
            }
            assertThatThrownBy(() -> queue.addAll(IntStream.range(0, capacity + 1).boxed().toList()))
                    .isInstanceOf(IllegalStateException.class).hasMessage("Queue full");
            assertThat(queue).hasSize(capacity);
            queue.clear();
            assertThat(queue.remainingCapacity()).isEqualTo(capacity);
            queue.close();
        }
    }

    @Test
    void elementsOfAllSizes() {
        RemoteQueue<byte[]> queue = open(small(), Codec.BYTES);
        for (int length : new int[] {0, 1, 47, 48, 49, 1_000, 65_536, 1 << 20}) {
            byte[] element = new byte[length];
            java.util.Arrays.fill(element, (byte) length);
            queue.add(element);
        }
        for (int length : new int[] {0, 1, 47, 48, 49, 1_000, 65_536, 1 << 20}) {
            byte[] element = new byte[length];
            java.util.Arrays.fill(element, (byte) length);
            assertThat(queue.remove()).isEqualTo(element);
        }
        assertThatThrownBy(() -> queue.add(new byte[(1 << 20) + 1])).isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("1048577").hasMessageContaining("1048576");
    }

    @Test
    void openedWithAnythingElseItIsRefusedNamingBoth() {
        open(small(7));
        assertThatThrownBy(() -> open(small(8))).isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("capacity 7").hasMessageContaining("opened with 8");
        assertThatThrownBy(() -> open(small())).hasMessageContaining("capacity 7").hasMessageContaining("unbounded");
        assertThatThrownBy(() -> open(small(7), Codec.LONG)).isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("int").hasMessageContaining("long");
        assertThatThrownBy(() -> open(small(7).withSlotsPerSegment(5))).hasMessageContaining("slotsPerSegment 4");
        assertThatThrownBy(() -> open(small(7).acknowledged(Duration.ofSeconds(60)))).hasMessageContaining("AT_MOST_ONCE");
        RemoteQueue<Integer> same = open(small(7));
        same.add(1);
        assertThat(RemoteQueue.on(new SimulatedMemory(node, 2, false), "test", Codec.INT, QueueOptions.unbounded(), false).poll())
                .isEqualTo(1);
    }

    @Test
    void aHeapThatHoldsSomethingElseIsRefused() {
        node.setWord(node.root(), 42);
        assertThatThrownBy(() -> open(small())).isInstanceOf(IllegalArgumentException.class).hasMessageContaining("'test'")
                .hasMessageContaining("0x2a");
    }

    @Test
    void nullsAndMisuseAreRefused() {
        RemoteQueue<Integer> queue = open(small());
        assertThatThrownBy(() -> queue.offer(null)).isInstanceOf(NullPointerException.class);
        assertThatThrownBy(() -> queue.drainTo(null)).isInstanceOf(NullPointerException.class);
        assertThatThrownBy(() -> queue.drainTo(queue)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> queue.addAll(queue)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(queue::element).isInstanceOf(NoSuchElementException.class);
        assertThatThrownBy(() -> queue.receive(Duration.ZERO)).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(() -> queue.iterator().remove()).isInstanceOf(IllegalStateException.class);
        queue.close();
        assertThatThrownBy(queue::poll).isInstanceOf(IllegalStateException.class).hasMessageContaining("'test' is closed");
    }

    @Test
    void waitsForItsTimeAndNoLonger() throws InterruptedException {
        RemoteQueue<Integer> queue = open(small(1));
        assertThat(queue.poll(5, TimeUnit.MILLISECONDS)).isNull();
        assertThat(queue.offer(1, 0, TimeUnit.SECONDS)).isTrue();
        assertThat(queue.offer(2, 5, TimeUnit.MILLISECONDS)).isFalse();
        assertThat(queue.take()).isEqualTo(1);
    }

    @Test
    void anInterruptEndsWaitingOnly() throws InterruptedException {
        RemoteQueue<Integer> queue = open(small(1));
        Thread.currentThread().interrupt();
        assertThatThrownBy(queue::take).isInstanceOf(InterruptedException.class);
        Thread.currentThread().interrupt();
        assertThat(queue.offer(1)).isTrue();
        assertThat(queue.poll()).isEqualTo(1);
        assertThat(Thread.interrupted()).isTrue();
        queue.put(2);
        Thread.currentThread().interrupt();
        assertThatThrownBy(() -> queue.put(3)).isInstanceOf(InterruptedException.class);
        assertThat(queue).containsExactly(2);
    }
}
