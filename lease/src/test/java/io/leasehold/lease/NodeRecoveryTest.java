package io.leasehold.lease;

import static io.leasehold.lease.NodeFixture.ALL;
import static io.leasehold.lease.NodeFixture.MILLI;
import static io.leasehold.lease.NodeFixture.READ;
import static io.leasehold.lease.NodeFixture.acquire;
import static io.leasehold.lease.NodeFixture.allocate;
import static io.leasehold.lease.NodeFixture.assertFailed;
import static io.leasehold.lease.NodeFixture.exclusive;
import static io.leasehold.lease.NodeFixture.extent;
import static io.leasehold.lease.NodeFixture.granted;
import static io.leasehold.lease.NodeFixture.wholeChunk;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.leasehold.lease.ControlMessage.Acquire;
import io.leasehold.lease.ControlMessage.Activate;
import io.leasehold.lease.ControlMessage.Allocate;
import io.leasehold.lease.ControlMessage.Beat;
import io.leasehold.lease.ControlMessage.BeatReply;
import io.leasehold.lease.ControlMessage.DestroyHeap;
import io.leasehold.lease.ControlMessage.Done;
import io.leasehold.lease.ControlMessage.Free;
import io.leasehold.lease.ControlMessage.FreeNamed;
import io.leasehold.lease.ControlMessage.Granted;
import io.leasehold.lease.ControlMessage.Heap;
import io.leasehold.lease.ControlMessage.Keys;
import io.leasehold.lease.ControlMessage.LeaseKey;
import io.leasehold.lease.ControlMessage.MoreKeys;
import io.leasehold.lease.ControlMessage.Named;
import io.leasehold.lease.ControlMessage.OpenHeap;
import io.leasehold.lease.ControlMessage.OpenNamed;
import io.leasehold.lease.ControlMessage.Range;
import io.leasehold.lease.ControlMessage.Reason;
import io.leasehold.lease.ControlMessage.Relinquish;
import io.leasehold.lease.ControlMessage.Reply;
import io.leasehold.lease.ControlMessage.Retire;
import io.leasehold.lease.ControlMessage.Unprotect;
import io.leasehold.lease.ControlMessage.Unprotected;
import io.leasehold.rdma.Link;
import io.leasehold.rdma.RdmaException;
import io.leasehold.rdma.WorkCompletionStatus;
import io.leasehold.testkit.Await;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;

/// The node, when queue pairs break, sessions die, memory is taken away, and clients are hostile.
@Timeout(60)
@ParameterizedClass
@EnumSource(Link.class)
final class NodeRecoveryTest {
    private static final WorkCompletionStatus SUCCESS = WorkCompletionStatus.SUCCESS;
    private static final WorkCompletionStatus REFUSED = WorkCompletionStatus.REM_ACCESS_ERR;

    private final NodeFixture fixture;

    NodeRecoveryTest(Link link) {
        fixture = new NodeFixture(link);
    }

    @AfterEach
    void nothingIsLeft() {
        fixture.close();
    }

    // ---- data queue pairs

    @Test
    void allLeasesMoveToTheSpareQueuePairWithNewKeys() {
        RawClient client = fixture.client();
        client.connectData(1);
        long a = allocate(client, 4096);
        Map<Long, Granted> leases = new HashMap<>();
        for (int i = 0; i < 700; i++) {
            Granted lease = granted(client, acquire(a + i, 1, READ, LeaseMode.SHARED, 500 * MILLI, 0));
            leases.put(lease.lease(), lease);
        }
        assertThat(client.read(a, 4096, 0)).as("this breaks it").isEqualTo(REFUSED);
        Keys keys = client.activate(1, 2);
        assertThat(keys.total()).isEqualTo(700);
        List<LeaseKey> all = new ArrayList<>(keys.keys());
        while (all.size() < 700) {
            all.addAll(((Keys) client.call(new MoreKeys(2, all.size()))).keys());
        }
        for (LeaseKey key : all) {
            Granted lease = leases.remove(key.lease());
            assertThat(key.key()).isNotEqualTo(lease.key());
            assertThat(client.read(lease.offset(), 1, key.key())).isEqualTo(SUCCESS);
        }
        assertThat(leases).isEmpty();
        assertThat(fixture.counts().keysInUse()).isEqualTo(701);
        assertFailed(client.call(new MoreKeys(1, 0)), Reason.BAD_REQUEST);
        assertFailed(client.call(new MoreKeys(2, 701)), Reason.BAD_REQUEST);
        assertFailed(client.call(new MoreKeys(2, -1)), Reason.BAD_REQUEST);
    }

    @Test
    void anExtensionWorksAfterRecovery() {
        RawClient client = fixture.client();
        client.connectData(1);
        long a = allocate(client, 64);
        Granted lease = granted(client, exclusive(a, 64));
        assertThat(client.write(a, 64, 1)).isEqualTo(REFUSED);
        Keys keys = client.activate(1, 2);
        assertThat(client.extend(lease, 10)).isTrue();
        fixture.pass(10 * MILLI + 1024);
        assertThat(client.write(a, 64, keys.keys().getFirst().key())).isEqualTo(SUCCESS);
    }

    @Test
    void aLeaseEndsInTimeThoughItsQueuePairIsBroken() {
        RawClient one = fixture.client();
        RawClient two = fixture.client();
        long a = ((Named) one.call(new OpenNamed("n", 64, true))).offset();
        granted(one, exclusive(a, 64));
        one.read(a, 64, 0);
        fixture.pass(11 * MILLI);
        assertThat(fixture.counts().leases()).isZero();
        assertThat(two.call(exclusive(a, 64))).isInstanceOf(Granted.class);
    }

    @Test
    void aRequestWaitsForTheActivationAndHoldsNobodyUp() {
        RawClient one = fixture.client();
        RawClient two = fixture.client();
        one.connectData(1);
        long a = ((Named) one.call(new OpenNamed("n", 64, true))).offset();
        one.read(a, 64, 0);
        long waits = one.send(acquire(a, 64, ALL, LeaseMode.EXCLUSIVE, 10 * MILLI, 100 * MILLI));
        // The node may learn of the broken queue pair after it has taken the request; the request's own time stands still.
        List<Granted> others = new ArrayList<>();
        Await.until(Duration.ofSeconds(10), "the other is granted the range", () -> {
            if (two.call(exclusive(a, 64)) instanceof Granted granted) {
                others.add(granted);
            }
            return !others.isEmpty();
        });
        Granted other = others.getFirst();
        one.activate(1, 2);
        assertThat(one.poll(waits, Duration.ofMillis(20))).isNull();
        two.call(new Relinquish(List.of(other.lease())));
        Granted lease = (Granted) one.await(waits);
        assertThat(lease.generation()).isEqualTo(2);
        assertThat(one.write(a, 64, lease.key())).isEqualTo(SUCCESS);
    }

    @Test
    void anActivationNeedsAConnectedQueuePairAndALaterGeneration() {
        RawClient client = fixture.client();
        assertFailed(client.call(new Activate(1, 2)), Reason.UNAVAILABLE);
        assertFailed(client.call(new Activate(-1, 2)), Reason.UNAVAILABLE);
        assertFailed(client.call(new Activate(0, 1)), Reason.BAD_REQUEST);
        assertFailed(client.call(new Activate(0, Integer.MIN_VALUE)), Reason.BAD_REQUEST);
        assertFailed(client.call(new Activate(0, 2)), Reason.BAD_REQUEST);
        client.read(0, 64, 0);
        client.connectData(0);
        client.activate(0, 7);
        long a = allocate(client, 64);
        assertThat(client.read(a, 64, granted(client, exclusive(a, 64)).key())).isEqualTo(SUCCESS);
        assertThatThrownBy(() -> client.connectData(16)).isInstanceOf(RdmaException.class).hasMessageContaining("one too many");
        assertThatThrownBy(() -> client.connectData(3, new byte[24])).isInstanceOf(RdmaException.class);
        assertThatThrownBy(() -> client.connectData(3, new byte[0])).isInstanceOf(RdmaException.class);
    }

    // ---- the end of sessions

    @Test
    void aSilentSessionEndsWithAllThatItHolds() {
        RawClient dead = fixture.client();
        RawClient living = fixture.client();
        long own = allocate(dead, 1 << 20);
        long shared = ((Named) dead.call(new OpenNamed("n", 64, true))).offset();
        granted(dead, new Acquire(shared, 64, ALL, LeaseMode.EXCLUSIVE, MILLI, 60_000, 60_000 * MILLI, 0, false));
        granted(dead, exclusive(own, 64));
        dead.close();
        fixture.pass(NodeFixture.SESSION_TERM.toNanos() / 2);
        BeatReply beat = (BeatReply) living.call(new Beat(42));
        assertThat(beat.clientNanos()).isEqualTo(42);
        fixture.pass(NodeFixture.SESSION_TERM.toNanos() / 2 + 2000);
        NodeCounts counts = fixture.counts();
        assertThat(counts.sessions()).isEqualTo(1);
        assertThat(counts.sessionBytes()).isZero();
        assertThat(counts.namedBytes()).as("named memory stays").isEqualTo(64);
        assertThat(granted(living, exclusive(shared, 64))).isNotNull();
    }

    @Test
    void clientsThatWaitAreToldWhenTheNodeCloses() {
        RawClient one = fixture.client();
        RawClient two = fixture.client();
        long a = ((Named) one.call(new OpenNamed("n", 64, true))).offset();
        granted(one, exclusive(a, 64));
        long waits = two.send(acquire(a, 64, ALL, LeaseMode.EXCLUSIVE, MILLI, 100 * MILLI));
        two.settle();
        fixture.closeNode();
        assertFailed(two.await(waits), Reason.UNAVAILABLE);
        assertThat(two.failsSoon()).isTrue();
        assertThatThrownBy(fixture::counts).isInstanceOf(IllegalStateException.class).hasMessageContaining("closed");
    }

    // ---- memory

    @Test
    void freedMemoryTakesItsLeasesAlong() {
        RawClient one = fixture.client();
        RawClient two = fixture.client();
        long own = allocate(one, 64);
        long named = ((Named) one.call(new OpenNamed("n", 64, true))).offset();
        Heap heap = (Heap) one.call(new OpenHeap("h", 64, true));
        long extent = extent(one, heap, HeapKind.DATA);
        List<Granted> leases = List.of(granted(one, exclusive(own, 64)), granted(one, exclusive(named, 64)),
                granted(one, exclusive(extent, 64)), granted(one, wholeChunk(heap.rootOffset())));
        long waits = two.send(acquire(named, 64, ALL, LeaseMode.EXCLUSIVE, MILLI, 100 * MILLI));
        two.settle();
        assertFailed(two.call(new Free(own)), Reason.BAD_REQUEST);
        assertThat(one.call(new Free(own))).isEqualTo(new Done());
        assertFailed(one.call(new Free(own)), Reason.BAD_REQUEST);
        assertThat(two.call(new FreeNamed("n"))).isEqualTo(new Done());
        assertFailed(two.await(waits), Reason.OUT_OF_BOUNDS);
        assertFailed(two.call(new FreeNamed("n")), Reason.NO_SUCH_NAME);
        assertThat(two.call(new DestroyHeap("h"))).isEqualTo(new Done());
        assertFailed(two.call(new Retire(heap.heap(), List.of(new Range(extent, 64)))), Reason.NO_SUCH_NAME);
        assertThat(fixture.counts().leases()).isZero();
        assertThat(fixture.counts().freeBytes()).isEqualTo(NodeFixture.OPTIONS.memoryBytes());
        assertThat(one.read(leases.getLast().offset(), 64, leases.getLast().key())).isEqualTo(REFUSED);
    }

    @Test
    void anAllocationWaitsUntilWhatIsFreeWasZeroed() {
        RawClient client = fixture.client();
        int bytes = (int) NodeFixture.OPTIONS.memoryBytes();
        for (int i = 0; i < 3; i++) {
            long a = allocate(client, bytes);
            assertFailed(client.call(new Allocate(64)), Reason.OUT_OF_MEMORY);
            Granted lease = granted(client, exclusive(a + bytes - 8, 8));
            assertThat(client.swap(a + bytes - 8, lease.key())).as("zero at first").isZero();
            assertThat(client.call(new Free(a))).isEqualTo(new Done());
        }
    }

    @Test
    void retiredMemoryIsNotReusedWhileALeaseMaySeeIt() {
        RawClient reader = fixture.client();
        RawClient writer = fixture.client();
        Heap heap = (Heap) writer.call(new OpenHeap("h", 64, true));
        long first = extent(writer, heap, HeapKind.DATA);
        Granted sees = granted(reader, wholeChunk(first));
        assertThat(writer.call(new Retire(heap.heap(), List.of(new Range(first, 64))))).isEqualTo(new Done());
        Granted later = granted(reader, wholeChunk(first));
        assertThat(fixture.counts().quarantinedBytes()).isEqualTo(64);
        assertThat(extent(writer, heap, HeapKind.DATA)).isNotEqualTo(first);
        reader.call(new Relinquish(List.of(sees.lease())));
        assertThat(fixture.counts().quarantinedBytes()).isZero();
        assertThat(extent(writer, heap, HeapKind.DATA)).isEqualTo(first);
        assertThat(reader.read(first, 64, later.key())).isEqualTo(SUCCESS);
        for (Range wrong : List.of(new Range(first + 64 * 100, 64), new Range(first + 1, 63), new Range(heap.rootOffset(), 64),
                new Range(-64, 64), new Range(Long.MAX_VALUE - 63, 64), new Range(first, 0), new Range(first, 1L << 40))) {
            assertFailed(writer.call(new Retire(heap.heap(), List.of(new Range(first, 64), wrong))), Reason.BAD_REQUEST);
        }
        assertThat(writer.call(new Retire(heap.heap(), List.of(new Range(first, 64))))).as("none of it took")
                .isEqualTo(new Done());
    }

    @Test
    void namesAreOpenedAsTheyWereMade() {
        RawClient client = fixture.client();
        assertFailed(client.call(new OpenNamed("n", 64, false)), Reason.NO_SUCH_NAME);
        Named made = (Named) client.call(new OpenNamed("n", 100, true));
        assertThat(made.created()).isTrue();
        assertThat(client.call(new OpenNamed("n", 0, false))).isEqualTo(new Named(made.offset(), 100, false));
        assertThat(client.call(new OpenNamed("n", 100, true))).isEqualTo(new Named(made.offset(), 100, false));
        assertFailed(client.call(new OpenNamed("n", 101, true)), Reason.NO_SUCH_NAME);
        assertFailed(client.call(new OpenNamed("", 64, true)), Reason.BAD_REQUEST);
        assertFailed(client.call(new OpenNamed("m", 0, true)), Reason.BAD_REQUEST);
        assertFailed(client.call(new OpenNamed("m", Long.MAX_VALUE, true)), Reason.OUT_OF_MEMORY);
        Heap heap = (Heap) client.call(new OpenHeap("n", 100, true));
        assertThat(client.call(new OpenHeap("n", 64, false))).isEqualTo(new Heap(heap.heap(), heap.rootOffset(), 100, false));
        assertFailed(client.call(new OpenHeap("n", 101, true)), Reason.NO_SUCH_NAME);
    }

    @Test
    void unprotectedAccessIsForThoseWhoAllowIt() {
        fixture.restart(NodeFixture.OPTIONS.allowingUnprotected());
        RawClient client = fixture.client();
        int key = ((Unprotected) client.call(new Unprotect())).key();
        assertThat(client.welcome().unprotectedAllowed()).isTrue();
        assertThat(client.write(3 << 20, 4096, key)).isEqualTo(SUCCESS);
        assertThat(client.compareAndSwap(0, key)).isEqualTo(SUCCESS);
        fixture.restart(NodeFixture.OPTIONS);
    }

    // ---- hostile clients

    @Test
    void garbageCostsTheSenderItsControlQueuePairAndNothingElse() {
        RawClient hostile = fixture.client();
        RawClient other = fixture.client();
        long a = allocate(hostile, 64);
        Random random = new Random(7);
        for (int i = 0; i < 50; i++) {
            int length = random.nextInt(200);
            MemorySegment buffer = hostile.sendBuffer();
            ControlCodec.encode(i, new OpenNamed("garbage", 64, false), buffer);
            byte[] garbage = new byte[length];
            random.nextBytes(garbage);
            MemorySegment.copy(garbage, 0, buffer, ValueLayout.JAVA_BYTE, random.nextInt(ControlCodec.HEADER_BYTES), length);
            hostile.sendBytes(Math.max(1, length));
            assertThat(hostile.failsSoon()).isTrue();
            hostile.connectControl();
            hostile.hello("principal 1", hostile.welcome().nodeEpoch());
        }
        assertThat(granted(hostile, exclusive(a, 64))).isNotNull();
        assertThat(other.call(new Beat(1))).isInstanceOf(BeatReply.class);
    }

    @Test
    void whoTakesNoAnswersIsDropped() {
        RawClient other = fixture.client();
        RawClient mute = fixture.stranger(5);
        mute.connectControl(1);
        mute.hello("mute", 0);
        RawClient deaf = fixture.stranger(6);
        deaf.connectControl(0);
        for (int i = 0; i < 30; i++) {
            deaf.send(i, new Beat(1));
        }
        assertThat(deaf.failsSoon()).as("asks before it has introduced itself").isTrue();
        deaf.connectControl(0);
        deaf.send(99, new ControlMessage.Hello(deaf.id, "deaf", 0));
        assertThat(other.call(new Beat(1))).isInstanceOf(BeatReply.class);
        long end = System.nanoTime() + Duration.ofSeconds(20).toNanos();
        while (deaf.controlWorks() && System.nanoTime() < end) {
            assertThat(other.call(new Beat(1))).isInstanceOf(BeatReply.class);
        }
        assertThat(deaf.controlWorks()).as("posts no receives").isFalse();
    }

    @Test
    void whoScribblesWithoutEndLosesItsLeasesAllTheSame() throws InterruptedException {
        RawClient client = fixture.client();
        long a = allocate(client, 64);
        Granted lease = granted(client, exclusive(a, 64));
        AtomicBoolean stop = new AtomicBoolean();
        Thread scribbler = Thread.ofPlatform().start(() -> {
            long word = LeaseWord.word(lease.era(), lease.units());
            while (!stop.get()) {
                long next = word == 0 ? LeaseWord.word(lease.era(), 1000) : 0;
                long held = client.swapWord(lease.word(), word, next);
                word = held == word ? next : held;
            }
        });
        try {
            for (int i = 0; i < 100 && fixture.counts().leases() > 0; i++) {
                fixture.pass(11 * MILLI);
            }
            assertThat(fixture.counts().leases()).isZero();
            assertThat(fixture.counts().wordsInUse()).isZero();
        } finally {
            stop.set(true);
            scribbler.join();
        }
        assertThat(granted(client, exclusive(a, 64))).isNotNull();
    }

    @Test
    void whoFloodsTheNodeWithRequestsIsDropped() {
        RawClient one = fixture.client();
        RawClient flood = fixture.client();
        long a = ((Named) one.call(new OpenNamed("n", 64, true))).offset();
        granted(one, exclusive(a, 64));
        for (int i = 0; i <= SessionReplies.UNANSWERED_MAX && flood.controlWorks(); i++) {
            flood.send(1000 + i, acquire(a, 64, ALL, LeaseMode.EXCLUSIVE, MILLI, 100 * MILLI));
        }
        assertThat(flood.failsSoon()).isTrue();
        assertThat(fixture.counts().lockedRanges()).isEqualTo(1 + SessionReplies.UNANSWERED_MAX);
        fixture.pass(200 * MILLI);
        assertThat(fixture.counts().lockedRanges()).isZero();
        assertThat(one.call(new Beat(1))).isInstanceOf(BeatReply.class);
    }

    @Test
    void whoDoesNotIntroduceItselfIsDropped() {
        RawClient silent = fixture.stranger(5);
        silent.connectControl();
        fixture.pass(Duration.ofSeconds(6).toNanos());
        assertThat(silent.failsSoon()).isTrue();
        silent.connectControl();
        silent.send(1, new ControlMessage.Hello(new UUID(6, 6), "another", 0));
        assertFailed(silent.await(1), Reason.BAD_REQUEST);
        Reply reply = silent.hello("right", 0);
        assertThat(reply).isInstanceOf(ControlMessage.Welcome.class);
    }

    @Test
    void anActivationOfAnEmptySessionIsRepeatedAfterTheAnswerWasLost() {
        RawClient client = fixture.client();
        client.connectData(1);
        client.send(500, new Activate(1, 2));
        Reply first = client.await(500);
        client.send(500, new Activate(1, 2));
        assertThat(client.await(500)).isEqualTo(first);
    }
}
