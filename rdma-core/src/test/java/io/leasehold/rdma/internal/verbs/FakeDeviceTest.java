package io.leasehold.rdma.internal.verbs;

import static io.leasehold.rdma.WorkCompletionStatus.LOC_PROT_ERR;
import static io.leasehold.rdma.WorkCompletionStatus.MW_BIND_ERR;
import static io.leasehold.rdma.WorkCompletionStatus.REM_ACCESS_ERR;
import static io.leasehold.rdma.WorkCompletionStatus.RETRY_EXC_ERR;
import static io.leasehold.rdma.WorkCompletionStatus.SUCCESS;
import static io.leasehold.rdma.WorkCompletionStatus.WR_FLUSH_ERR;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.tuple;

import com.sun.management.ThreadMXBean;
import io.leasehold.rdma.AccessFlag;
import io.leasehold.rdma.CompletionQueue;
import io.leasehold.rdma.DeviceOptions;
import io.leasehold.rdma.MemoryRegion;
import io.leasehold.rdma.MemoryWindow;
import io.leasehold.rdma.MemoryWindowType;
import io.leasehold.rdma.PostStatus;
import io.leasehold.rdma.ProtectionDomain;
import io.leasehold.rdma.QueuePairOptions;
import io.leasehold.rdma.QueuePairState;
import io.leasehold.rdma.RdmaError;
import io.leasehold.rdma.RdmaException;
import io.leasehold.rdma.RemoteKey;
import io.leasehold.rdma.ResourceCounts;
import io.leasehold.rdma.SendBatch;
import io.leasehold.rdma.WorkCompletion;
import io.leasehold.rdma.WorkCompletionOpcode;
import io.leasehold.rdma.WorkCompletionStatus;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/// What goes to the library and what is made of its answers, on a device that gives every answer one could want.
final class FakeDeviceTest {
    private static final int WARM_UP = 30_000;
    private static final int ROUNDS = 10_000;
    private static final int ATTEMPTS = 5;

    private final FakeVerbs fake = new FakeVerbs();
    private final Arena arena = Arena.ofShared();
    private VerbsDevice device;
    private ProtectionDomain domain;
    private CompletionQueue completions;
    private MemoryRegion region;
    private VerbsQueuePair queuePair;
    private SendBatch batch;

    /// A completion that was polled.
    private record Polled(long id, WorkCompletionStatus status, WorkCompletionOpcode opcode, int vendorError) {
    }

    @BeforeEach
    void open() {
        device = VerbsDevice.open(fake, DeviceOptions.verbs());
        domain = device.allocateProtectionDomain();
        completions = device.createCompletionQueue(64);
        region = domain.register(arena.allocate(4096), EnumSet.allOf(AccessFlag.class));
        queuePair = (VerbsQueuePair) domain.createQueuePair(QueuePairOptions.of(completions, completions).withDepth(8, 8));
        var peer = (VerbsQueuePair) domain.createQueuePair(QueuePairOptions.of(completions, completions));
        VerbsQueuePair.joinWithin(queuePair, peer);
        batch = queuePair.newSendBatch();
        fake.posted();
        fake.completes = false;
    }

    @AfterEach
    void close() {
        device.close();
        assertThat(device.resources()).isEqualTo(ResourceCounts.NONE);
        arena.close();
    }

    private List<Polled> poll() {
        List<Polled> polled = new ArrayList<>();
        WorkCompletion completion = new WorkCompletion();
        while (completions.poll(completion)) {
            polled.add(new Polled(completion.id(), completion.status(), completion.opcode(), completion.vendorError()));
        }
        return polled;
    }

    private void complete(FakeVerbs.Posted request, WorkCompletionStatus status) {
        fake.complete(queuePair.pointer(), request.tag(), status.ordinal());
    }

    @Test
    void requestsGoOutAsTheirStructuresSay() {
        long local = region.address();
        batch.read(1, region, 8, 16, 0x1000, 0xaa).unsignalled()
                .write(2, region, 0, 24, 0x2000, 0xbb).fence()
                .writeWithImmediate(3, region, 0, 0, 0x3000, 0xcc, 0x01020304)
                .compareAndSwap(4, region, 32, 0x4000, 0xdd, 5, 6)
                .fetchAndAdd(5, region, 40, 0x5000, 0xee, 7)
                .sendWithInvalidate(6, region, 0, 1, 0x99)
                .localInvalidate(7, 0x7700);
        assertThat(batch.post()).isEqualTo(PostStatus.POSTED);
        List<FakeVerbs.Posted> posted = fake.posted();
        assertThat(posted).extracting(FakeVerbs.Posted::opcode).containsExactly(4, 0, 1, 5, 6, 9, 7);
        assertThat(posted).extracting(one -> one.number(Abi.SendRequest.FLAGS)).containsExactly(0, 3, 2, 2, 2, 2, 2);
        assertThat(posted).extracting(one -> one.word(Abi.SendRequest.REMOTE_ADDRESS))
                .containsExactly(0x1000L, 0x2000L, 0x3000L, 0x4000L, 0x5000L, 0L, 0L);
        assertThat(posted.get(0).number(Abi.SendRequest.RDMA_KEY)).isEqualTo(0xaa);
        assertThat(RawMemory.getLong(posted.get(0).word(Abi.SendRequest.SCATTER_LIST))).isEqualTo(local + 8);
        assertThat(posted.get(2).number(Abi.SendRequest.SCATTER_COUNT)).as("elements of an empty range").isZero();
        assertThat(posted.get(2).bytes()).as("in network byte order").containsSequence(1, 2, 3, 4);
        assertThat(posted.get(3).word(Abi.SendRequest.COMPARE_ADD)).isEqualTo(5);
        assertThat(posted.get(3).word(Abi.SendRequest.SWAP)).isEqualTo(6);
        assertThat(posted.get(3).number(Abi.SendRequest.ATOMIC_KEY)).isEqualTo(0xdd);
        assertThat(posted.get(4).word(Abi.SendRequest.COMPARE_ADD)).isEqualTo(7);
        assertThat(posted.get(4).word(Abi.SendRequest.SWAP)).as("left over from a request before").isZero();
        assertThat(posted.get(5).number(Abi.SendRequest.IMMEDIATE)).isEqualTo(0x99);
        assertThat(posted.get(6).number(Abi.SendRequest.IMMEDIATE)).isEqualTo(0x7700);
    }

    @Test
    void aReusedBuilderLeavesNothingBehind() {
        batch.compareAndSwap(1, region, 0, 0x4000, 0xdd, -1, -1).post();
        batch.localInvalidate(2, 0x100).post();
        FakeVerbs.Posted second = fake.posted().get(1);
        for (int offset = Abi.SendRequest.REMOTE_ADDRESS; offset < Abi.SendRequest.BYTES; offset += 8) {
            assertThat(second.word(offset)).as("word at %s", offset).isZero();
        }
        assertThat(second.word(Abi.SendRequest.SCATTER_LIST)).isZero();
    }

    @Test
    void inlinePayloadsGoAlongAlsoWhenTheBuilderGrew() {
        MemorySegment payload = MemorySegment.ofArray(new byte[] {9, 8, 7});
        SendBatch large = domain.createQueuePair(QueuePairOptions.of(completions, completions)).newSendBatch();
        for (int i = 0; i < 100; i++) {
            large.writeInline(i, payload, 1, 2, i, 0);
        }
        assertThat(large.size()).isEqualTo(100);
        batch.writeInline(1, payload, 0, 3, 0x10, 1).post();
        assertThat(fake.posted().getFirst().payload()).containsExactly(9, 8, 7);
    }

    @Test
    void aChainIsPostedByOneCallAndUnsignalledRequestsRetireWithTheNext() {
        batch.write(1, region, 0, 8, 0, 0).unsignalled().write(2, region, 0, 8, 0, 0).unsignalled().read(3, region, 0, 8, 0, 0);
        batch.post();
        List<FakeVerbs.Posted> posted = fake.posted();
        batch.write(4, region, 0, 8, 0, 0).write(5, region, 0, 8, 0, 0).write(6, region, 0, 8, 0, 0)
                .write(7, region, 0, 8, 0, 0).write(8, region, 0, 8, 0, 0).write(9, region, 0, 8, 0, 0);
        assertThat(batch.post()).isEqualTo(PostStatus.QUEUE_FULL);
        complete(posted.get(2), SUCCESS);
        assertThat(poll()).containsExactly(new Polled(3, SUCCESS, WorkCompletionOpcode.RDMA_READ, 0));
        assertThat(queuePair.queues().ahead(posted.get(2).tag() + 1)).as("before the next").isZero();
    }

    @Test
    void ofAChainThatIsRefusedWholeNothingWasPosted() {
        fake.refusedAt = 0;
        fake.refusedWith = NativeFailure.EINVAL;
        batch.write(1, region, 0, 8, 0, 0).write(2, region, 0, 8, 0, 0);
        assertThat(batch.post()).isEqualTo(PostStatus.INVALID_REQUEST);
        fake.refusedAt = 0;
        fake.refusedWith = NativeFailure.ENOMEM;
        batch.write(1, region, 0, 8, 0, 0);
        assertThat(batch.post()).isEqualTo(PostStatus.QUEUE_FULL);
        assertThat(poll()).isEmpty();
        assertThat(queuePair.state()).isEqualTo(QueuePairState.RTS);
        batch.write(3, region, 0, 8, 0, 0);
        assertThat(batch.post()).isEqualTo(PostStatus.POSTED);
        complete(fake.posted().getFirst(), SUCCESS);
        assertThat(poll()).extracting(Polled::id).containsExactly(3L);
    }

    @Test
    void ofAChainThatIsRefusedInTheMiddleTheRestIsFlushedBehindTheBegin() {
        fake.refusedAt = 2;
        fake.refusedWith = NativeFailure.EINVAL;
        for (int id = 1; id <= 5; id++) {
            batch.write(id, region, 0, 8, 0, 0);
        }
        assertThat(batch.post()).isEqualTo(PostStatus.POSTED);
        List<FakeVerbs.Posted> taken = fake.posted();
        assertThat(taken).hasSize(2);
        assertThat(queuePair.state()).isEqualTo(QueuePairState.ERR);
        assertThat(poll()).as("before those that were taken").isEmpty();
        complete(taken.get(0), SUCCESS);
        complete(taken.get(1), WR_FLUSH_ERR);
        assertThat(poll()).extracting(Polled::id, Polled::status).containsExactly(
                tuple(1L, SUCCESS), tuple(2L, RETRY_EXC_ERR),
                tuple(3L, WR_FLUSH_ERR), tuple(4L, WR_FLUSH_ERR),
                tuple(5L, WR_FLUSH_ERR));
    }

    @Test
    void aFlushedRequestIsInDoubtUnlessThePeerRefusedOneBefore() {
        batch.write(1, region, 0, 8, 0, 0).fetchAndAdd(2, region, 0, 0, 0, 1).post();
        fake.posted().forEach(request -> complete(request, WR_FLUSH_ERR));
        assertThat(poll()).extracting(Polled::status).containsExactly(RETRY_EXC_ERR, RETRY_EXC_ERR);
        queuePair.toReset();
        rejoin();
        batch.write(1, region, 0, 8, 0, 0).fetchAndAdd(2, region, 0, 0, 0, 1).post();
        List<FakeVerbs.Posted> posted = fake.posted();
        complete(posted.get(0), REM_ACCESS_ERR);
        complete(posted.get(1), WR_FLUSH_ERR);
        assertThat(poll()).containsExactly(new Polled(1, REM_ACCESS_ERR, WorkCompletionOpcode.RDMA_WRITE, 77),
                new Polled(2, WR_FLUSH_ERR, WorkCompletionOpcode.FETCH_ADD, 77));
        assertThat(queuePair.state()).isEqualTo(QueuePairState.ERR);
        batch.write(3, region, 0, 8, 0, 0).post();
        assertThat(fake.posted()).as("in ERR").isEmpty();
        assertThat(poll()).extracting(Polled::status).containsExactly(WR_FLUSH_ERR);
    }

    @Test
    void everyStatusIsToldByItsName() {
        for (WorkCompletionStatus status : WorkCompletionStatus.values()) {
            if (status != WR_FLUSH_ERR) {
                queuePair.toReset();
                rejoin();
                batch.localInvalidate(1, 0x100).post();
                complete(fake.posted().getFirst(), status);
                assertThat(poll()).extracting(Polled::status).containsExactly(status);
            }
        }
        queuePair.toReset();
        rejoin();
        batch.write(1, region, 0, 8, 0, 0).post();
        fake.complete(queuePair.pointer(), fake.posted().getFirst().tag(), 4711);
        assertThat(poll()).extracting(Polled::status).containsExactly(WorkCompletionStatus.GENERAL_ERR);
    }

    private void rejoin() {
        var peer = (VerbsQueuePair) domain.createQueuePair(QueuePairOptions.of(completions, completions));
        VerbsQueuePair.joinWithin(queuePair, peer);
        peer.close();
    }

    @Test
    void completionsOfALifeThatIsOverAreDropped() {
        batch.write(1, region, 0, 8, 0, 0).post();
        FakeVerbs.Posted old = fake.posted().getFirst();
        queuePair.toReset();
        rejoin();
        complete(old, SUCCESS);
        batch.write(2, region, 0, 8, 0, 0).post();
        complete(fake.posted().getFirst(), SUCCESS);
        assertThat(poll()).extracting(Polled::id).containsExactly(2L);
        // A tag that was never given out.
        fake.complete(queuePair.pointer(), -1L >>> 1, 0);
        assertThat(poll()).isEmpty();
    }

    @Test
    void aWindowsKeyIsWrittenBackForTheNextBind() {
        MemoryWindow window = domain.allocateMemoryWindow(MemoryWindowType.TYPE_2B);
        int fresh = window.remoteKey();
        int first = new RemoteKey(fresh).next().value();
        int second = new RemoteKey(first).next().value();
        bind(window, first).localInvalidate(2, first);
        bind(window, second).post();
        List<FakeVerbs.Posted> posted = fake.posted();
        assertThat(posted).extracting(FakeVerbs.Posted::opcode).containsExactly(8, 7, 8);
        assertThat(posted).extracting(FakeVerbs.Posted::windowKey).containsExactly(fresh, 0, first);
        assertThat(posted.get(0).number(Abi.SendRequest.BIND_KEY)).isEqualTo(first);
        assertThat(posted.get(0).word(Abi.SendRequest.BIND_ADDRESS)).isEqualTo(region.address());
        assertThat(posted.get(0).word(Abi.SendRequest.BIND_LENGTH)).isEqualTo(64);
        assertThat(posted.get(0).number(Abi.SendRequest.BIND_ACCESS)).isEqualTo(AccessFlag.REMOTE_READ.bit());
        assertThat(posted.get(0).number(Abi.SendRequest.SCATTER_COUNT)).isZero();
        assertThat(posted.get(0).number(Abi.SendRequest.IMMEDIATE)).isZero();
        assertThat(window.remoteKey()).as("before it completes").isEqualTo(fresh);
        posted.forEach(request -> complete(request, SUCCESS));
        assertThat(poll()).hasSize(3);
        assertThat(window.remoteKey()).isEqualTo(second);
        assertThat(device.resources().boundWindows()).isEqualTo(1);
        assertThatExceptionOfType(RdmaException.class).isThrownBy(region::close)
                .satisfies(e -> assertThat(e.error()).isEqualTo(RdmaError.BUSY));
        window.close();
        assertThat(device.resources().boundWindows()).isZero();
    }

    private SendBatch bind(MemoryWindow window, int key) {
        return batch.bindMemoryWindow(1, window, key, region, region.address(), 64, AccessFlag.REMOTE_READ.bit());
    }

    @Test
    void aWindowThatWasNotBoundHasItsOldKey() {
        MemoryWindow window = domain.allocateMemoryWindow(MemoryWindowType.TYPE_2B);
        int fresh = window.remoteKey();
        int first = new RemoteKey(fresh).next().value();
        int second = new RemoteKey(first).next().value();
        bind(window, first);
        bind(window, second).post();
        List<FakeVerbs.Posted> posted = fake.posted();
        complete(posted.get(0), MW_BIND_ERR);
        complete(posted.get(1), WR_FLUSH_ERR);
        assertThat(poll()).extracting(Polled::status).containsExactly(MW_BIND_ERR, WR_FLUSH_ERR);
        assertThat(window.remoteKey()).isEqualTo(fresh);
        queuePair.toReset();
        rejoin();
        bind(window, second).post();
        assertThat(fake.posted().getFirst().windowKey()).as("the key that the device has").isEqualTo(fresh);
        assertThat(device.resources().boundWindows()).isZero();
    }

    @Test
    void aWindowWhoseBindIsLostIsOfNoFurtherUseAndKeepsItsRegion() {
        MemoryWindow window = domain.allocateMemoryWindow(MemoryWindowType.TYPE_2B);
        int key = new RemoteKey(window.remoteKey()).next().value();
        bind(window, key).post();
        queuePair.toReset();
        rejoin();
        bind(window, key);
        assertThat(batch.post()).isEqualTo(PostStatus.INVALID_REQUEST);
        assertThatExceptionOfType(RdmaException.class).isThrownBy(region::close);
        window.close();
        region.close();
    }

    @Test
    void type1WindowsAreBoundByACallOfTheirOwnInOrder() {
        MemoryWindow window = domain.allocateMemoryWindow(MemoryWindowType.TYPE_1);
        int fresh = window.remoteKey();
        batch.write(1, region, 0, 8, 0, 0);
        bind(window, 0);
        batch.write(3, region, 0, 8, 0, 0).post();
        List<FakeVerbs.Posted> posted = fake.posted();
        assertThat(posted).as("the writes").hasSize(2);
        // The fake completes the bind by itself, out of turn: the write before it retires with it.
        assertThat(poll()).extracting(Polled::opcode).containsExactly(WorkCompletionOpcode.BIND_MW);
        assertThat(window.remoteKey()).isEqualTo(fresh + 1);
        complete(posted.get(1), SUCCESS);
        assertThat(poll()).extracting(Polled::id).containsExactly(3L);
    }

    @Test
    void whatCannotBeAskedOfADeviceIsNotAsked() {
        MemoryWindow window = domain.allocateMemoryWindow(MemoryWindowType.TYPE_2B);
        int key = new RemoteKey(window.remoteKey()).next().value();
        long address = region.address();
        int read = AccessFlag.REMOTE_READ.bit();
        List<Runnable> refused = List.of(
                () -> batch.bindMemoryWindow(1, window, key, region, address, 0, read),
                () -> batch.bindMemoryWindow(1, window, key, region, address, 4097, read),
                () -> batch.bindMemoryWindow(1, window, key, region, address - 1, 8, read),
                () -> batch.bindMemoryWindow(1, window, key ^ 0x100, region, address, 8, read),
                () -> batch.bindMemoryWindow(1, window, key, region, address, 8, 1 << 20),
                () -> batch.fetchAndAdd(1, region, 0, 4, 0, 1),
                () -> batch.read(1, region, 4095, 2, 0, 0),
                () -> batch.read(1, region, -1, 2, 0, 0));
        for (Runnable request : refused) {
            request.run();
            assertThat(batch.post()).isEqualTo(PostStatus.INVALID_REQUEST);
        }
        batch.writeInline(1, MemorySegment.ofArray(new byte[2000]), 0, 2000, 0, 0);
        assertThat(batch.post()).isEqualTo(PostStatus.INLINE_TOO_LONG);
        assertThat(fake.posted()).isEmpty();
    }

    // The fake does not touch what it registers, and there is nothing.
    @SuppressWarnings("restricted")
    @Test
    void aWindowLongerThanDevicesBindIsNotAskedFor() {
        assertThat(device.attributes().maxWindowBytes()).isEqualTo(1L << 31);
        MemorySegment memory = MemorySegment.ofAddress(1L << 40).reinterpret((1L << 31) + 1);
        try (MemoryRegion vast = domain.register(memory, EnumSet.allOf(AccessFlag.class))) {
            MemoryWindow window = domain.allocateMemoryWindow(MemoryWindowType.TYPE_2B);
            int key = new RemoteKey(window.remoteKey()).next().value();
            batch.bindMemoryWindow(1, window, key, vast, vast.address(), (1L << 31) + 1, AccessFlag.REMOTE_READ.bit());
            assertThat(batch.post()).isEqualTo(PostStatus.INVALID_REQUEST);
            assertThat(fake.posted()).isEmpty();
            batch.bindMemoryWindow(1, window, key, vast, vast.address(), 1L << 31, AccessFlag.REMOTE_READ.bit());
            assertThat(batch.post()).isEqualTo(PostStatus.POSTED);
            complete(fake.posted().getFirst(), SUCCESS);
            assertThat(poll()).hasSize(1);
            window.close();
        }
    }

    @Test
    void aWindowIsFreedBeforeTheQueuePairItIsBoundTo() {
        MemoryWindow window = domain.allocateMemoryWindow(MemoryWindowType.TYPE_2B);
        int key = new RemoteKey(window.remoteKey()).next().value();
        bind(window, key).post();
        complete(fake.posted().getFirst(), SUCCESS);
        assertThat(poll()).hasSize(1);
        queuePair.close();
        assertThat(device.resources().boundWindows()).isZero();
        region.close();
        window.close();
    }

    @Test
    void aDeviceThatFailsAtAnyStepIsOneSentence() {
        List<String> calls = List.of("ibv_get_device_list", "ibv_open_device", "ibv_query_device", "ibv_query_port",
                "ibv_query_gid_table", "ibv_alloc_pd", "ibv_reg_mr", "ibv_create_comp_channel", "ibv_create_cq");
        for (String call : calls) {
            for (int errno : new int[] {NativeFailure.EPERM, NativeFailure.ENOMEM, NativeFailure.ENOSYS, NativeFailure.ENODEV}) {
                var broken = new FakeVerbs();
                broken.failing = call;
                broken.failingWith = errno;
                assertThatExceptionOfType(RdmaException.class).as(call)
                        .isThrownBy(() -> VerbsDevice.open(broken, DeviceOptions.verbs()))
                        .satisfies(e -> assertThat(e.error()).isIn(RdmaError.UNSUPPORTED, RdmaError.OUT_OF_RESOURCES))
                        .satisfies(e -> assertThat(e.getMessage()).doesNotContain("\n").hasSizeGreaterThan(40));
            }
        }
    }

    @Test
    void structuresThatLieOtherwiseAreFoundWhenTheDeviceIsOpened() {
        var strange = new FakeVerbs();
        strange.strange = true;
        assertThatExceptionOfType(RdmaException.class).isThrownBy(() -> VerbsDevice.open(strange, DeviceOptions.verbs()))
                .withMessageContaining("ibv_cq.context").withMessageContaining("rdma-core");
    }

    @Test
    void aNameThatNoDeviceHasIsToldWithThoseThereAre() {
        assertThatExceptionOfType(RdmaException.class)
                .isThrownBy(() -> VerbsDevice.open(new FakeVerbs(), DeviceOptions.verbs().withDevice("mlx5_9")))
                .withMessageContaining("mlx5_9").withMessageContaining("fake0");
        assertThatExceptionOfType(RdmaException.class)
                .isThrownBy(() -> VerbsDevice.open(new FakeVerbs(), DeviceOptions.verbs().withDevice("fake0/1/7")))
                .withMessageContaining("index 7");
        assertThatExceptionOfType(RdmaException.class)
                .isThrownBy(() -> VerbsDevice.open(new FakeVerbs(), DeviceOptions.verbs().withDevice("fake0/2")))
                .withMessageContaining("number 2");
        assertThatExceptionOfType(RdmaException.class)
                .isThrownBy(() -> VerbsDevice.open(new FakeVerbs(), DeviceOptions.verbs().withDevice("a/b/c/d")))
                .satisfies(e -> assertThat(e.error()).isEqualTo(RdmaError.INVALID_ARGUMENT));
    }

    @Test
    void aDeviceThatReadsBehindItsWindowsSaysSo() {
        // The fake completes every request well, that of the trial too.
        assertThat(device.attributes().windowTypes()).isEqualTo(Set.of(MemoryWindowType.TYPE_1, MemoryWindowType.TYPE_2B));
        assertThat(device.attributes().windowBoundsEnforced()).isFalse();
    }

    @Test
    void aFailureOfTheLocalSideLeavesWhatIsBehindInDoubt() {
        batch.read(1, region, 0, 8, 0, 0).write(2, region, 0, 8, 0, 0).post();
        List<FakeVerbs.Posted> posted = fake.posted();
        complete(posted.get(0), LOC_PROT_ERR);
        complete(posted.get(1), WR_FLUSH_ERR);
        assertThat(poll()).extracting(Polled::status).containsExactly(LOC_PROT_ERR, RETRY_EXC_ERR);
    }

    @Test
    void postingAndPollingMakeNoGarbage() {
        fake.lean = true;
        var threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        MemorySegment inline = arena.allocate(32);
        var completion = new WorkCompletion();
        run(WARM_UP, inline, completion);
        long least = Long.MAX_VALUE;
        for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
            long before = threads.getCurrentThreadAllocatedBytes();
            run(ROUNDS, inline, completion);
            least = Math.min(least, threads.getCurrentThreadAllocatedBytes() - before);
        }
        assertThat(least).as("bytes for %s rounds", ROUNDS).isLessThan(ROUNDS);
        fake.lean = false;
    }

    private void run(int rounds, MemorySegment inline, WorkCompletion completion) {
        for (int i = 0; i < rounds; i++) {
            // The fake completes the first of a chain; signalled alone it retires itself.
            batch.writeInline(i, inline, 0, 32, 0x100, 1).post();
            poll(i, completion);
            batch.compareAndSwap(i, region, 0, 0x100, 1, 2, 3).post();
            poll(i, completion);
            queuePair.postReceive(i, region, 0, 0);
            completions.poll(completion);
        }
    }

    private void poll(int id, WorkCompletion completion) {
        if (!completions.poll(completion) || completion.id() != id || !completion.succeeded()) {
            throw new AssertionError(completion);
        }
    }
}
