package io.leasehold.rdma.internal.verbs;

import static io.leasehold.rdma.WorkCompletionStatus.RETRY_EXC_ERR;
import static io.leasehold.rdma.WorkCompletionStatus.WR_FLUSH_ERR;
import static org.assertj.core.api.Assertions.assertThat;

import io.leasehold.rdma.AccessFlag;
import io.leasehold.rdma.CompletionQueue;
import io.leasehold.rdma.DeviceOptions;
import io.leasehold.rdma.MemoryRegion;
import io.leasehold.rdma.PostStatus;
import io.leasehold.rdma.ProtectionDomain;
import io.leasehold.rdma.QueuePairOptions;
import io.leasehold.rdma.QueuePairState;
import io.leasehold.rdma.ResourceCounts;
import io.leasehold.rdma.SendBatch;
import io.leasehold.rdma.WorkCompletion;
import io.leasehold.rdma.WorkCompletionStatus;
import io.leasehold.rdma.internal.NicClock;
import java.lang.foreign.Arena;
import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/// Queue pairs that fail, are reset or are refused something while somebody posts, on a device that does as it is told.
final class BreakdownTest {
    private static final Duration PATIENCE = Duration.ofSeconds(10);

    private final FakeVerbs fake = new FakeVerbs();
    private final Arena arena = Arena.ofShared();
    private final List<Thread> meanwhile = new ArrayList<>();
    private VerbsDevice device;
    private ProtectionDomain domain;
    private CompletionQueue completions;
    private MemoryRegion region;
    private VerbsQueuePair peer;
    private VerbsQueuePair queuePair;
    private SendBatch batch;

    private record Polled(long id, WorkCompletionStatus status) {
    }

    @BeforeEach
    void open() {
        device = VerbsDevice.open(fake, DeviceOptions.verbs());
        domain = device.allocateProtectionDomain();
        completions = device.createCompletionQueue(64);
        region = domain.register(arena.allocate(4096), EnumSet.allOf(AccessFlag.class));
        peer = newQueuePair();
        queuePair = newQueuePair();
        batch = queuePair.newSendBatch();
        fake.completes = false;
        fake.flushes = true;
    }

    private VerbsQueuePair newQueuePair() {
        return (VerbsQueuePair) domain.createQueuePair(QueuePairOptions.of(completions, completions).withDepth(8, 8));
    }

    @AfterEach
    void close() throws InterruptedException {
        for (Thread thread : meanwhile) {
            assertThat(thread.join(PATIENCE)).as("%s ended", thread).isTrue();
        }
        device.close();
        assertThat(device.resources()).isEqualTo(ResourceCounts.NONE);
        arena.close();
    }

    private void join() {
        VerbsQueuePair.joinWithin(queuePair, peer);
        fake.posted();
    }

    /// Connects the pairs by an exchange, so that each is told of the other's end.
    private void connect() {
        try (var listener = device.listen(request -> request.accept(peer, new byte[0]))) {
            queuePair.connect(listener.address(), new byte[0], PATIENCE);
        }
        fake.posted();
    }

    private static void until(String what, BooleanSupplier condition) {
        long deadline = NicClock.deadline(PATIENCE);
        while (!condition.getAsBoolean()) {
            assertThat(NicClock.nanos()).as("waiting until %s", what).isLessThan(deadline);
            Thread.onSpinWait();
        }
    }

    /// Runs `action` on another thread, until it has returned or waits for a lock.
    private void meanwhile(Runnable action) {
        Thread thread = Thread.ofPlatform().start(action);
        meanwhile.add(thread);
        until("the other thread is done or waits", () -> switch (thread.getState()) {
            case WAITING, BLOCKED, TERMINATED -> true;
            default -> false;
        });
    }

    private void once(Runnable action) {
        fake.duringModify = () -> {
            fake.duringModify = () -> { };
            action.run();
        };
    }

    private List<Polled> poll(int count) {
        List<Polled> polled = new ArrayList<>();
        WorkCompletion completion = new WorkCompletion();
        until(count + " completions have come; so far " + polled, () -> {
            while (completions.poll(completion)) {
                polled.add(new Polled(completion.id(), completion.status()));
            }
            return polled.size() >= count;
        });
        return polled;
    }

    /// It either never reached the device, or may have been carried out.
    private void assertHonest(long id) {
        boolean posted = !fake.posted().isEmpty();
        assertThat(poll(1)).containsExactly(new Polled(id, posted ? RETRY_EXC_ERR : WR_FLUSH_ERR));
    }

    @Test
    void whatIsPostedWhileTheDeviceGoesToErrIsNotSaidToHaveHadNoEffect() throws InterruptedException {
        join();
        once(() -> meanwhile(() -> batch.fetchAndAdd(1, region, 0, 0x1000, 0, 1).post()));
        queuePair.toError();
        meanwhile.getFirst().join();
        assertHonest(1);
    }

    @Test
    void whatIsPostedWhileThePeersEndIsToldIsNotSaidToHaveHadNoEffect() throws InterruptedException {
        connect();
        // The first to be modified is the pair that is closed, the second the one that is told.
        once(() -> once(() -> meanwhile(() -> batch.fetchAndAdd(1, region, 0, 0x1000, 0, 1).post())));
        peer.close();
        until("the pair has failed", () -> queuePair.queues().state() == QueuePairState.ERR);
        meanwhile.getFirst().join();
        assertHonest(1);
    }

    @Test
    void whatIsPostedWhileTheDeviceResetsDoesNotReachIt() throws InterruptedException {
        join();
        List<PostStatus> statuses = new ArrayList<>();
        once(() -> {
            meanwhile(() -> statuses.add(batch.fetchAndAdd(1, region, 0, 0x1000, 0, 1).post()));
            meanwhile(() -> statuses.add(queuePair.postReceive(2, region, 0, 8)));
        });
        queuePair.toReset();
        for (Thread thread : meanwhile) {
            thread.join();
        }
        assertThat(statuses).containsExactly(PostStatus.INVALID_STATE, PostStatus.INVALID_STATE);
        assertThat(fake.posted()).isEmpty();
    }

    @Test
    void whatIsRefusedBehindWhatSucceedsWithoutAWordCompletes() throws InterruptedException {
        join();
        fake.completes = true;
        fake.refusedAt = 1;
        fake.refusedWith = NativeFailure.EINVAL;
        batch.write(1, region, 0, 8, 0, 0).unsignalled().write(2, region, 0, 8, 0, 0).write(3, region, 0, 8, 0, 0);
        assertThat(batch.post()).isEqualTo(PostStatus.POSTED);
        assertThat(completions.await(PATIENCE)).as("there is something").isTrue();
        assertThat(poll(2)).containsExactly(new Polled(2, WR_FLUSH_ERR), new Polled(3, WR_FLUSH_ERR));
        batch.write(4, region, 0, 8, 0, 0).post();
        assertThat(poll(1)).containsExactly(new Polled(4, WR_FLUSH_ERR));
    }

    @Test
    void whatIsPostedInErrBehindWhatSucceedsWithoutAWordCompletes() throws InterruptedException {
        join();
        fake.completes = true;
        batch.write(1, region, 0, 8, 0, 0).unsignalled().post();
        queuePair.toError();
        batch.write(2, region, 0, 8, 0, 0).unsignalled().post();
        assertThat(completions.await(PATIENCE)).as("there is something").isTrue();
        assertThat(poll(1)).containsExactly(new Polled(2, WR_FLUSH_ERR));
    }

    @Test
    void nothingIsCarriedOutBehindAHole() throws InterruptedException {
        join();
        fake.refusedAt = 1;
        fake.refusedWith = NativeFailure.EINVAL;
        SendBatch other = queuePair.newSendBatch();
        once(() -> meanwhile(() -> other.fetchAndAdd(3, region, 0, 0x1000, 0, 1).post()));
        batch.write(1, region, 0, 8, 0, 0).write(2, region, 0, 8, 0, 0).post();
        until("the device has failed the pair", () -> fake.isInError(queuePair.pointer()));
        meanwhile.getFirst().join();
        assertThat(fake.posted()).extracting(FakeVerbs.Posted::opcode).as("what reached the device").containsExactly(Abi.WRITE);
        assertThat(poll(3)).containsExactly(new Polled(1, RETRY_EXC_ERR), new Polled(2, WR_FLUSH_ERR),
                new Polled(3, WR_FLUSH_ERR));
    }

    @Test
    void aRequestThatWaitsForItsTurnDoesNotHoldUpThoseOfOthers() {
        join();
        fake.flushes = false;
        batch.write(1, region, 0, 8, 0, 0).post();
        queuePair.toError();
        batch.write(2, region, 0, 8, 0, 0).post();
        peer.toError();
        peer.newSendBatch().write(3, region, 0, 8, 0, 0).post();
        assertThat(poll(1)).containsExactly(new Polled(3, WR_FLUSH_ERR));
        fake.complete(queuePair.pointer(), fake.posted().getFirst().tag(), WR_FLUSH_ERR.ordinal());
        assertThat(poll(2)).containsExactly(new Polled(1, RETRY_EXC_ERR), new Polled(2, WR_FLUSH_ERR));
    }
}
