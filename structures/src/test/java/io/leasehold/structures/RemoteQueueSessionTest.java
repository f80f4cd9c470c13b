package io.leasehold.structures;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.leasehold.lease.MemoryNode;
import io.leasehold.lease.NoSuchNameException;
import io.leasehold.lease.NodeOptions;
import io.leasehold.lease.Session;
import io.leasehold.lease.SessionOptions;
import io.leasehold.testkit.history.FifoQueue;
import io.leasehold.testkit.history.History;
import io.leasehold.testkit.history.Operation;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.IntStream;
import junit.framework.TestSuite;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DynamicContainer;
import org.junit.jupiter.api.DynamicNode;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// The queue at a memory node, over real sessions on the software fabric.
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
@Timeout(120)
final class RemoteQueueSessionTest {
    private static final QueueOptions SMALL = QueueOptions.unbounded().withSlotsPerSegment(4);
    private static final int SESSIONS = 4;
    private static final int OPERATIONS = 300;

    private MemoryNode node;
    private Session session;

    @BeforeAll
    void start() {
        node = MemoryNode.start(NodeOptions.ofMemory(256 << 20).allowingUnprotected());
        session = Session.connect(node.address(), SessionOptions.defaults());
    }

    @AfterAll
    void stop() {
        session.close();
        node.close();
    }

    @TestFactory
    List<DynamicNode> guavaSuiteForQueues() {
        List<DynamicNode> all = new ArrayList<>();
        for (QueueOptions options : List.of(SMALL, SMALL.withCapacity(16))) {
            String name = "guava, capacity " + options.capacity();
            LeasedMemory memory = LeasedMemory.open(session, name, QueueShape.ROOT_BYTES, options.protection());
            TestSuite suite = RemoteQueueGuavaTest.suite(name, memory, options);
            assertThat(GuavaSuites.count(suite)).as("tests that apply").isGreaterThan(200);
            all.add(DynamicContainer.dynamicContainer(name, GuavaSuites.of(suite)));
        }
        return all;
    }

    @ParameterizedTest
    @EnumSource(Protection.class)
    void isSharedBetweenSessions(Protection protection) {
        String name = "shared " + protection;
        QueueOptions options = SMALL.withProtection(protection);
        try (RemoteQueue<Integer> queue = RemoteQueue.open(session, name, Codec.INT, options);
                Session other = Session.connect(node.address(), SessionOptions.defaults());
                RemoteQueue<Integer> theirs = RemoteQueue.open(other, name, Codec.INT, options)) {
            List<Integer> elements = IntStream.range(0, 200).boxed().toList();
            queue.addAll(elements.subList(0, 100));
            elements.subList(100, 200).forEach(queue::add);
            assertThat(theirs).hasSize(200).containsExactlyElementsOf(elements);
            assertThat(theirs.peek()).isZero();
            List<Integer> drained = new ArrayList<>();
            for (int i = 0; i < 50; i++) {
                drained.add(theirs.poll());
            }
            theirs.drainTo(drained);
            assertThat(drained).isEqualTo(elements);
            assertThat(queue.poll()).isNull();
        }
        RemoteQueue.destroy(session, name);
        assertThatThrownBy(() -> RemoteQueue.destroy(session, name)).isInstanceOf(NoSuchNameException.class);
    }

    @ParameterizedTest
    @EnumSource(value = Protection.class, names = {"STRUCTURE", "BLOCK"})
    void operationsOfSeveralSessionsAreLinearizable(Protection protection) throws InterruptedException {
        String name = "history " + protection;
        History history = new History();
        long seed = System.nanoTime();
        RemoteQueue.open(session, name, Codec.LONG, SMALL).close();
        run(SESSIONS, seed, (number, random) -> {
            History.Log log = history.log(number);
            try (Session own = Session.connect(node.address(), SessionOptions.defaults());
                    RemoteQueue<Long> queue = RemoteQueue.open(own, name, Codec.LONG, SMALL.withProtection(protection))) {
                for (int i = 0; i < OPERATIONS; i++) {
                    operate(queue, log, random, (long) number * OPERATIONS + i);
                }
            }
        });
        try {
            FifoQueue.check(history.operations());
        } catch (AssertionError e) {
            throw new AssertionError("seed " + seed + ": " + e.getMessage(), e);
        }
    }

    private static void operate(RemoteQueue<Long> queue, History.Log log, Random random, long value) {
        long invoked = log.now();
        if (random.nextBoolean()) {
            boolean isPut = queue.offer(value);
            log.returned(Operation.Kind.ENQUEUE, "queue", value, 0, isPut ? 1 : 0, invoked);
        } else {
            Long taken = queue.poll();
            log.returned(Operation.Kind.DEQUEUE, "queue", 0, 0, taken == null ? Operation.NONE : taken, invoked);
        }
    }

    private interface Body {
        void run(int number, Random random) throws Exception;
    }

    private static void run(int threads, long seed, Body body) throws InterruptedException {
        AtomicReference<Throwable> failure = new AtomicReference<>();
        List<Thread> all = IntStream.range(0, threads).mapToObj(i -> Thread.ofPlatform().start(() -> {
            try {
                body.run(i, new Random(seed + i));
            } catch (Throwable e) {
                failure.compareAndSet(null, e);
            }
        })).toList();
        for (Thread thread : all) {
            thread.join();
        }
        assertThat(failure.get()).as("seed " + seed).isNull();
    }

    @Test
    void producersAndConsumersWaitForEachOther() throws InterruptedException {
        QueueOptions options = SMALL.withCapacity(5);
        int each = 300;
        List<Integer> taken = Collections.synchronizedList(new ArrayList<>());
        try (RemoteQueue<Integer> queue = RemoteQueue.open(session, "waiting", Codec.INT, options)) {
            run(6, 1, (number, random) -> {
                for (int i = 0; i < each; i++) {
                    if (number % 2 == 0) {
                        queue.put(number * each + i);
                    } else {
                        taken.add(queue.take());
                        assertThat(queue.size()).isLessThanOrEqualTo(5);
                    }
                }
            });
        }
        int[] sorted = taken.stream().mapToInt(i -> i).sorted().toArray();
        assertThat(sorted).isEqualTo(IntStream.range(0, 6 * each).filter(i -> i / each % 2 == 0).toArray());
    }

    @Test
    void anInterruptedWaiterTakesNothing() throws InterruptedException {
        try (RemoteQueue<Integer> queue = RemoteQueue.open(session, "interrupted", Codec.INT)) {
            AtomicReference<Object> outcome = new AtomicReference<>();
            Thread waiter = Thread.ofVirtual().start(() -> {
                try {
                    outcome.set(queue.take());
                } catch (InterruptedException e) {
                    outcome.set(e);
                }
            });
            while (waiter.getState() != Thread.State.TIMED_WAITING) {
                Thread.onSpinWait();
            }
            waiter.interrupt();
            waiter.join();
            assertThat(outcome.get()).isInstanceOf(InterruptedException.class);
            queue.put(1);
            assertThat(queue.poll()).isEqualTo(1);
        }
    }

    /// However often consumers are interrupted, each element is taken by one of them.
    @Test
    void interruptsLoseNothing() throws InterruptedException {
        int count = 500;
        List<Integer> taken = Collections.synchronizedList(new ArrayList<>());
        CountDownLatch done = new CountDownLatch(count);
        try (RemoteQueue<Integer> queue = RemoteQueue.open(session, "interrupts", Codec.INT, SMALL)) {
            List<Thread> consumers = IntStream.range(0, 3).mapToObj(t -> Thread.ofVirtual().start(() -> {
                while (done.getCount() > 0) {
                    try {
                        Integer element = queue.poll(10, TimeUnit.MILLISECONDS);
                        if (element != null) {
                            taken.add(element);
                            done.countDown();
                        }
                    } catch (InterruptedException e) {
                        // Waits again.
                    }
                }
            })).toList();
            for (int i = 0; i < count; i++) {
                queue.put(i);
                consumers.get(i % 3).interrupt();
            }
            assertThat(done.await(60, TimeUnit.SECONDS)).as("all %d taken, not %d", count, taken.size()).isTrue();
            for (Thread consumer : consumers) {
                consumer.join();
            }
        }
        assertThat(taken).hasSize(count).doesNotHaveDuplicates();
    }

    @Test
    void theAsynchronousViewDoesTheSame() {
        try (RemoteQueue<Integer> queue = RemoteQueue.open(session, "async", Codec.INT, SMALL.withCapacity(50))) {
            AsyncRemoteQueue<Integer> async = queue.async();
            List<CompletableFuture<Integer>> takes = IntStream.range(0, 100).mapToObj(i -> async.take()).toList();
            List<CompletableFuture<Boolean>> puts = IntStream.range(0, 100).mapToObj(async::put).toList();
            puts.forEach(put -> assertThat(put.join()).isTrue());
            assertThat(takes.stream().map(CompletableFuture::join).sorted()).isEqualTo(IntStream.range(0, 100).boxed().toList());
            assertThat(async.poll(Duration.ofMillis(5)).join()).isNull();
            assertThat(async.addAll(List.of(1, 2, 3)).join()).isTrue();
            assertThat(async.drain(2).join()).containsExactly(1, 2);
            assertThat(async.offer(4).join()).isTrue();
            CompletableFuture<Integer> withdrawn = async.take();
            assertThat(withdrawn.join()).isEqualTo(3);
            assertThat(async.poll().join()).isEqualTo(4);
            CompletableFuture<Integer> waiting = async.take();
            waiting.cancel(false);
            assertThat(async.offer(5).join()).isTrue();
            assertThat(queue.poll()).isEqualTo(5);
        }
    }

    @Test
    void anElementOfTheGreatestSizePasses() {
        try (RemoteQueue<byte[]> queue = RemoteQueue.open(session, "large", Codec.BYTES)) {
            byte[] element = new byte[1 << 20];
            Arrays.fill(element, (byte) 7);
            queue.add(element);
            queue.addAll(List.of(element, element));
            for (int i = 0; i < 3; i++) {
                assertThat(queue.remove()).isEqualTo(element);
            }
        }
    }

    @Test
    void whatAClosedSessionReceivedIsDeliveredAgain() throws InterruptedException {
        QueueOptions options = SMALL.acknowledged(Duration.ofMillis(100));
        try (RemoteQueue<Integer> queue = RemoteQueue.open(session, "redelivered", Codec.INT, options)) {
            queue.addAll(IntStream.range(0, 10).boxed().toList());
            try (Session other = Session.connect(node.address(), SessionOptions.defaults());
                    RemoteQueue<Integer> theirs = RemoteQueue.open(other, "redelivered", Codec.INT, options)) {
                for (int i = 0; i < 5; i++) {
                    Delivery<Integer> delivery = theirs.receive(Duration.ofSeconds(10));
                    assertThat(delivery).isNotNull();
                    assertThat(delivery.value() % 2 == 0 && delivery.acknowledge()).isEqualTo(delivery.value() % 2 == 0);
                }
            }
            List<Integer> received = new ArrayList<>();
            while (received.size() < 7) {
                Delivery<Integer> delivery = queue.receive(Duration.ofSeconds(10));
                assertThat(delivery).as("received so far: %s", received).isNotNull();
                assertThat(delivery.acknowledge()).isTrue();
                received.add(delivery.value());
            }
            assertThat(received).containsExactlyInAnyOrder(1, 3, 5, 6, 7, 8, 9);
            assertThat(queue).isEmpty();
        }
    }

    @Test
    void survivesTheSessionThatMadeIt() {
        List<String> elements = IntStream.range(0, 100).mapToObj(i -> "element " + i).toList();
        try (Session other = Session.connect(node.address(), SessionOptions.defaults());
                RemoteQueue<String> theirs = RemoteQueue.open(other, "left", Codec.UTF_8, SMALL)) {
            theirs.addAll(elements);
        }
        try (RemoteQueue<String> queue = RemoteQueue.open(session, "left", Codec.UTF_8)) {
            assertThat(queue).containsExactlyElementsOf(elements);
            queue.clear();
            assertThat(queue).isEmpty();
        }
    }
}
