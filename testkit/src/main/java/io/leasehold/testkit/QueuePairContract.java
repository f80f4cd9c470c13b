package io.leasehold.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.leasehold.rdma.AsyncEvent;
import io.leasehold.rdma.CompletionQueue;
import io.leasehold.rdma.MemoryRegion;
import io.leasehold.rdma.PostStatus;
import io.leasehold.rdma.ProtectionDomain;
import io.leasehold.rdma.QueuePair;
import io.leasehold.rdma.QueuePairOptions;
import io.leasehold.rdma.QueuePairState;
import io.leasehold.rdma.RdmaError;
import io.leasehold.rdma.RdmaException;
import io.leasehold.rdma.SendBatch;
import io.leasehold.rdma.WorkCompletion;
import io.leasehold.rdma.WorkCompletionOpcode;
import io.leasehold.rdma.WorkCompletionStatus;
import io.leasehold.testkit.Testbed.Connection;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/// Posting and polling: what is taken, what is refused at once, and when a place is free again.
public interface QueuePairContract extends FabricContract {
    @Test
    default void aQueuePairThatIsNotConnectedTakesNoSends() {
        try (Testbed bed = testbed()) {
            Endpoint fresh = bed.client().endpoint();
            MemoryRegion region = bed.client().region(64, Host.EVERYTHING);
            assertThat(fresh.tryPost(requests -> requests.send(1, region, 0, 8))).isEqualTo(PostStatus.INVALID_STATE);
            assertThat(fresh.queuePair().postReceive(1, region, 0, 8)).isEqualTo(PostStatus.INVALID_STATE);
            fresh.queuePair().toInit();
            assertThat(fresh.tryPost(requests -> requests.send(1, region, 0, 8))).isEqualTo(PostStatus.INVALID_STATE);
            assertThat(fresh.queuePair().postReceive(1, region, 0, 8)).isEqualTo(PostStatus.POSTED);
        }
    }

    @Test
    default void aReceiveOfTheInitStateTakesTheFirstSend() {
        try (Testbed bed = testbed()) {
            Connection connection = new Connection(bed.client().endpoint(), bed.server().endpoint());
            MemoryRegion inbox = bed.server().region(64, Host.EVERYTHING);
            MemoryRegion outbox = bed.client().region(64, Host.EVERYTHING);
            connection.server().queuePair().toInit();
            connection.server().receive(5, inbox, 0, 64);
            connection.client().connect(connection.server());
            outbox.memory().set(ValueLayout.JAVA_LONG, 0, 42);
            assertThat(connection.client().send(outbox, 0, 8).succeeded()).isTrue();
            Completed received = connection.server().await();
            assertThat(received.id()).isEqualTo(5);
            assertThat(received.opcode()).isEqualTo(WorkCompletionOpcode.RECV);
            assertThat(received.byteLength()).isEqualTo(8);
            assertThat(inbox.memory().get(ValueLayout.JAVA_LONG, 0)).isEqualTo(42);
        }
    }

    @Test
    default void aBatchIsTakenWholeOrNotAtAll() {
        try (Testbed bed = testbed()) {
            Connection connection = bed.connect(options -> options.withDepth(4, 4));
            Endpoint client = connection.client();
            MemoryRegion target = bed.server().region(64, Host.EVERYTHING);
            MemoryRegion local = bed.client().region(64, Host.EVERYTHING);
            local.memory().fill((byte) 1);
            assertThat(client.tryPost(requests -> addWrites(requests, 5, local, target))).isEqualTo(PostStatus.QUEUE_FULL);
            assertThat(client.tryPost(requests -> addWrites(requests, 3, local, target))).isEqualTo(PostStatus.POSTED);
            assertThat(client.tryPost(requests -> addWrites(requests, 2, local, target))).isEqualTo(PostStatus.QUEUE_FULL);
            assertThat(client.tryPost(requests -> addWrites(requests, 1, local, target))).isEqualTo(PostStatus.POSTED);
            assertThat(client.await(4)).allMatch(Completed::succeeded);
            assertThat(client.tryPost(requests -> addWrites(requests, 4, local, target))).isEqualTo(PostStatus.POSTED);
            assertThat(client.await(4)).allMatch(Completed::succeeded);
            assertThat(client.poll()).isEmpty();
        }
    }

    private static void addWrites(SendBatch requests, int count, MemoryRegion local, MemoryRegion target) {
        for (int i = 0; i < count; i++) {
            requests.write(i, local, i, 1, target.address() + i, target.remoteKey());
        }
    }

    @Test
    default void aFullReceiveQueueTakesNoMore() {
        try (Testbed bed = testbed()) {
            Connection connection = bed.connect(options -> options.withDepth(4, 2));
            MemoryRegion inbox = bed.server().region(64, Host.EVERYTHING);
            QueuePair server = connection.server().queuePair();
            assertThat(server.postReceive(1, inbox, 0, 8)).isEqualTo(PostStatus.POSTED);
            assertThat(server.postReceive(2, inbox, 8, 8)).isEqualTo(PostStatus.POSTED);
            assertThat(server.postReceive(3, inbox, 16, 8)).isEqualTo(PostStatus.QUEUE_FULL);
            MemoryRegion outbox = bed.client().region(64, Host.EVERYTHING);
            assertThat(connection.client().send(outbox, 0, 8).succeeded()).isTrue();
            assertThat(connection.server().await().id()).isEqualTo(1);
            assertThat(server.postReceive(3, inbox, 16, 8)).isEqualTo(PostStatus.POSTED);
        }
    }

    @Test
    default void aSignalledCompletionFreesTheUnsignalledBeforeIt() {
        try (Testbed bed = testbed()) {
            Endpoint client = bed.connect(options -> options.withDepth(4, 4)).client();
            MemoryRegion target = bed.server().region(64, Host.EVERYTHING);
            MemoryRegion local = bed.client().region(64, Host.EVERYTHING);
            for (int round = 0; round < 10; round++) {
                int value = round;
                client.post(requests -> {
                    for (int i = 0; i < 4; i++) {
                        requests.write(value * 4L + i, local, 0, 8, target.address(), target.remoteKey());
                        if (i < 3) {
                            requests.unsignalled();
                        }
                    }
                });
                assertThat(client.await().id()).isEqualTo(round * 4L + 3);
            }
            assertThat(client.poll()).isEmpty();
        }
    }

    @Test
    default void unsignalledRequestsKeepTheirPlacesUntilASignalledOneIsPolled() {
        try (Testbed bed = testbed()) {
            Endpoint client = bed.connect(options -> options.withDepth(4, 4)).client();
            MemoryRegion target = bed.server().region(64, Host.EVERYTHING);
            MemoryRegion local = bed.client().region(64, Host.EVERYTHING);
            for (int i = 0; i < 3; i++) {
                client.post(requests -> requests.write(1, local, 0, 8, target.address(), target.remoteKey()).unsignalled());
            }
            client.post(requests -> requests.write(2, local, 0, 8, target.address(), target.remoteKey()));
            // The completion is there, but as long as nobody polls it nothing is free.
            awaitQuietly(client.completions());
            assertThat(client.tryPost(requests -> requests.write(3, local, 0, 8, target.address(), target.remoteKey())))
                    .isEqualTo(PostStatus.QUEUE_FULL);
            assertThat(client.await().id()).isEqualTo(2);
            assertThat(client.tryPost(requests -> addWrites(requests, 4, local, target))).isEqualTo(PostStatus.POSTED);
        }
    }

    private static void awaitQuietly(CompletionQueue queue) {
        try {
            assertThat(queue.await(Endpoint.PATIENCE)).isTrue();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new AssertionError("interrupted", e);
        }
    }

    @Test
    default void inlinePayloadsAreCopiedWhenTheyAreAdded() {
        try (Testbed bed = testbed()) {
            Connection connection = bed.connect();
            MemoryRegion target = bed.server().region(512, Host.EVERYTHING);
            MemorySegment payload = MemorySegment.ofArray(new byte[] {1, 2, 3, 4, 5, 6, 7, 8});
            MemorySegment unregistered = bed.client().memory(64).copyFrom(payload);
            connection.server().receive(1, target, 64, 64);
            connection.client().post(requests -> {
                requests.writeInline(1, unregistered, 2, 3, target.address() + 1, target.remoteKey());
                requests.sendInline(2, unregistered, 1, 4);
                unregistered.fill((byte) 9);
            });
            assertThat(connection.client().await(2)).allMatch(Completed::succeeded);
            assertThat(connection.server().await().byteLength()).isEqualTo(4);
            assertThat(target.memory().asSlice(0, 6).toArray(ValueLayout.JAVA_BYTE)).containsExactly(0, 3, 4, 5, 0, 0);
            assertThat(target.memory().asSlice(63, 6).toArray(ValueLayout.JAVA_BYTE)).containsExactly(0, 2, 3, 4, 5, 0);
        }
    }

    @Test
    default void anInlinePayloadBeyondTheLimitIsRefused() {
        try (Testbed bed = testbed()) {
            Endpoint client = bed.connect(options -> options.withMaxInlineBytes(32)).client();
            MemoryRegion target = bed.server().region(512, Host.EVERYTHING);
            MemorySegment payload = bed.client().memory(64);
            assertThat(client.tryPost(requests -> requests
                    .writeInline(1, payload, 0, 8, target.address(), target.remoteKey())
                    .writeInline(2, payload, 0, 33, target.address(), target.remoteKey())))
                    .isEqualTo(PostStatus.INLINE_TOO_LONG);
            assertThat(client.run(requests -> requests.writeInline(3, payload, 0, 32, target.address(), target.remoteKey())).id())
                    .isEqualTo(3);
            assertThat(client.poll()).isEmpty();
        }
    }

    @Test
    default void optionsBeyondTheDeviceAreRefused() {
        try (Testbed bed = testbed()) {
            int most = bed.client().device().attributes().maxWorkRequests();
            int inline = bed.client().device().attributes().maxInlineBytes();
            assertThatExceptionOfType(RdmaException.class)
                    .isThrownBy(() -> bed.client().endpoint(options -> options.withDepth(most + 1, 1)));
            assertThatExceptionOfType(RdmaException.class)
                    .isThrownBy(() -> bed.client().endpoint(options -> options.withMaxInlineBytes(inline + 1)));
        }
    }

    @Test
    default void aRequestThatNamesWhatIsNotItsOwnIsRefused() {
        try (Testbed bed = testbed()) {
            Endpoint client = bed.connect().client();
            MemoryRegion target = bed.server().region(64, Host.EVERYTHING);
            MemoryRegion mine = bed.client().region(64, Host.EVERYTHING);
            ProtectionDomain other = bed.client().anotherDomain();
            MemoryRegion others = bed.client().region(other, 64, Host.EVERYTHING);
            MemoryRegion closed = bed.client().region(64, Host.EVERYTHING);
            closed.close();
            refused(client, target, others, 0, 8);
            refused(client, target, closed, 0, 8);
            refused(client, target, target, 0, 8);
            refused(client, target, mine, 57, 8);
            refused(client, target, mine, 64, 1);
            refused(client, target, mine, -1, 8);
            refused(client, target, mine, 0, -1);
            refused(client, target, mine, Long.MAX_VALUE, 8);
            assertThat(client.queuePair().postReceive(1, others, 0, 8)).isEqualTo(PostStatus.INVALID_REQUEST);
            assertThat(client.queuePair().postReceive(1, mine, 60, 8)).isEqualTo(PostStatus.INVALID_REQUEST);
            assertThat(client.write(mine, 56, 8, target.address(), target.remoteKey()).succeeded()).isTrue();
        }
    }

    private static void refused(Endpoint client, MemoryRegion target, MemoryRegion local, long offset, int lengthBytes) {
        assertThat(client.tryPost(requests -> requests
                .write(1, local, offset, lengthBytes, target.address(), target.remoteKey())))
                .isEqualTo(PostStatus.INVALID_REQUEST);
        assertThat(client.queuePair().state()).isEqualTo(QueuePairState.RTS);
        assertThat(client.poll()).isEmpty();
    }

    @Test
    default void aBuilderIsEmptyAfterItsDoorbell() {
        try (Testbed bed = testbed()) {
            Endpoint client = bed.connect().client();
            MemoryRegion target = bed.server().region(64, Host.EVERYTHING);
            MemoryRegion local = bed.client().region(64, Host.EVERYTHING);
            SendBatch batch = client.queuePair().newSendBatch();
            addWrites(batch, 3, local, target);
            assertThat(batch.size()).isEqualTo(3);
            assertThat(batch.post()).isEqualTo(PostStatus.POSTED);
            assertThat(batch.size()).isZero();
            assertThat(client.await(3)).allMatch(Completed::succeeded);
            addWrites(batch, 2, local, target);
            batch.clear();
            assertThat(batch.size()).isZero();
            assertThat(batch.post()).as("an empty batch").isEqualTo(PostStatus.POSTED);
            assertThat(client.poll()).isEmpty();
        }
    }

    @Test
    default void aClosedQueuePairTakesNothing() {
        try (Testbed bed = testbed()) {
            Endpoint client = bed.connect().client();
            MemoryRegion target = bed.server().region(64, Host.EVERYTHING);
            MemoryRegion local = bed.client().region(64, Host.EVERYTHING);
            client.queuePair().close();
            client.queuePair().close();
            assertThat(client.tryPost(requests -> addWrites(requests, 1, local, target))).isEqualTo(PostStatus.CLOSED);
            assertThat(client.queuePair().postReceive(1, local, 0, 8)).isEqualTo(PostStatus.CLOSED);
        }
    }

    @Test
    default void aDrainedQueuePairHoldsBackWhatIsPosted() {
        try (Testbed bed = testbed()) {
            Endpoint client = bed.connect().client();
            MemoryRegion target = bed.server().region(64, Host.EVERYTHING);
            MemoryRegion local = bed.client().region(64, Host.EVERYTHING);
            client.queuePair().toSendQueueDrained();
            assertThat(client.queuePair().state()).isEqualTo(QueuePairState.SQD);
            client.post(requests -> addWrites(requests, 2, local, target));
            assertThat(client.await(Duration.ofMillis(50))).isEmpty();
            client.queuePair().toReadyToSend(Endpoint.PATIENCE);
            assertThat(client.await(2)).allMatch(Completed::succeeded);
        }
    }

    @Test
    default void anEmptyCompletionQueueAnswersInTime() throws InterruptedException {
        try (Testbed bed = testbed()) {
            CompletionQueue queue = bed.client().closing(bed.client().device().createCompletionQueue(8));
            assertThat(queue.capacity()).isGreaterThanOrEqualTo(8);
            assertThat(queue.poll(new WorkCompletion())).isFalse();
            long start = System.nanoTime();
            assertThat(queue.await(Duration.ofMillis(50))).isFalse();
            assertThat(Duration.ofNanos(System.nanoTime() - start)).isBetween(Duration.ofMillis(45), Duration.ofSeconds(10));
        }
    }

    @Test
    default void aCompletionHandlerMayPollAndPost() {
        try (Testbed bed = testbed()) {
            Connection connection = bed.connect();
            MemoryRegion target = bed.server().region(64, Host.EVERYTHING);
            MemoryRegion local = bed.client().region(64, Host.EVERYTHING);
            AtomicInteger polled = new AtomicInteger();
            SendBatch next = connection.client().queuePair().newSendBatch();
            WorkCompletion completion = new WorkCompletion();
            CompletionQueue queue = connection.client().completions();
            queue.onCompletion(() -> {
                synchronized (completion) {
                    while (queue.poll(completion)) {
                        if (polled.incrementAndGet() < 100) {
                            next.fetchAndAdd(polled.get(), local, 0, target.address(), target.remoteKey(), 1).post();
                        }
                    }
                }
            });
            connection.client().post(requests -> requests.fetchAndAdd(0, local, 0, target.address(), target.remoteKey(), 1));
            Await.until(Endpoint.PATIENCE, "100 completions are handled", () -> polled.get() == 100);
            assertThat(target.memory().get(ValueLayout.JAVA_LONG, 0)).isEqualTo(100);
        }
    }

    @Test
    default void aCompletionQueueThatOverflowsBreaks() {
        try (Testbed bed = testbed()) {
            Host client = bed.client();
            CompletionQueue tiny = client.closing(client.device().createCompletionQueue(4));
            int many = tiny.capacity() + 4;
            QueuePair queuePair = client.closing(
                    client.domain().createQueuePair(QueuePairOptions.of(tiny, tiny).withDepth(many, 1)));
            connectBare(bed, queuePair);
            MemoryRegion target = bed.server().region(64, Host.EVERYTHING);
            MemoryRegion local = client.region(64, Host.EVERYTHING);
            SendBatch batch = queuePair.newSendBatch();
            for (int i = 0; i < many; i++) {
                batch.write(i, local, 0, 8, target.address(), target.remoteKey());
            }
            assertThat(batch.post()).isEqualTo(PostStatus.POSTED);
            Await.until(Endpoint.PATIENCE, "the overflow is reported",
                    () -> client.events().stream().anyMatch(event -> event.type() == AsyncEvent.Type.CQ_ERR));
            Await.until(Endpoint.PATIENCE, "the queue pair is in error", () -> queuePair.state() == QueuePairState.ERR);
        }
    }

    private static void connectBare(Testbed bed, QueuePair queuePair) {
        QueuePair peer = bed.server().endpoint().queuePair();
        queuePair.toInit();
        peer.toInit();
        peer.toReadyToReceive(queuePair.address());
        queuePair.toReadyToReceive(peer.address());
        Thread other = Thread.ofPlatform().start(() -> peer.toReadyToSend(Endpoint.PATIENCE));
        queuePair.toReadyToSend(Endpoint.PATIENCE);
        try {
            other.join();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    @Test
    default void whatIsInUseCannotBeClosed() {
        try (Testbed bed = testbed()) {
            Host client = bed.client();
            ProtectionDomain domain = client.anotherDomain();
            Endpoint endpoint = client.endpoint(domain, options -> options);
            assertThatExceptionOfType(RdmaException.class).isThrownBy(domain::close)
                    .satisfies(e -> assertThat(e.error()).isEqualTo(RdmaError.BUSY));
            assertThatExceptionOfType(RdmaException.class).isThrownBy(endpoint.completions()::close)
                    .satisfies(e -> assertThat(e.error()).isEqualTo(RdmaError.BUSY));
            endpoint.close();
            MemoryRegion region = client.region(domain, 64, Host.EVERYTHING);
            assertThatExceptionOfType(RdmaException.class).isThrownBy(domain::close)
                    .satisfies(e -> assertThat(e.error()).isEqualTo(RdmaError.BUSY));
            region.close();
            domain.close();
        }
    }

    @Test
    default void severalThreadsPostToOneQueuePair() {
        int threads = 4;
        int each = 500;
        try (Testbed bed = testbed()) {
            Endpoint client = bed.connect().client();
            MemoryRegion target = bed.server().region(64, Host.EVERYTHING);
            MemoryRegion local = bed.client().region(8L * threads, Host.EVERYTHING);
            List<Thread> posters = IntStream.range(0, threads).mapToObj(thread -> Thread.ofPlatform().start(() -> {
                SendBatch batch = client.queuePair().newSendBatch();
                for (int i = 0; i < each;) {
                    batch.fetchAndAdd(thread * 1000L + i, local, 8L * thread, target.address(), target.remoteKey(), 1);
                    if (batch.post() == PostStatus.POSTED) {
                        i++;
                    } else {
                        Thread.onSpinWait();
                    }
                }
            })).toList();
            assertThat(client.await(threads * each)).allMatch(Completed::succeeded).extracting(Completed::id)
                    .doesNotHaveDuplicates();
            assertThat(posters).allSatisfy(poster -> assertThat(poster.join(Duration.ofSeconds(20))).isTrue());
            assertThat(target.memory().get(ValueLayout.JAVA_LONG, 0)).isEqualTo((long) threads * each);
            assertThat(client.read(local, 0, 8, target.address(), target.remoteKey()).status())
                    .isEqualTo(WorkCompletionStatus.SUCCESS);
        }
    }
}
