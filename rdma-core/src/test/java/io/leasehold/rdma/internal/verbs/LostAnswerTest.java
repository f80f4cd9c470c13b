package io.leasehold.rdma.internal.verbs;

import static io.leasehold.rdma.WorkCompletionStatus.RETRY_EXC_ERR;
import static io.leasehold.rdma.WorkCompletionStatus.SUCCESS;
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
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/// Soft-RoCE says of a READ or atomic whose answer was lost that it succeeded: here it is in doubt, and so is what is behind it.
final class LostAnswerTest {
    private final FakeVerbs fake = new FakeVerbs();
    private final Arena arena = Arena.ofShared();
    private VerbsDevice device;
    private CompletionQueue completions;
    private MemoryRegion region;
    private VerbsQueuePair queuePair;
    private SendBatch batch;

    @BeforeEach
    void open() {
        fake.rxe = true;
        fake.answers = true;
        device = VerbsDevice.open(fake, DeviceOptions.verbs());
        ProtectionDomain domain = device.allocateProtectionDomain();
        completions = device.createCompletionQueue(64);
        region = domain.register(arena.allocate(4096), EnumSet.allOf(AccessFlag.class));
        queuePair = (VerbsQueuePair) domain.createQueuePair(QueuePairOptions.of(completions, completions).withDepth(8, 8));
        var peer = (VerbsQueuePair) domain.createQueuePair(QueuePairOptions.of(completions, completions));
        VerbsQueuePair.joinWithin(queuePair, peer);
        batch = queuePair.newSendBatch();
        fake.posted();
    }

    @AfterEach
    void close() {
        device.close();
        assertThat(device.resources()).isEqualTo(ResourceCounts.NONE);
        arena.close();
    }

    private List<String> poll() {
        List<String> polled = new ArrayList<>();
        WorkCompletion completion = new WorkCompletion();
        while (completions.poll(completion)) {
            polled.add(completion.id() + " " + completion.status());
        }
        return polled;
    }

    @Test
    void requestsThatAreAnsweredSucceed() {
        batch.write(1, region, 0, 8, 0x1000, 0xaa).fetchAndAdd(2, region, 8, 0x1000, 0xaa, 1).read(3, region, 16, 100, 0x1000, 0xaa)
                .compareAndSwap(4, region, 8, 0x1000, 0xaa, 1, 2).read(5, region, 8, 8, 0x1000, 0xaa);
        assertThat(batch.post()).isEqualTo(PostStatus.POSTED);
        assertThat(poll()).containsExactly("1 " + SUCCESS, "2 " + SUCCESS, "3 " + SUCCESS, "4 " + SUCCESS, "5 " + SUCCESS);
        assertThat(queuePair.state()).isEqualTo(QueuePairState.RTS);
    }

    @Test
    void aRequestWithoutItsAnswerIsInDoubtAndSoAreThoseBehindIt() {
        fake.completes = false;
        fake.answers = false;
        region.memory().set(ValueLayout.JAVA_LONG, 8, 77);
        batch.write(1, region, 0, 8, 0x1000, 0xaa).fetchAndAdd(2, region, 8, 0x1000, 0xaa, 1).unsignalled()
                .read(3, region, 16, 100, 0x1000, 0xaa).compareAndSwap(4, region, 120, 0x1000, 0xaa, 1, 2)
                .write(5, region, 0, 8, 0x1000, 0xaa);
        assertThat(batch.post()).isEqualTo(PostStatus.POSTED);
        List<FakeVerbs.Posted> posted = fake.posted();
        // The answer to the READ comes, and that to the addition does not.
        region.memory().set(ValueLayout.JAVA_LONG_UNALIGNED, 108, 5);
        for (int i : new int[] {0, 2, 3, 4}) {
            fake.complete(queuePair.pointer(), posted.get(i).tag(), SUCCESS.ordinal());
        }
        assertThat(poll()).containsExactly("1 " + SUCCESS, "2 " + RETRY_EXC_ERR, "3 " + RETRY_EXC_ERR, "4 " + RETRY_EXC_ERR,
                "5 " + RETRY_EXC_ERR);
        assertThat(region.memory().get(ValueLayout.JAVA_LONG, 8)).as("the place of the answer").isEqualTo(77);
        assertThat(queuePair.state()).isEqualTo(QueuePairState.ERR);
    }

    @Test
    void aRequestThatIsNotPostedLeavesThePlaceOfItsAnswerAlone() {
        region.memory().set(ValueLayout.JAVA_LONG, 8, 77);
        fake.refusedAt = 0;
        fake.refusedWith = NativeFailure.ENOMEM;
        assertThat(batch.fetchAndAdd(1, region, 8, 0x1000, 0xaa, 1).post()).isEqualTo(PostStatus.QUEUE_FULL);
        assertThat(region.memory().get(ValueLayout.JAVA_LONG, 8)).isEqualTo(77);
    }

    @Test
    void whatCompletesLaterFailsToo() {
        fake.completes = false;
        fake.answers = false;
        batch.read(1, region, 0, 8, 0x1000, 0xaa).write(2, region, 0, 8, 0x1000, 0xaa).write(3, region, 0, 8, 0x1000, 0xaa);
        assertThat(batch.post()).isEqualTo(PostStatus.POSTED);
        List<FakeVerbs.Posted> posted = fake.posted();
        fake.complete(queuePair.pointer(), posted.get(0).tag(), SUCCESS.ordinal());
        assertThat(poll()).containsExactly("1 " + RETRY_EXC_ERR);
        assertThat(batch.write(4, region, 0, 8, 0x1000, 0xaa).post()).isEqualTo(PostStatus.POSTED);
        fake.complete(queuePair.pointer(), posted.get(1).tag(), SUCCESS.ordinal());
        fake.complete(queuePair.pointer(), posted.get(2).tag(), SUCCESS.ordinal());
        assertThat(poll()).containsExactly("2 " + RETRY_EXC_ERR, "3 " + RETRY_EXC_ERR, "4 " + WR_FLUSH_ERR);
    }
}
