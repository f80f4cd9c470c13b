package io.leasehold.lease;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;

import io.leasehold.lease.ControlMessage.Activate;
import io.leasehold.lease.LeaseException.Effect;
import io.leasehold.rdma.DeviceAttributes;
import io.leasehold.rdma.RdmaDevice;
import io.leasehold.rdma.WorkCompletionOpcode;
import io.leasehold.rdma.WorkCompletionStatus;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// What may have been carried out is never reported as if it had not been, whatever happens after the connection broke.
@Timeout(60)
class DoubtTest {
    private static final byte[] BYTES = {1, 2, 3, 4, 5, 6, 7, 8};

    private final DoubtfulClient client = new DoubtfulClient();
    private final Lease lease = client.lease(Duration.ofSeconds(50));

    @AfterEach
    void close() {
        client.close();
    }

    private static void assertInDoubt(Throwable failure) {
        assertThat(failure).isInstanceOf(OutcomeUnknownException.class);
        assertThat(((LeaseException) failure).effect()).isEqualTo(Effect.UNKNOWN);
        assertThat(failure.getMessage()).contains("may have been carried out").contains("write of 8 bytes");
    }

    private void assertWritten() {
        assertThat(client.node.memory.get(ValueLayout.JAVA_BYTE, 7)).isEqualTo((byte) 8);
    }

    @Test
    void writeInDoubtStaysSoWhenTheNodeIsNotReachedAgain() {
        client.lockOut();
        client.doubt(WorkCompletionOpcode.RDMA_WRITE, 1, () -> { });
        assertInDoubt(catchThrowable(() -> lease.write(0, BYTES)));
        assertWritten();
    }

    @Test
    void writeInDoubtStaysSoWhenTheSessionIsClosed() throws Exception {
        CountDownLatch broken = new CountDownLatch(1);
        client.lockOut();
        client.doubt(WorkCompletionOpcode.RDMA_WRITE, 1, broken::countDown);
        CompletableFuture<Throwable> failure = new CompletableFuture<>();
        Thread.ofVirtual().start(() -> failure.complete(catchThrowable(() -> lease.write(0, BYTES))));
        broken.await();
        client.session.close();
        assertInDoubt(failure.get(20, TimeUnit.SECONDS));
        assertWritten();
    }

    @Test
    void writeInDoubtStaysSoWhenItsLeaseEndsBeforeItIsRepeated() {
        client.node.script = (_, request) -> {
            if (request instanceof Activate) {
                client.node.end(client.node.client(), lease.id());
            }
            return null;
        };
        client.doubt(WorkCompletionOpcode.RDMA_WRITE, 1, () -> { });
        assertInDoubt(catchThrowable(() -> lease.write(0, BYTES)));
        assertWritten();
    }

    @Test
    void writeInDoubtStaysSoWhenItsRepetitionIsRefused() {
        AtomicInteger writes = new AtomicInteger();
        client.device.testify(completion -> completion.opcode() != WorkCompletionOpcode.RDMA_WRITE || !completion.succeeded()
                ? completion.status() : switch (writes.getAndIncrement()) {
                    case 0 -> WorkCompletionStatus.RETRY_EXC_ERR;
                    case 1 -> WorkCompletionStatus.REM_ACCESS_ERR;
                    default -> completion.status();
                });
        assertInDoubt(catchThrowable(() -> lease.write(0, BYTES)));
        assertThat(writes).hasValue(2);
    }

    @Test
    void writeInDoubtStaysSoWhenItsRepetitionIsFlushed() {
        AtomicInteger writes = new AtomicInteger();
        client.device.testify(completion -> {
            if (completion.opcode() != WorkCompletionOpcode.RDMA_WRITE || !completion.succeeded()) {
                return completion.status();
            }
            if (writes.getAndIncrement() == 0) {
                return WorkCompletionStatus.RETRY_EXC_ERR;
            }
            client.lockOut();
            return WorkCompletionStatus.WR_FLUSH_ERR;
        });
        assertInDoubt(catchThrowable(() -> lease.write(0, BYTES)));
    }

    @Test
    void batchTellsWhatIsInDoubt() {
        client.lockOut();
        client.doubt(WorkCompletionOpcode.RDMA_WRITE, 1, () -> { });
        try (Batch batch = client.session.batch()) {
            batch.read(lease, 0, 8);
            batch.write(lease, 0, MemorySegment.ofArray(BYTES));
            assertInDoubt(catchThrowable(batch::execute));
            assertThat(batch.outcome(0)).isEqualTo(Batch.Outcome.DONE);
            assertThat(batch.outcome(1)).isEqualTo(Batch.Outcome.UNKNOWN);
        }
    }

    @Test
    void asynchronousBatchTellsWhatIsInDoubt() {
        client.lockOut();
        client.doubt(WorkCompletionOpcode.RDMA_WRITE, 1, () -> { });
        Batch batch = client.session.batch();
        batch.write(lease, 0, MemorySegment.ofArray(BYTES));
        assertInDoubt(catchThrowable(() -> batch.executeAsync().get(20, TimeUnit.SECONDS)).getCause());
        assertThat(batch.outcome(0)).isEqualTo(Batch.Outcome.UNKNOWN);
        batch.close();
    }

    /// Completions are delivered by one thread at a time; while that is held up, nobody is answered.
    @Test
    void batchIsUsedAgainAfterNoAnswerCameInTime() throws Exception {
        CountDownLatch isHeld = new CountDownLatch(1);
        CountDownLatch release = new CountDownLatch(1);
        client.report(WorkCompletionStatus.SUCCESS, WorkCompletionOpcode.RDMA_READ, 1, () -> {
            isHeld.countDown();
            try {
                release.await();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        });
        Thread other = Thread.ofPlatform().start(() -> lease.read(0, MemorySegment.ofArray(new byte[8])));
        try (Batch batch = client.session.batch()) {
            isHeld.await();
            batch.fetchAndAdd(lease, 0, 7);
            batch.write(lease, 8, MemorySegment.ofArray(BYTES));
            assertThat(catchThrowable(batch::execute)).isInstanceOf(OutcomeUnknownException.class);
            assertThat(batch.outcome(0)).isEqualTo(Batch.Outcome.UNKNOWN);
            assertThat(batch.outcome(1)).isEqualTo(Batch.Outcome.UNKNOWN);
            assertThatThrownBy(() -> batch.previous(0)).isInstanceOf(IllegalStateException.class).hasMessageContaining("reset it");
            release.countDown();
            other.join();
            batch.reset();
            batch.read(lease, 0, 16);
            batch.execute();
            assertThat(batch.data(0).get(ValueLayout.JAVA_LONG, 0)).isEqualTo(7);
            assertThat(batch.data(0).get(ValueLayout.JAVA_BYTE, 15)).isEqualTo((byte) 8);
        } finally {
            release.countDown();
        }
    }

    @Test
    void readInDoubtHasChangedNothing() {
        client.lockOut();
        client.doubt(WorkCompletionOpcode.RDMA_READ, 1, () -> { });
        assertThatThrownBy(() -> lease.read(0, MemorySegment.ofArray(new byte[8]))).isInstanceOf(NodeUnavailableException.class)
                .satisfies(e -> assertThat(((LeaseException) e).effect()).isEqualTo(Effect.NONE));
    }

    @Test
    void longWriteThatIsRefusedMayHaveBeenCarriedOutInPart() {
        Lease wide = client.session.acquireWrite(DoubtfulClient.START, ScriptedNode.MEMORY_BYTES, Duration.ofSeconds(50));
        client.report(WorkCompletionStatus.REM_ACCESS_ERR, WorkCompletionOpcode.RDMA_WRITE, 1, () -> { });
        assertThatThrownBy(() -> wide.write(0, new byte[WorkChain.WHOLE_MAX + 1])).isInstanceOf(OutcomeUnknownException.class)
                .hasMessageContaining("in pieces").hasCauseInstanceOf(AccessDeniedException.class);
        client.report(WorkCompletionStatus.REM_ACCESS_ERR, WorkCompletionOpcode.RDMA_WRITE, 2, () -> { });
        assertThatThrownBy(() -> wide.write(0, new byte[WorkChain.WHOLE_MAX])).isInstanceOf(AccessDeniedException.class);
        try (Batch batch = client.session.batch()) {
            batch.write(wide, 0, MemorySegment.ofArray(new byte[WorkChain.WHOLE_MAX + 1]));
            batch.write(wide, 0, MemorySegment.ofArray(BYTES));
            client.report(WorkCompletionStatus.REM_ACCESS_ERR, WorkCompletionOpcode.RDMA_WRITE, 1, () -> { });
            assertThatThrownBy(batch::execute).isInstanceOf(AccessDeniedException.class);
            assertThat(batch.outcome(1)).isEqualTo(Batch.Outcome.REFUSED);
            batch.reset();
            batch.write(wide, 0, MemorySegment.ofArray(new byte[WorkChain.WHOLE_MAX + 1]));
            client.report(WorkCompletionStatus.REM_ACCESS_ERR, WorkCompletionOpcode.RDMA_WRITE, 1, () -> { });
            assertThatThrownBy(batch::execute).isInstanceOf(OutcomeUnknownException.class);
            assertThat(batch.outcome(0)).isEqualTo(Batch.Outcome.UNKNOWN);
        }
    }

    @Test
    void longReadThatIsRefusedHasChangedNothing() {
        Lease wide = client.session.acquireWrite(DoubtfulClient.START, ScriptedNode.MEMORY_BYTES, Duration.ofSeconds(50));
        client.report(WorkCompletionStatus.REM_ACCESS_ERR, WorkCompletionOpcode.RDMA_READ, 1, () -> { });
        MemorySegment into = MemorySegment.ofArray(new byte[WorkChain.WHOLE_MAX + 1]);
        assertThatThrownBy(() -> wide.read(0, into)).isInstanceOf(AccessDeniedException.class);
    }

    @Test
    void doubtEndsWhenTheWriteIsRepeatedAndIsNoMatterForTheNext() {
        client.doubt(WorkCompletionOpcode.RDMA_WRITE, 1, () -> { });
        lease.write(0, BYTES);
        assertWritten();
        client.lockOut();
        client.report(WorkCompletionStatus.WR_FLUSH_ERR, WorkCompletionOpcode.RDMA_WRITE, 1, () -> { });
        assertThatThrownBy(() -> lease.write(0, BYTES)).isInstanceOf(NodeUnavailableException.class)
                .satisfies(e -> assertThat(((LeaseException) e).effect()).isEqualTo(Effect.NONE));
    }

    @Test
    void writeInPartsTellsHowMuchIsWrittenWhenTheSessionIsClosedInBetween() throws Exception {
        RdmaDevice narrow = withLongestTransfer(client.device, 4096);
        Session session = Session.connect(narrow, client.node.address(), SessionOptions.defaults()
                .withTimeouts(Duration.ofSeconds(2), DoubtfulClient.REQUEST_TIMEOUT));
        Lease wide = session.acquireWrite(new RemoteAddress(0, 65536), 65536, Duration.ofSeconds(50));
        AtomicInteger writes = new AtomicInteger();
        CountDownLatch broken = new CountDownLatch(1);
        client.device.testify(completion -> {
            if (completion.opcode() != WorkCompletionOpcode.RDMA_WRITE || !completion.succeeded()
                    || writes.getAndIncrement() != 3) {
                return completion.status();
            }
            client.lockOut();
            broken.countDown();
            return WorkCompletionStatus.WR_FLUSH_ERR;
        });
        CompletableFuture<Throwable> failure = new CompletableFuture<>();
        Thread.ofVirtual().start(() -> failure.complete(catchThrowable(() -> wide.write(0, new byte[65536]))));
        broken.await();
        session.close();
        assertThat(failure.get(20, TimeUnit.SECONDS)).isInstanceOf(OutcomeUnknownException.class)
                .hasMessageContaining("the first 12288 of 65536 bytes were written");
    }

    /// `device`, which says that it can move so much at a time.
    private static RdmaDevice withLongestTransfer(RdmaDevice device, int bytes) {
        return AlteredDevice.withAttributes(device, all -> new DeviceAttributes(all.provider(), all.name(), all.windowTypes(),
                all.windowBoundsEnforced(), all.maxQueuePairs(), all.maxCompletionQueues(), all.maxCompletionEntries(),
                all.maxRegions(), all.maxWindows(), all.maxWorkRequests(), all.maxReadAtomic(), all.maxInlineBytes(), bytes,
                all.maxPrivateDataBytes(), all.maxWindowBytes()));
    }
}
