package io.leasehold.lease;

import static io.leasehold.lease.NodeFixture.ALL;
import static io.leasehold.lease.NodeFixture.MILLI;
import static io.leasehold.lease.NodeFixture.acquire;
import static io.leasehold.lease.NodeFixture.allocate;
import static io.leasehold.lease.NodeFixture.assertFailed;
import static io.leasehold.lease.NodeFixture.exclusive;
import static io.leasehold.lease.NodeFixture.granted;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.leasehold.lease.ControlMessage.Acquire;
import io.leasehold.lease.ControlMessage.Activate;
import io.leasehold.lease.ControlMessage.Beat;
import io.leasehold.lease.ControlMessage.BeatReply;
import io.leasehold.lease.ControlMessage.Granted;
import io.leasehold.lease.ControlMessage.Keys;
import io.leasehold.lease.ControlMessage.Named;
import io.leasehold.lease.ControlMessage.OpenNamed;
import io.leasehold.lease.ControlMessage.Reason;
import io.leasehold.lease.ControlMessage.Welcome;
import io.leasehold.rdma.AccessFlag;
import io.leasehold.rdma.DeviceOptions;
import io.leasehold.rdma.Link;
import io.leasehold.rdma.RdmaDevice;
import io.leasehold.rdma.RdmaError;
import io.leasehold.rdma.RdmaException;
import io.leasehold.rdma.ResourceCounts;
import io.leasehold.rdma.WorkCompletionStatus;
import io.leasehold.testkit.MutantDevice;
import io.leasehold.testkit.WindowObserver;
import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.PrintStream;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// The node at moments that only its device can show, and when its device, or whoever closes it, does what it should not.
@Timeout(60)
final class NodeFaultsTest {
    private static final NodeOptions OPTIONS = NodeOptions.ofMemory(4 << 20);
    private static final Set<String> MAKES = Set.of("RdmaDevice.allocateProtectionDomain", "RdmaDevice.createCompletionQueue",
            "RdmaDevice.listen", "ProtectionDomain.register", "ProtectionDomain.createQueuePair", "QueuePair.newSendBatch",
            "QueuePair.toInit", "QueuePair.toReadyToReceive", "QueuePair.toReadyToSend",
            "ProtectionDomain.allocateMemoryWindow");

    @Test
    void aNodeThatAnInterruptedThreadClosesEndsInOrder() {
        RdmaDevice device = RdmaDevice.open(DeviceOptions.soft());
        MemoryNode node = MemoryNode.start(device, OPTIONS);
        try (device; RawClient holder = RawClient.start(node.address(), Link.LOCAL, 1);
                RawClient waiting = RawClient.start(node.address(), Link.LOCAL, 2)) {
            long a = ((Named) holder.call(new OpenNamed("n", 64, true))).offset();
            granted(holder, acquire(a, 64, ALL, LeaseMode.EXCLUSIVE, 900 * MILLI, 0));
            long waits = waiting.send(acquire(a, 64, ALL, LeaseMode.EXCLUSIVE, 10 * MILLI, 30_000 * MILLI));
            waiting.settle();
            Thread.currentThread().interrupt();
            node.close();
            assertThat(Thread.interrupted()).as("the status is kept").isTrue();
            assertNothingOpen(device);
            assertFailed(waiting.await(waits), Reason.UNAVAILABLE);
        }
    }

    // ---- what is half made

    @Test
    void nothingIsLeftOfANodeThatCannotBeStarted() {
        int failed = 0;
        boolean started = false;
        while (!started) {
            started = leavesNothing(failed++, false);
        }
        assertThat(failed).as("calls that may fail").isGreaterThan(15);
    }

    @Test
    void nothingIsLeftOfAClientThatCannotBeConnected() {
        int failed = 0;
        boolean connected = false;
        while (!connected) {
            connected = leavesNothing(failed++, true);
        }
        assertThat(failed).as("calls that may fail").isGreaterThan(6);
    }

    /// Has the call of the device with this number fail that makes or prepares something, while a node is started, or while it
    /// takes a client.
    ///
    /// @return whether there was no such call
    private static boolean leavesNothing(int failing, boolean whileConnecting) {
        AtomicInteger left = new AtomicInteger(whileConnecting ? Integer.MAX_VALUE : failing);
        List<MemorySegment> registered = new CopyOnWriteArrayList<>();
        boolean succeeded = false;
        try (RdmaDevice device = RdmaDevice.open(DeviceOptions.soft())) {
            RdmaDevice watched = WatchedDevice.of(device, (call, arguments) -> {
                if (call.equals("ProtectionDomain.register")) {
                    registered.add((MemorySegment) arguments[0]);
                }
                if (MAKES.contains(call) && left.getAndDecrement() == 0) {
                    throw new RdmaException(RdmaError.OUT_OF_RESOURCES, "call " + failing);
                }
            });
            try (MemoryNode node = MemoryNode.start(watched, OPTIONS);
                    RawClient client = new RawClient(node.address(), Link.LOCAL, new UUID(0, 1))) {
                left.set(whileConnecting ? failing : Integer.MAX_VALUE);
                client.connectControl();
                if (client.hello("", 0) instanceof Welcome) {
                    client.connectData(0);
                    succeeded = client.call(new Activate(0, 1)) instanceof Keys;
                }
            } catch (RdmaException e) {
                assertThat(e).hasMessageContaining("call " + failing);
            }
            assertNothingOpen(device);
            assertThat(alive(registered)).as("memory after call %d", failing).isZero();
        }
        return succeeded;
    }

    private static int alive(List<MemorySegment> memory) {
        return (int) memory.stream().filter(segment -> segment.scope().isAlive()).count();
    }

    // ---- a control thread that fails

    /// A node on a device that once fails to free a window, when the lease of a client ends whose queue pair is broken.
    private static final class Failing implements AutoCloseable {
        private final AtomicLong clock = new AtomicLong(1);
        private final AtomicInteger failures = new AtomicInteger();
        private final RdmaDevice device = RdmaDevice.open(DeviceOptions.soft());
        private final MemoryNode node = start(OPTIONS);
        // The first of the two, so that what fails of it comes before the other's end.
        private final RawClient broken = RawClient.start(node.address(), Link.LOCAL, 1);
        private final RawClient innocent = RawClient.start(node.address(), Link.LOCAL, 2);
        private final long a = allocate(innocent, 64);
        private final Granted lease =
                granted(innocent, new Acquire(a, 64, ALL, LeaseMode.EXCLUSIVE, MILLI, 60_000, 60_000 * MILLI, 0, false));

        private MemoryNode start(NodeOptions options) {
            return MemoryNode.start(WatchedDevice.of(device, (call, _) -> {
                if (call.equals("MemoryWindow.close") && failures.getAndUpdate(left -> Math.max(0, left - 1)) > 0) {
                    throw new IllegalStateException("no window is freed now");
                }
            }), options.withClock(clock::get));
        }

        /// Prepares the failure.
        void provoke() {
            granted(broken, exclusive(allocate(broken, 64), 64));
            assertThat(broken.read(0, 64, 0)).isEqualTo(WorkCompletionStatus.REM_ACCESS_ERR);
            assertThat(innocent.write(a, 64, lease.key())).isEqualTo(WorkCompletionStatus.SUCCESS);
            failures.set(1);
            clock.addAndGet(20 * MILLI);
        }

        void assertEnded() {
            assertThat(node.whenEnded()).failsWithin(Duration.ofSeconds(10)).withThrowableOfType(ExecutionException.class)
                    .withMessageContaining("no window is freed now");
            assertThat(innocent.write(a, 64, lease.key())).isNotEqualTo(WorkCompletionStatus.SUCCESS);
            node.close();
            assertNothingOpen(device);
        }

        @Override
        public void close() {
            innocent.close();
            broken.close();
            node.close();
            device.close();
        }
    }

    @Test
    void aControlThreadThatFailsLeavesNoKeyAlive() {
        try (Failing failing = new Failing()) {
            failing.provoke();
            failing.node.tick();
            failing.assertEnded();
        }
    }

    @Test
    void aFailureUnderTheHandsOfWhoAsksEndsTheNodeToo() {
        try (Failing failing = new Failing()) {
            failing.provoke();
            assertThatThrownBy(failing.node::counts).isInstanceOf(IllegalStateException.class);
            failing.assertEnded();
        }
    }

    @Test
    void aDeviceThatFreesNothingAnyMoreIsFencedOff() {
        try (Failing failing = new Failing()) {
            failing.provoke();
            failing.failures.set(Integer.MAX_VALUE);
            failing.node.tick();
            assertThat(failing.node.whenEnded()).failsWithin(Duration.ofSeconds(10));
            assertThat(failing.innocent.write(failing.a, 64, failing.lease.key())).isNotEqualTo(WorkCompletionStatus.SUCCESS);
            failing.failures.set(0);
        }
    }

    @Test
    void theProgramEndsWithItsNode() throws Exception {
        try (Failing failing = new Failing()) {
            ByteArrayOutputStream err = new ByteArrayOutputStream();
            CompletableFuture<Integer> status = new CompletableFuture<>();
            Thread.ofPlatform().daemon().start(() -> status.complete(NodeMain.run(List.of("--memory", "4m"), _ -> failing.node,
                    InputStream.nullInputStream(), new PrintStream(OutputStream.nullOutputStream()),
                    new PrintStream(err, true, StandardCharsets.UTF_8), new CountDownLatch(1))));
            failing.provoke();
            failing.node.tick();
            assertThat(status.get(20, TimeUnit.SECONDS)).isEqualTo(1);
            assertThat(err.toString(StandardCharsets.UTF_8)).contains("the node has failed").contains("no window is freed now");
        }
    }

    private static void assertNothingOpen(RdmaDevice device) {
        ResourceCounts counts = device.resources();
        assertThat(new ResourceCounts(counts.protectionDomains(), counts.regions(), counts.windows(), counts.boundWindows(),
                counts.queuePairs(), counts.completionQueues(), 0)).isEqualTo(ResourceCounts.NONE);
    }

    @Test
    void noLeaseIsExtendedAfterItsSessionHasEnded() {
        AtomicLong clock = new AtomicLong(1);
        NodeOptions options = OPTIONS.withTerms(Duration.ofSeconds(60), Duration.ofMillis(500)).withClock(clock::get);
        try (MutantDevice device = MutantDevice.of(RdmaDevice.open(DeviceOptions.soft()));
                MemoryNode node = MemoryNode.start(device, options);
                RawClient asleep = RawClient.start(node.address(), Link.LOCAL, 1);
                RawClient waiting = RawClient.start(node.address(), Link.LOCAL, 2)) {
            long a = ((Named) asleep.call(new OpenNamed("n", 64, true))).offset();
            Granted lease = granted(asleep, acquire(a, 64, ALL, LeaseMode.EXCLUSIVE, 900 * MILLI, 0));
            long waits = waiting.send(acquire(a, 64, ALL, LeaseMode.EXCLUSIVE, 10 * MILLI, 30_000 * MILLI));
            clock.addAndGet(400 * MILLI);
            assertThat(waiting.call(new Beat(0))).isInstanceOf(BeatReply.class);
            AtomicReference<WorkCompletionStatus> extension = new AtomicReference<>();
            device.observe(new WindowObserver() {
                @Override
                public void bound(int key, long address, long lengthBytes, int access, int queuePair) {
                    // The range is another's, and the client wakes up.
                    if (access != AccessFlag.REMOTE_ATOMIC.bit()) {
                        extension.set(asleep.tryToSwapWord(lease.word(), LeaseWord.word(lease.era(), lease.units()),
                                LeaseWord.word(lease.era(), lease.units() + 1)));
                    }
                }
            });
            clock.addAndGet(101 * MILLI);
            node.tick();
            assertThat(waiting.await(waits)).isInstanceOf(Granted.class);
            assertThat(extension.get()).isEqualTo(WorkCompletionStatus.REM_ACCESS_ERR);
        }
    }
}
