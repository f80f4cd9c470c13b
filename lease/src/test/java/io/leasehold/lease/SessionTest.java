package io.leasehold.lease;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.leasehold.lease.WorkChain.Kind;
import io.leasehold.rdma.DeviceOptions;
import io.leasehold.rdma.Link;
import io.leasehold.rdma.RdmaDevice;
import io.leasehold.testkit.Await;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;

/// Sessions and leases at a real memory node, over each link.
@Timeout(120)
@ParameterizedClass
@EnumSource(Link.class)
class SessionTest {
    private static final Duration PATIENCE = Duration.ofSeconds(20);
    private static final Duration REQUEST_TIMEOUT = Duration.ofSeconds(4);

    private final DeviceOptions options;
    private RdmaDevice nodeDevice;
    private MemoryNode node;
    private RdmaDevice device;
    private Session session;

    SessionTest(Link link) {
        options = DeviceOptions.soft().withLinks(link);
    }

    @BeforeEach
    void start() {
        nodeDevice = RdmaDevice.open(options);
        node = MemoryNode.start(nodeDevice, NodeOptions.ofMemory(16 << 20).withLimits(16, 4096, 2048).allowingUnprotected()
                .withTerms(Duration.ofSeconds(60), Duration.ofSeconds(4)));
        device = RdmaDevice.open(options);
        session = connect();
    }

    private Session connect() {
        return Session.connect(device, node.address(),
                SessionOptions.defaults().withTimeouts(Duration.ofSeconds(5), REQUEST_TIMEOUT));
    }

    @AfterEach
    void stop() {
        session.close();
        device.close();
        node.close();
        nodeDevice.close();
    }

    private static void await(BooleanSupplier condition) {
        Await.until(PATIENCE, "the condition holds", condition);
    }

    /// An access just outside a lease, past all checks of the client.
    private void provokeAccessError(Session which, Lease lease) {
        long outside = which.core().remote(lease.address().offset() + lease.lengthBytes());
        which.core().operations().atomic(Kind.FETCH_AND_ADD, lease, outside, 1, 0);
    }

    @Test
    void readsWritesAndAtomicsUnderALease() {
        RemoteAddress at = session.allocate(4096);
        try (Lease lease = session.acquireWrite(at, 4096, Duration.ofSeconds(5))) {
            lease.write(10, new byte[] {5, 6, 7});
            byte[] back = new byte[3];
            lease.read(10, MemorySegment.ofArray(back));
            assertThat(back).containsExactly(5, 6, 7);
            assertThat(lease.fetchAndAdd(64, 3)).isZero();
            assertThat(lease.compareAndSwap(64, 3, 11)).isEqualTo(3);
            assertThat(lease.fetchAndAdd(64, 0)).isEqualTo(11);
        }
        session.free(at);
    }

    @Test
    void exclusiveLeaseExcludesUntilItIsClosed() {
        RemoteAddress at = session.allocate(4096);
        Lease lease = session.acquireWrite(at, 64, Duration.ofSeconds(20));
        LeaseRequest other = LeaseRequest.write(at.plus(63), 64, Duration.ofSeconds(1));
        assertThatThrownBy(() -> session.acquire(other.withPatience(Duration.ZERO))).isInstanceOf(LeaseConflictException.class);
        var waiting = session.acquireAsync(other.withPatience(Duration.ofSeconds(3)));
        assertThat(waiting).isNotDone();
        lease.close();
        waiting.join().close();
    }

    @Test
    void extensionKeepsTheLeaseAtTheNode() {
        RemoteAddress at = session.allocate(64);
        Lease lease = session.acquireWrite(at, 64, Duration.ofSeconds(2));
        for (int i = 0; i < 10; i++) {
            lease.extend(Duration.ofMillis(400));
            long until = SystemClock.NANOS.getAsLong() + 300_000_000;
            while (SystemClock.NANOS.getAsLong() < until) {
                lease.fetchAndAdd(0, 1);
            }
        }
        lease.close();
    }

    @Test
    void leaseEndsAtItsDeadlineByBothClocks() {
        RemoteAddress at = session.allocate(64);
        Lease lease = session.acquireWrite(at, 64, Duration.ofMillis(50));
        await(() -> !lease.isLive());
        assertThatThrownBy(() -> lease.fetchAndAdd(0, 1)).isInstanceOf(LeaseExpiredException.class);
        session.acquireWrite(at, 64, Duration.ofMillis(50)).close();
    }

    @Test
    void outsideTheLeaseTheNodeRefusesAndTheSessionGoesOn() {
        RemoteAddress at = session.allocate(4096);
        Lease lease = session.acquireWrite(at, 64, Duration.ofSeconds(30));
        for (int i = 0; i < 30; i++) {
            assertThatThrownBy(() -> provokeAccessError(session, lease)).isInstanceOf(AccessDeniedException.class)
                    .hasMessageContaining(node.address().toString());
            assertThat(lease.fetchAndAdd(0, 1)).isEqualTo(i);
        }
        lease.extend(Duration.ofSeconds(1));
    }

    /// P8: after any access error, every other caller's operation on that session happens exactly once.
    @Test
    void othersOperationsHappenOnceWhileOneIsRefused() throws Exception {
        RemoteAddress at = session.allocate(4096);
        Lease lease = session.acquire(LeaseRequest.of(at, 64, Set.of(AccessRight.values()), LeaseMode.UNCHECKED,
                Duration.ofSeconds(50)));
        AtomicBoolean stop = new AtomicBoolean();
        AtomicLong done = new AtomicLong();
        List<Throwable> failures = Collections.synchronizedList(new ArrayList<>());
        List<Thread> threads = new ArrayList<>();
        for (int i = 0; i < 24; i++) {
            int word = i % 8;
            boolean batched = i % 3 == 0;
            threads.add((i % 2 == 0 ? Thread.ofVirtual() : Thread.ofPlatform()).start(() -> {
                try (Batch batch = session.batch()) {
                    while (!stop.get()) {
                        if (batched) {
                            for (int k = 0; k < 5; k++) {
                                batch.fetchAndAdd(lease, word * 8L, 1);
                            }
                            batch.execute();
                            batch.reset();
                            done.addAndGet(5);
                        } else {
                            lease.fetchAndAdd(word * 8L, 1);
                            done.incrementAndGet();
                        }
                    }
                } catch (RuntimeException e) {
                    failures.add(e);
                }
            }));
        }
        for (int i = 0; i < 60; i++) {
            assertThatThrownBy(() -> provokeAccessError(session, lease)).isInstanceOf(AccessDeniedException.class);
        }
        stop.set(true);
        for (Thread thread : threads) {
            thread.join();
        }
        assertThat(failures).isEmpty();
        long sum = 0;
        for (int word = 0; word < 8; word++) {
            sum += lease.fetchAndAdd(word * 8L, 0);
        }
        assertThat(sum).isEqualTo(done.get()).isPositive();
    }

    @Test
    void leasesAreGrantedWhileTheSessionRecovers() throws Exception {
        RemoteAddress at = session.allocate(4096);
        Lease lease = session.acquireWrite(at, 64, Duration.ofSeconds(50));
        AtomicBoolean stop = new AtomicBoolean();
        AtomicLong granted = new AtomicLong();
        List<Throwable> failures = Collections.synchronizedList(new ArrayList<>());
        List<Thread> threads = new ArrayList<>();
        for (int i = 1; i < 5; i++) {
            RemoteAddress own = at.plus(i * 64L);
            threads.add(Thread.ofVirtual().start(() -> {
                try {
                    while (!stop.get()) {
                        try (Lease mine = session.acquireWrite(own, 64, Duration.ofSeconds(20))) {
                            mine.fetchAndAdd(0, 1);
                            mine.extend(Duration.ofSeconds(1));
                            granted.incrementAndGet();
                        }
                    }
                } catch (RuntimeException e) {
                    failures.add(e);
                }
            }));
        }
        for (int i = 0; i < 60; i++) {
            assertThatThrownBy(() -> provokeAccessError(session, lease)).isInstanceOf(AccessDeniedException.class);
        }
        stop.set(true);
        for (Thread thread : threads) {
            thread.join();
        }
        assertThat(failures).isEmpty();
        assertThat(granted).hasPositiveValue();
        lease.close();
        assertThat(node.counts().leases()).isZero();
    }

    @Test
    void twoThousandVirtualThreadsShareTheSession() throws Exception {
        RemoteAddress at = session.allocate(4096);
        Lease lease = session.acquireWrite(at, 64, Duration.ofSeconds(60));
        List<Thread> threads = new ArrayList<>();
        List<Throwable> failures = Collections.synchronizedList(new ArrayList<>());
        for (int i = 0; i < 2_000; i++) {
            threads.add(Thread.ofVirtual().start(() -> {
                try {
                    for (int k = 0; k < 20; k++) {
                        lease.fetchAndAdd(0, 1);
                    }
                } catch (RuntimeException e) {
                    failures.add(e);
                }
            }));
        }
        for (Thread thread : threads) {
            thread.join();
        }
        assertThat(failures).isEmpty();
        assertThat(lease.fetchAndAdd(0, 0)).isEqualTo(40_000);
    }

    @Test
    void runningOutOfLeasesIsRefusedAndPasses() {
        RemoteAddress at = session.allocate(4096);
        List<Lease> leases = new ArrayList<>();
        LeaseRequest request = LeaseRequest.of(at, 64, Set.of(AccessRight.READ), LeaseMode.UNCHECKED, Duration.ofSeconds(50))
                .withPatience(Duration.ZERO);
        assertThatThrownBy(() -> {
            while (true) {
                leases.add(session.acquire(request));
            }
        }).isInstanceOf(CapacityException.class);
        assertThat(leases).hasSize(2048);
        // More leases than keys fit one message.
        assertThatThrownBy(() -> provokeAccessError(session, leases.getFirst())).isInstanceOf(AccessDeniedException.class);
        byte[] buffer = new byte[8];
        leases.forEach(lease -> lease.read(0, MemorySegment.ofArray(buffer)));
        leases.forEach(Lease::relinquishLater);
        await(() -> node.counts().leases() == 0);
        session.acquire(request).close();
    }

    @Test
    void unprotectedLeaseReachesAllMemoryAndSurvivesRecovery() {
        RemoteAddress at = session.allocate(4096);
        Lease all = session.unprotected();
        assertThat(all.fetchAndAdd(at.offset(), 1)).isZero();
        Lease lease = session.acquireWrite(at, 64, Duration.ofSeconds(30));
        assertThatThrownBy(() -> provokeAccessError(session, lease)).isInstanceOf(AccessDeniedException.class);
        assertThat(all.fetchAndAdd(at.offset(), 1)).isEqualTo(1);
        assertThat(lease.fetchAndAdd(0, 1)).isEqualTo(2);
    }

    @Test
    void sessionOutlivesItsTermByBeating() {
        RemoteAddress at = session.allocate(4096);
        Lease lease = session.acquireWrite(at, 64, Duration.ofSeconds(30));
        long until = SystemClock.NANOS.getAsLong() + Duration.ofSeconds(6).toNanos();
        while (SystemClock.NANOS.getAsLong() < until) {
            lease.fetchAndAdd(0, 1);
            Await.holdsWithin(Duration.ofMillis(20), () -> false);
        }
        lease.close();
        assertThat(session.clockUncertainty()).isLessThan(Duration.ofMillis(20));
    }

    @Test
    void heapHandsOutExtentsAndChunks() {
        RemoteHeap heap = session.openHeap("h", 4096);
        assertThat(heap.created()).isTrue();
        Extent extent = heap.allocate(HeapKind.INDEX, 128, 4096);
        try (Lease write = session.acquireWrite(extent.address(), extent.lengthBytes(), Duration.ofSeconds(5))) {
            write.write(0, new byte[] {1, 2, 3, 4, 5, 6, 7, 8});
        }
        try (Lease chunk = heap.leaseChunk(extent.address(), Set.of(AccessRight.READ, AccessRight.ATOMIC), Duration.ofSeconds(1),
                Duration.ofSeconds(30))) {
            assertThat(chunk.covers(extent.address(), extent.lengthBytes())).isTrue();
            long offset = extent.address().offset() - chunk.address().offset();
            byte[] back = new byte[8];
            chunk.read(offset, MemorySegment.ofArray(back));
            assertThat(back).containsExactly(1, 2, 3, 4, 5, 6, 7, 8);
            assertThat(chunk.compareAndSwap(offset, MemorySegment.ofArray(back).get(ValueLayout.JAVA_LONG_UNALIGNED, 0), 7))
                    .isNotEqualTo(7);
            assertThatThrownBy(() -> chunk.write(offset, back)).isInstanceOf(AccessDeniedException.class);
        }
        heap.retire(List.of(extent));
        session.destroyHeap("h");
    }

    @Test
    void namedMemoryOutlivesTheSession() {
        NamedMemory memory = session.openOrCreate("shared", 4096);
        try (Lease lease = session.acquireWrite(memory.address(), 64, Duration.ofSeconds(5))) {
            lease.fetchAndAdd(0, 77);
        }
        try (Session other = connect()) {
            NamedMemory again = other.open("shared");
            assertThat(again.address()).isEqualTo(memory.address());
            try (Lease lease = other.acquireRead(again.address(), 64, Duration.ofSeconds(5))) {
                MemorySegment into = MemorySegment.ofArray(new long[1]);
                lease.read(0, into);
                assertThat(into.get(ValueLayout.JAVA_LONG, 0)).isEqualTo(77);
            }
            other.freeNamed("shared");
        }
        assertThatThrownBy(() -> session.open("shared")).isInstanceOf(NoSuchNameException.class);
    }

    @Test
    void everythingIsBackWhenSessionsEnd() {
        for (int i = 0; i < 5; i++) {
            try (Session other = connect()) {
                RemoteAddress at = other.allocate(4096);
                Lease lease = other.acquireWrite(at, 64, Duration.ofSeconds(30));
                assertThatThrownBy(() -> provokeAccessError(other, lease)).isInstanceOf(AccessDeniedException.class);
            }
        }
        await(() -> node.counts().sessions() == 1 && node.counts().leases() == 0);
        session.close();
        await(() -> node.counts().sessions() == 0);
        NodeCounts counts = node.counts();
        assertThat(List.of(counts.keysInUse(), counts.wordsInUse(), counts.lockedRanges())).containsOnly(0);
        await(() -> device.resources().queuePairs() == 0 && device.resources().regions() == 0
                && device.resources().protectionDomains() == 0);
    }

    @Test
    void closedNodeFailsCallersInTime() throws Exception {
        vanish(() -> node.close());
    }

    @Test
    void vanishedNodeFailsCallersInTime() throws Exception {
        vanish(() -> nodeDevice.close());
    }

    private void vanish(Runnable how) throws Exception {
        RemoteAddress at = session.allocate(4096);
        Lease lease = session.acquireWrite(at, 64, Duration.ofSeconds(50));
        CountDownLatch lost = new CountDownLatch(1);
        lease.onLost(lost::countDown);
        List<Thread> threads = new ArrayList<>();
        List<Throwable> failures = Collections.synchronizedList(new ArrayList<>());
        CountDownLatch running = new CountDownLatch(20);
        for (int i = 0; i < 20; i++) {
            threads.add(Thread.ofVirtual().start(() -> {
                try {
                    while (true) {
                        lease.fetchAndAdd(0, 1);
                        running.countDown();
                    }
                } catch (RuntimeException e) {
                    failures.add(e);
                }
            }));
        }
        running.await();
        long start = SystemClock.NANOS.getAsLong();
        how.run();
        for (Thread thread : threads) {
            thread.join();
        }
        assertThat(SystemClock.NANOS.getAsLong() - start).isLessThan(REQUEST_TIMEOUT.toNanos());
        assertThat(failures).hasSize(20).allMatch(LeaseException.class::isInstance);
        await(() -> lost.getCount() == 0);
        start = SystemClock.NANOS.getAsLong();
        assertThatThrownBy(() -> session.allocate(64)).isInstanceOfAny(NodeUnavailableException.class,
                LeaseExpiredException.class);
        assertThat(SystemClock.NANOS.getAsLong() - start).as("fails fast").isLessThan(200_000_000);
    }
}
