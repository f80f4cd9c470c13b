package io.leasehold.lease;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.sun.management.ThreadMXBean;
import io.leasehold.lease.ControlMessage.Acquire;
import io.leasehold.lease.ControlMessage.Activate;
import io.leasehold.lease.ControlMessage.Beat;
import io.leasehold.lease.ControlMessage.Failed;
import io.leasehold.lease.ControlMessage.Hello;
import io.leasehold.lease.ControlMessage.Reason;
import io.leasehold.lease.ControlMessage.Relinquish;
import io.leasehold.lease.WorkChain.Kind;
import io.leasehold.rdma.DeviceOptions;
import io.leasehold.rdma.Link;
import io.leasehold.rdma.RdmaDevice;
import io.leasehold.rdma.ResourceCounts;
import io.leasehold.testkit.Await;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.management.ManagementFactory;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// The client's side of the protocol against a node that does what each test says.
@Timeout(60)
class ClientTest {
    private static final RemoteAddress START = new RemoteAddress(0, 0);
    private static final Duration PATIENCE = Duration.ofSeconds(20);
    private static final Duration REQUEST_TIMEOUT = Duration.ofSeconds(2);

    private final DeviceOptions local = DeviceOptions.soft().withLinks(Link.LOCAL);
    private final ScriptedNode node = new ScriptedNode(local);
    private final RdmaDevice device = RdmaDevice.open(local);
    private Session session;

    @BeforeEach
    void connect() {
        session = Session.connect(device, node.address(), SessionOptions.defaults()
                .withTimeouts(Duration.ofSeconds(2), REQUEST_TIMEOUT));
    }

    @AfterEach
    void close() {
        session.close();
        await(() -> withoutThreads(device.resources()).equals(ResourceCounts.NONE));
        device.close();
        node.close();
    }

    private static ResourceCounts withoutThreads(ResourceCounts counts) {
        return new ResourceCounts(counts.protectionDomains(), counts.regions(), counts.windows(), counts.boundWindows(),
                counts.queuePairs(), counts.completionQueues(), 0);
    }

    private Lease lease() {
        return session.acquireWrite(START, 65536, Duration.ofSeconds(10));
    }

    private static void await(BooleanSupplier condition) {
        Await.until(PATIENCE, "the condition holds", condition);
    }

    /// An access that the node's device refuses, which breaks the active queue pair.
    private void provokeAccessError() {
        Lease stray = new Lease(session.core(), node.memory.address(), 8, Set.of(AccessRight.ATOMIC), 0xbad00);
        session.core().operations().atomic(Kind.FETCH_AND_ADD, stray, node.memory.address(), 1, 0);
    }

    @Test
    void readsWhatWasWritten() {
        Lease lease = lease();
        lease.write(100, new byte[] {1, 2, 3});
        MemorySegment into = MemorySegment.ofArray(new byte[3]);
        lease.read(100, into);
        assertThat(into.toArray(ValueLayout.JAVA_BYTE)).containsExactly(1, 2, 3);
        assertThat(lease.fetchAndAdd(8, 5)).isZero();
        assertThat(lease.compareAndSwap(8, 5, 9)).isEqualTo(5);
        assertThat(lease.compareAndSwap(8, 5, 10)).isEqualTo(9);
    }

    @Test
    void readsAndWritesMoreThanOneOperationHolds() {
        Lease lease = session.acquireWrite(START, ScriptedNode.MEMORY_BYTES, Duration.ofSeconds(10));
        byte[] bytes = new byte[(int) ScriptedNode.MEMORY_BYTES - 3];
        new Random(1).nextBytes(bytes);
        lease.write(3, bytes);
        byte[] back = new byte[bytes.length];
        lease.read(3, MemorySegment.ofArray(back));
        assertThat(back).isEqualTo(bytes);
    }

    @Test
    void batchIsCarriedOutInOrder() {
        Lease lease = lease();
        try (Batch batch = session.batch(); Arena arena = Arena.ofConfined()) {
            MemorySegment word = arena.allocateFrom(ValueLayout.JAVA_LONG, 41);
            batch.write(lease, 0, word);
            int added = batch.fetchAndAdd(lease, 0, 1);
            int read = batch.read(lease, 0, 8);
            batch.execute();
            assertThat(batch.previous(added)).isEqualTo(41);
            assertThat(batch.data(read).get(ValueLayout.JAVA_LONG, 0)).isEqualTo(42);
            assertThat(List.of(batch.outcome(0), batch.outcome(2))).containsOnly(Batch.Outcome.DONE);
        }
    }

    @Test
    void batchLongerThanTheSendQueueIsCarriedOutWhole() {
        Lease lease = lease();
        int count = 5_000;
        try (Batch batch = session.batch()) {
            for (int i = 0; i < count; i++) {
                batch.fetchAndAdd(lease, 0, 1);
            }
            batch.execute();
            for (int i = 0; i < count; i++) {
                assertThat(batch.previous(i)).isEqualTo(i);
            }
        }
    }

    @Test
    void asynchronousBatchesFollowEachOther() throws Exception {
        Lease lease = lease();
        Batch batch = session.batch();
        AtomicInteger left = new AtomicInteger(20_000);
        CompletableFuture<Void> all = new CompletableFuture<>();
        class Again implements Runnable {
            @Override
            public void run() {
                if (left.getAndDecrement() == 0) {
                    all.complete(null);
                    return;
                }
                batch.reset();
                batch.fetchAndAdd(lease, 0, 1);
                batch.executeAsync().thenRunAsync(this);
            }
        }
        new Again().run();
        all.get(20, TimeUnit.SECONDS);
        assertThat(lease.fetchAndAdd(0, 0)).isEqualTo(20_000);
        batch.close();
    }

    @Test
    void failedBatchSaysWhatWasDone() {
        Lease good = lease();
        Lease stray = new Lease(session.core(), node.memory.address(), 64, Set.of(AccessRight.values()), 0xbad00);
        try (Batch batch = session.batch()) {
            batch.fetchAndAdd(good, 0, 1);
            batch.fetchAndAdd(good, 0, 1);
            batch.fetchAndAdd(stray, 0, 1);
            batch.fetchAndAdd(good, 0, 1);
            assertThatThrownBy(batch::execute).isInstanceOf(AccessDeniedException.class).hasMessageContaining("REM_ACCESS_ERR");
            assertThat(List.of(batch.outcome(0), batch.outcome(1), batch.outcome(2), batch.outcome(3))).containsExactly(
                    Batch.Outcome.DONE, Batch.Outcome.DONE, Batch.Outcome.REFUSED, Batch.Outcome.NOT_EXECUTED);
            assertThat(batch.previous(1)).isEqualTo(1);
        }
        assertThat(good.fetchAndAdd(0, 0)).isEqualTo(2);
    }

    @Test
    void recoversFromManyAccessErrors() {
        Lease lease = lease();
        for (int i = 0; i < 50; i++) {
            assertThatThrownBy(this::provokeAccessError).isInstanceOf(AccessDeniedException.class);
            assertThat(lease.fetchAndAdd(0, 1)).isEqualTo(i);
        }
    }

    @Test
    void othersOperationsHappenOnceWhileOneIsRefused() throws Exception {
        Lease lease = lease();
        int callers = 16;
        AtomicBoolean stop = new AtomicBoolean();
        AtomicLong done = new AtomicLong();
        List<Thread> threads = new ArrayList<>();
        List<Throwable> failures = Collections.synchronizedList(new ArrayList<>());
        for (int i = 0; i < callers; i++) {
            int word = i % 4;
            threads.add((i % 2 == 0 ? Thread.ofVirtual() : Thread.ofPlatform()).start(() -> {
                try {
                    while (!stop.get()) {
                        lease.fetchAndAdd(word * 8L, 1);
                        done.incrementAndGet();
                    }
                } catch (RuntimeException e) {
                    failures.add(e);
                }
            }));
        }
        int refused = 0;
        for (; refused < 100; refused++) {
            assertThatThrownBy(this::provokeAccessError).isInstanceOf(AccessDeniedException.class);
        }
        stop.set(true);
        for (Thread thread : threads) {
            thread.join();
        }
        assertThat(failures).isEmpty();
        long sum = 0;
        for (int word = 0; word < 4; word++) {
            sum += lease.fetchAndAdd(word * 8L, 0);
        }
        assertThat(sum).isEqualTo(done.get()).isPositive();
    }

    @Test
    void leaseThatTheNodeForgotIsLostInRecovery() {
        Lease kept = lease();
        Lease forgotten = session.acquireRead(new RemoteAddress(0, 65536), 64, Duration.ofSeconds(10));
        CountDownLatch lost = new CountDownLatch(1);
        forgotten.onLost(lost::countDown);
        node.end(node.client(), 2);
        assertThatThrownBy(this::provokeAccessError).isInstanceOf(AccessDeniedException.class);
        kept.fetchAndAdd(0, 1);
        await(() -> lost.getCount() == 0);
        assertThat(forgotten.isLive()).isFalse();
        assertThatThrownBy(() -> forgotten.read(0, MemorySegment.ofArray(new byte[8])))
                .isInstanceOf(LeaseExpiredException.class);
    }

    @Test
    void manyLeasesGetTheirKeysInParts() {
        List<Lease> leases = new ArrayList<>();
        for (int i = 0; i < 1_000; i++) {
            leases.add(session.acquire(LeaseRequest.of(START.plus(i * 8L), 8, Set.of(AccessRight.ATOMIC),
                    LeaseMode.UNCHECKED, Duration.ofSeconds(30))));
        }
        assertThatThrownBy(this::provokeAccessError).isInstanceOf(AccessDeniedException.class);
        for (Lease lease : leases) {
            assertThat(lease.fetchAndAdd(0, 1)).isZero();
        }
    }

    @Test
    void twoThousandVirtualThreadsShareTheSession() throws Exception {
        Lease lease = lease();
        List<Thread> threads = new ArrayList<>();
        for (int i = 0; i < 2_000; i++) {
            threads.add(Thread.ofVirtual().start(() -> {
                for (int k = 0; k < 50; k++) {
                    lease.fetchAndAdd(0, 1);
                }
            }));
        }
        for (Thread thread : threads) {
            thread.join();
        }
        assertThat(lease.fetchAndAdd(0, 0)).isEqualTo(100_000);
    }

    @Test
    void dataPathAllocatesNothing() {
        Lease lease = lease();
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        byte[] heap = new byte[64];
        MemorySegment buffer = MemorySegment.ofArray(new byte[64]);
        int rounds = 100_000;
        long allocated = 0;
        for (int run = 0; run < 3; run++) {
            long before = threads.getCurrentThreadAllocatedBytes();
            for (int i = 0; i < rounds; i++) {
                lease.read(0, buffer);
                lease.write(64, heap);
                lease.write(64, buffer);
                lease.fetchAndAdd(128, 1);
                lease.compareAndSwap(136, 0, 0);
            }
            allocated = threads.getCurrentThreadAllocatedBytes() - before;
        }
        assertThat((double) allocated / (5L * rounds)).as("bytes per operation").isLessThan(0.01);
    }

    @Test
    void batchAllocatesNothing() {
        Lease lease = lease();
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        MemorySegment buffer = MemorySegment.ofArray(new byte[64]);
        int rounds = 20_000;
        long allocated = 0;
        try (Batch batch = session.batch()) {
            for (int run = 0; run < 3; run++) {
                long before = threads.getCurrentThreadAllocatedBytes();
                for (int i = 0; i < rounds; i++) {
                    for (int k = 0; k < 8; k++) {
                        batch.read(lease, 0, 64);
                        batch.write(lease, 64, buffer);
                        batch.fetchAndAdd(lease, 128, 1);
                    }
                    batch.execute();
                    batch.reset();
                }
                allocated = threads.getCurrentThreadAllocatedBytes() - before;
            }
        }
        assertThat((double) allocated / (24L * rounds)).as("bytes per operation").isLessThan(0.01);
    }

    @Test
    void goesOnWhenTheControlConnectionBreaks() {
        for (int i = 0; i < 20; i++) {
            node.breakControl();
            Lease lease = lease();
            lease.fetchAndAdd(0, 1);
            lease.close();
        }
        assertThat(node.client().leases).isEmpty();
        assertThat(node.requests.stream().filter(Hello.class::isInstance).count()).isGreaterThan(2);
    }

    @Test
    void requestsOnTheWayAreSentAgainWithTheirIds() throws Exception {
        AtomicInteger silent = new AtomicInteger(1);
        node.script = (_, request) -> request instanceof Acquire && silent.getAndDecrement() > 0 ? ScriptedNode.SILENCE : null;
        CompletableFuture<Lease> lease = session.acquireAsync(LeaseRequest.read(START, 8, Duration.ofSeconds(1)));
        await(() -> node.requests.stream().anyMatch(Acquire.class::isInstance));
        assertThat(lease).isNotDone();
        node.breakControl();
        lease.get(5, TimeUnit.SECONDS).close();
    }

    @Test
    void unansweredRequestEndsInTimeAndItsLateLeaseIsRelinquished() {
        node.script = (_, request) -> request instanceof Acquire ? ScriptedNode.SILENCE : null;
        long start = SystemClock.NANOS.getAsLong();
        assertThatThrownBy(() -> session.acquire(LeaseRequest.read(START, 8, Duration.ofSeconds(1)).withPatience(Duration.ZERO)))
                .isInstanceOf(NodeUnavailableException.class).hasMessageContaining(node.address().toString())
                .hasMessageContaining("acquire");
        assertThat(SystemClock.NANOS.getAsLong() - start).isBetween(REQUEST_TIMEOUT.toNanos(), 2 * REQUEST_TIMEOUT.toNanos());
        node.script = (_, _) -> null;
        node.breakControl(); // The request is sent again, and granted to nobody.
        await(() -> node.requests.stream().anyMatch(Relinquish.class::isInstance));
        await(node.client().leases::isEmpty);
    }

    @Test
    void patientRequestsLeaveRoomForOthers() {
        node.script = (_, request) -> request instanceof Acquire acquire && acquire.patienceNanos() > 0 ? ScriptedNode.SILENCE
                : null;
        List<CompletableFuture<Lease>> waiting = new ArrayList<>();
        for (int i = 0; i < 100; i++) {
            waiting.add(session.acquireAsync(LeaseRequest.read(START, 8, Duration.ofSeconds(1))));
        }
        Lease lease = session.acquire(LeaseRequest.write(START, 64, Duration.ofSeconds(1)).withPatience(Duration.ZERO));
        assertThatThrownBy(this::provokeAccessError).isInstanceOf(AccessDeniedException.class);
        lease.fetchAndAdd(0, 1);
        lease.close();
        for (CompletableFuture<Lease> future : waiting) {
            assertThatThrownBy(() -> future.get(10, TimeUnit.SECONDS)).isInstanceOf(ExecutionException.class)
                    .hasCauseInstanceOf(NodeUnavailableException.class);
        }
    }

    @Test
    void everyRefusalHasItsException() {
        record Expectation(Reason reason, Class<? extends RuntimeException> type) {
        }
        List<Expectation> expectations = List.of(new Expectation(Reason.CONFLICT, LeaseConflictException.class),
                new Expectation(Reason.OUT_OF_WINDOWS, CapacityException.class),
                new Expectation(Reason.OUT_OF_WORDS, CapacityException.class),
                new Expectation(Reason.OUT_OF_MEMORY, CapacityException.class),
                new Expectation(Reason.OUT_OF_BOUNDS, OutOfBoundsException.class),
                new Expectation(Reason.NOT_PERMITTED, AccessDeniedException.class),
                new Expectation(Reason.NO_SUCH_NAME, NoSuchNameException.class),
                new Expectation(Reason.UNAVAILABLE, NodeUnavailableException.class),
                new Expectation(Reason.BAD_REQUEST, IllegalArgumentException.class));
        for (Expectation expectation : expectations) {
            node.script = (_, request) -> request instanceof Acquire ? new Failed(expectation.reason, "because") : null;
            assertThatThrownBy(this::lease).isInstanceOf(expectation.type).hasMessageContaining("because")
                    .hasMessageContaining(node.address().toString());
        }
    }

    @Test
    void acquiringAllOrNothingRollsBack() {
        node.script = (_, request) -> request instanceof Acquire acquire && acquire.offset() == 128
                ? new Failed(Reason.CONFLICT, "taken") : null;
        List<LeaseRequest> requests = new ArrayList<>();
        for (int i = 0; i < 4; i++) {
            requests.add(LeaseRequest.read(START.plus(i * 64L), 64, Duration.ofSeconds(1)));
        }
        assertThatThrownBy(() -> session.acquireAll(requests)).isInstanceOf(LeaseConflictException.class);
        assertThat(node.client().leases).isEmpty();
        node.script = (_, _) -> null;
        assertThat(session.acquireAll(requests)).hasSize(4);
    }

    @Test
    void sessionThatTheNodeForgotIsOfNoMoreUse() {
        Lease lease = lease();
        CountDownLatch lost = new CountDownLatch(1);
        lease.onLost(lost::countDown);
        node.script = (_, request) -> request instanceof Beat ? new Failed(Reason.SESSION_ENDED, "no sign of life") : null;
        await(() -> lost.getCount() == 0);
        assertThatThrownBy(this::lease).isInstanceOf(LeaseExpiredException.class).hasMessageContaining("session");
        assertThatThrownBy(() -> lease.fetchAndAdd(0, 1)).isInstanceOf(LeaseExpiredException.class);
    }

    @Test
    void vanishedNodeFailsAllCallersInTime() throws Exception {
        Lease lease = lease();
        CountDownLatch lost = new CountDownLatch(1);
        lease.onLost(lost::countDown);
        List<Thread> threads = new ArrayList<>();
        List<Throwable> failures = Collections.synchronizedList(new ArrayList<>());
        for (int i = 0; i < 20; i++) {
            threads.add(Thread.ofVirtual().start(() -> {
                try {
                    while (true) {
                        lease.fetchAndAdd(0, 1);
                    }
                } catch (RuntimeException e) {
                    failures.add(e);
                }
            }));
        }
        node.device.close();
        long start = SystemClock.NANOS.getAsLong();
        for (Thread thread : threads) {
            thread.join();
        }
        assertThat(SystemClock.NANOS.getAsLong() - start).isLessThan(REQUEST_TIMEOUT.toNanos());
        assertThat(failures).hasSize(20)
                .allMatch(e -> e instanceof NodeUnavailableException || e instanceof OutcomeUnknownException);
        await(() -> lost.getCount() == 0);
        start = SystemClock.NANOS.getAsLong();
        assertThatThrownBy(this::lease).isInstanceOf(NodeUnavailableException.class);
        assertThatThrownBy(() -> lease.fetchAndAdd(0, 1)).isInstanceOf(NodeUnavailableException.class);
        assertThat(SystemClock.NANOS.getAsLong() - start).as("fails fast").isLessThan(100_000_000);
    }

    @Test
    void activationThatFailsIsTriedOnAnotherPair() {
        Lease lease = lease();
        AtomicInteger failing = new AtomicInteger(2);
        node.script = (_, request) -> request instanceof Activate && failing.getAndDecrement() > 0
                ? new Failed(Reason.UNAVAILABLE, "could not bind") : null;
        assertThatThrownBy(this::provokeAccessError).isInstanceOf(AccessDeniedException.class);
        assertThat(lease.fetchAndAdd(0, 1)).isZero();
    }

    @Test
    void extensionMovesTheDeadline() {
        Lease lease = session.acquireWrite(START, 64, Duration.ofMillis(500));
        lease.extend(Duration.ofSeconds(5));
        assertThat(lease.remaining()).isGreaterThan(Duration.ofSeconds(5));
        assertThat(LeaseWord.unitsOf(node.words.get(ValueLayout.JAVA_LONG, 0))).isEqualTo(5_500_000);
        assertThatThrownBy(() -> lease.extend(Duration.ofHours(1))).isInstanceOf(LeaseExpiredException.class)
                .hasMessageContaining("maxLife");
        assertThat(lease.isLive()).isTrue();
    }

    @Test
    void extensionOfAnEndedLeaseFailsAndTellsTheHolder() {
        Lease lease = session.acquireWrite(START, 64, Duration.ofSeconds(5));
        AtomicInteger lost = new AtomicInteger();
        lease.onLost(lost::incrementAndGet);
        node.words.set(ValueLayout.JAVA_LONG, 0, LeaseWord.word(2, 0));
        assertThatThrownBy(() -> lease.extend(Duration.ofSeconds(1))).isInstanceOf(LeaseExpiredException.class);
        await(() -> lost.get() == 1);
        assertThat(lease.isLive()).isFalse();
    }

    @Test
    void concurrentExtensionsAllCount() throws Exception {
        Lease lease = session.acquire(LeaseRequest.write(START, 64, Duration.ofSeconds(1)).withMaxLife(Duration.ofSeconds(60)));
        List<Thread> threads = new ArrayList<>();
        for (int i = 0; i < 8; i++) {
            threads.add(Thread.ofPlatform().start(() -> {
                for (int k = 0; k < 100; k++) {
                    lease.extend(Duration.ofMillis(1));
                }
            }));
        }
        for (Thread thread : threads) {
            thread.join();
        }
        assertThat(LeaseWord.unitsOf(node.words.get(ValueLayout.JAVA_LONG, 0))).isEqualTo(1_800_000);
    }

    @Test
    void autoExtendedLeaseOutlivesItsTerm() {
        Lease lease = session.acquire(LeaseRequest.write(START, 64, Duration.ofMillis(600))
                .withMaxLife(Duration.ofMillis(2_000)).autoExtended());
        AtomicBoolean lost = new AtomicBoolean();
        lease.onLost(() -> lost.set(true));
        long start = SystemClock.NANOS.getAsLong();
        await(() -> {
            if (!lost.get()) {
                try {
                    lease.fetchAndAdd(0, 1);
                } catch (LeaseExpiredException _) {
                    assertThat(SystemClock.NANOS.getAsLong() - start).isGreaterThan(1_900_000_000);
                }
            }
            return lost.get();
        });
        assertThat(SystemClock.NANOS.getAsLong() - start).isBetween(1_900_000_000L, 4_000_000_000L);
    }

    @Test
    void lostActionRunsAtTheDeadline() {
        Lease lease = session.acquireWrite(START, 64, Duration.ofMillis(30));
        AtomicInteger lost = new AtomicInteger();
        lease.onLost(lost::incrementAndGet);
        await(() -> lost.get() > 0);
        assertThat(lease.isLive()).isFalse();
        assertThatThrownBy(() -> lease.fetchAndAdd(0, 1)).isInstanceOf(LeaseExpiredException.class);
        lease.onLost(lost::incrementAndGet);
        await(() -> lost.get() == 2);
    }

    @Test
    void closedLeaseAndSessionRefuse() {
        Lease closed = lease();
        closed.close();
        closed.close();
        assertThatThrownBy(() -> closed.fetchAndAdd(0, 1)).isInstanceOf(LeaseExpiredException.class)
                .hasMessageContaining("closed");
        Lease lease = lease();
        Batch batch = session.batch();
        session.close();
        session.close();
        assertThatThrownBy(() -> lease.fetchAndAdd(0, 1)).isInstanceOf(LeaseExpiredException.class);
        assertThatThrownBy(this::lease).isInstanceOf(IllegalStateException.class).hasMessageContaining("closed");
        assertThatThrownBy(session::batch).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(() -> batch.read(lease, 0, 8)).isInstanceOf(RuntimeException.class);
        lease.close();
        batch.close();
    }

    @Test
    void closingWhileOthersWorkEndsTheirWork() throws Exception {
        for (int round = 0; round < 20; round++) {
            Lease lease = lease();
            List<Thread> threads = new ArrayList<>();
            List<Throwable> failures = Collections.synchronizedList(new ArrayList<>());
            CountDownLatch running = new CountDownLatch(8);
            for (int i = 0; i < 8; i++) {
                threads.add(Thread.ofPlatform().start(() -> {
                    MemorySegment buffer = MemorySegment.ofArray(new byte[4096]);
                    try {
                        while (true) {
                            lease.read(0, buffer);
                            lease.write(0, buffer);
                            running.countDown();
                        }
                    } catch (RuntimeException e) {
                        failures.add(e);
                    }
                }));
            }
            running.await();
            session.close();
            for (Thread thread : threads) {
                thread.join();
            }
            assertThat(failures).hasSize(8)
                    .allMatch(e -> e instanceof LeaseExpiredException || e instanceof IllegalStateException);
            connect();
        }
    }

    @Test
    void outOfRangeAndUnalignedAreRefusedHere() {
        Lease lease = lease();
        assertThatThrownBy(() -> lease.fetchAndAdd(65536, 1)).isInstanceOf(OutOfBoundsException.class);
        assertThatThrownBy(() -> lease.fetchAndAdd(-8, 1)).isInstanceOf(OutOfBoundsException.class);
        assertThatThrownBy(() -> lease.read(65530, MemorySegment.ofArray(new byte[8]))).isInstanceOf(OutOfBoundsException.class);
        assertThatThrownBy(() -> lease.fetchAndAdd(4, 1)).isInstanceOf(IllegalArgumentException.class);
        Lease reading = session.acquireRead(START, 64, Duration.ofSeconds(1));
        assertThatThrownBy(() -> reading.write(0, new byte[1])).isInstanceOf(AccessDeniedException.class);
        assertThatThrownBy(() -> reading.fetchAndAdd(0, 1)).isInstanceOf(AccessDeniedException.class);
    }

    @Test
    void interruptedCallersFinishAndStayInterrupted() throws Exception {
        Lease lease = lease();
        AtomicBoolean kept = new AtomicBoolean();
        Thread thread = Thread.ofPlatform().start(() -> {
            Thread.currentThread().interrupt();
            lease.fetchAndAdd(0, 1);
            session.acquireRead(START.plus(4096), 64, Duration.ofSeconds(1)).close();
            kept.set(Thread.currentThread().isInterrupted());
        });
        thread.join();
        assertThat(kept).isTrue();
    }

    @Test
    void relinquishedLaterGoInOneMessage() {
        List<Lease> leases = new ArrayList<>();
        for (int i = 0; i < 10; i++) {
            leases.add(session.acquireRead(START, 64, Duration.ofSeconds(10)));
        }
        leases.forEach(Lease::relinquishLater);
        await(node.client().leases::isEmpty);
        assertThat(node.requests.stream().filter(Relinquish.class::isInstance).count()).isLessThan(5);
    }

    @Test
    void clockUncertaintyIsSmallAndHeld() {
        assertThat(session.clockUncertainty()).isLessThan(Duration.ofMillis(5));
    }
}
