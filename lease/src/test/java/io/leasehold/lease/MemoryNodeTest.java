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
import io.leasehold.lease.ControlMessage.AllocateExtent;
import io.leasehold.lease.ControlMessage.Allocate;
import io.leasehold.lease.ControlMessage.Done;
import io.leasehold.lease.ControlMessage.FreeNamed;
import io.leasehold.lease.ControlMessage.Goodbye;
import io.leasehold.lease.ControlMessage.Granted;
import io.leasehold.lease.ControlMessage.Heap;
import io.leasehold.lease.ControlMessage.Named;
import io.leasehold.lease.ControlMessage.OpenHeap;
import io.leasehold.lease.ControlMessage.OpenNamed;
import io.leasehold.lease.ControlMessage.Reason;
import io.leasehold.lease.ControlMessage.Relinquish;
import io.leasehold.lease.ControlMessage.Reply;
import io.leasehold.lease.ControlMessage.Unprotect;
import io.leasehold.rdma.Link;
import io.leasehold.rdma.RdmaException;
import io.leasehold.rdma.WorkCompletionStatus;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;

/// The node, by what a client sees of it on the wire; time stands still unless a test moves it.
@Timeout(60)
@ParameterizedClass
@EnumSource(Link.class)
final class MemoryNodeTest {
    private static final WorkCompletionStatus SUCCESS = WorkCompletionStatus.SUCCESS;
    private static final WorkCompletionStatus REFUSED = WorkCompletionStatus.REM_ACCESS_ERR;

    private final NodeFixture fixture;

    MemoryNodeTest(Link link) {
        fixture = new NodeFixture(link);
    }

    @AfterEach
    void nothingIsLeft() {
        fixture.close();
    }

    private RawClient client() {
        return fixture.client();
    }

    private void pass(long nanos) {
        fixture.pass(nanos);
    }

    // ---- leases

    @Test
    void aLeaseOpensItsRangeAndNothingElse() {
        RawClient client = client();
        long a = allocate(client, 4096);
        Granted lease = granted(client, exclusive(a + 64, 128));
        assertThat(client.write(a + 64, 128, lease.key())).isEqualTo(SUCCESS);
        assertThat(client.compareAndSwap(a + 64, lease.key())).isEqualTo(SUCCESS);
        assertThat(client.read(a + 64, 129, lease.key())).isEqualTo(REFUSED);
    }

    @Test
    void aReadLeaseAllowsNoAtomics() {
        RawClient client = client();
        long a = allocate(client, 64);
        Granted lease = granted(client, acquire(a, 64, READ, LeaseMode.SHARED, 10 * MILLI, 0));
        assertThat(client.read(a, 64, lease.key())).isEqualTo(SUCCESS);
        assertThat(client.compareAndSwap(a, lease.key())).isEqualTo(REFUSED);
    }

    @Test
    void aKeyIsUselessToAnotherSession() {
        RawClient owner = client();
        RawClient thief = client();
        Named memory = (Named) owner.call(new OpenNamed("shared", 64, true));
        Granted lease = granted(owner, exclusive(memory.offset(), 64));
        assertThat(thief.read(memory.offset(), 64, lease.key())).isEqualTo(REFUSED);
        assertThat(owner.read(memory.offset(), 64, lease.key())).isEqualTo(SUCCESS);
    }

    @Test
    void aLeaseEndsAtItsDeadlineAndNotBefore() {
        RawClient client = client();
        long a = allocate(client, 64);
        Granted lease = granted(client, exclusive(a, 64));
        pass(10 * MILLI - 1);
        assertThat(client.read(a, 64, lease.key())).isEqualTo(SUCCESS);
        // One tick of the timing wheel later at most.
        pass(1024);
        assertThat(client.read(a, 64, lease.key())).isEqualTo(REFUSED);
        assertThat(fixture.counts().leases()).isZero();
    }

    @Test
    void anExtensionBeforeTheDeadlineWins() {
        RawClient client = client();
        long a = allocate(client, 64);
        Granted lease = granted(client, exclusive(a, 64));
        assertThat(client.extend(lease, 10)).isTrue();
        pass(10 * MILLI + 1024);
        assertThat(client.read(a, 64, lease.key())).isEqualTo(SUCCESS);
        assertThat(client.extend(lease, 11)).isTrue();
        pass(2 * MILLI);
        assertThat(client.extend(lease, 12)).as("after the end").isFalse();
        assertThat(client.read(a, 64, lease.key())).isEqualTo(REFUSED);
    }

    @Test
    void noExtensionOutlivesTheLongestLife() {
        RawClient client = client();
        long a = allocate(client, 64);
        Granted lease = granted(client, exclusive(a, 64));
        assertThat(lease.endNanos() - lease.beginNanos()).isEqualTo(1000 * MILLI);
        long word = LeaseWord.word(lease.era(), lease.units());
        assertThat(client.swapWord(lease.word(), word, LeaseWord.word(lease.era(), -1))).isEqualTo(word);
        pass(1000 * MILLI - 1);
        assertThat(client.read(a, 64, lease.key())).isEqualTo(SUCCESS);
        pass(1024);
        assertThat(client.read(a, 64, lease.key())).isEqualTo(REFUSED);
    }

    @Test
    void timeIsCutToTheLongestTermOfTheNode() {
        RawClient client = client();
        long a = allocate(client, 64);
        long minute = Duration.ofMinutes(1).toNanos();
        Granted lease = granted(client, new Acquire(a, 64, READ, LeaseMode.SHARED, 7 * minute / 10, 1000, 90 * minute, 0, false));
        assertThat(lease.units()).isEqualTo(1);
        assertThat(lease.endNanos() - lease.beginNanos()).isEqualTo(minute);
        lease = granted(client, new Acquire(a, 64, READ, LeaseMode.SHARED, Long.MAX_VALUE, Integer.MAX_VALUE, Long.MAX_VALUE,
                Long.MAX_VALUE, false));
        assertThat(lease.units() * lease.unitNanos()).isEqualTo(minute);
    }

    @Test
    void whoScribblesInItsRowLosesItsLeasesInTimeAndHarmsNobody() {
        RawClient client = client();
        long a = allocate(client, 256);
        List<Granted> leases = new ArrayList<>();
        for (int i = 0; i < 4; i++) {
            leases.add(granted(client, exclusive(a + i * 64, 64)));
        }
        long[] scribbles = {0, -1, LeaseWord.word(leases.get(2).era() + 1, 0), LeaseWord.word(leases.get(3).era(), 3)};
        for (int i = 0; i < 4; i++) {
            Granted lease = leases.get(i);
            client.swapWord(lease.word(), LeaseWord.word(lease.era(), lease.units()), scribbles[i]);
        }
        pass(11 * MILLI);
        assertThat(fixture.counts().leases()).isZero();
        assertThat(fixture.counts().wordsInUse()).isZero();
        for (int i = 0; i < 4; i++) {
            Granted again = granted(client, exclusive(a + i * 64, 64));
            assertThat(client.extend(again, 10)).as("word %d works again", again.word()).isTrue();
        }
        assertThat(client.read(a, 64, leases.getFirst().key())).isEqualTo(REFUSED);
    }

    @Test
    void relinquishingKillsTheKeyBeforeTheAnswer() {
        RawClient client = client();
        long a = allocate(client, 64);
        Granted lease = granted(client, exclusive(a, 64));
        assertThat(client.call(new Relinquish(List.of(lease.lease(), lease.lease(), 4711L)))).isEqualTo(new Done());
        assertThat(fixture.counts().leases()).isZero();
        Granted next = granted(client, exclusive(a, 64));
        assertThat(next.key()).as("P11").isNotEqualTo(lease.key());
        assertThat(next.lease()).isNotEqualTo(lease.lease());
        assertThat(client.read(a, 64, next.key())).isEqualTo(SUCCESS);
        assertThat(client.read(a, 64, lease.key())).isEqualTo(REFUSED);
    }

    @Test
    void aLeaseIsNotRelinquishedByAnotherSession() {
        RawClient owner = client();
        RawClient other = client();
        long a = allocate(owner, 64);
        Granted lease = granted(owner, exclusive(a, 64));
        assertThat(other.call(new Relinquish(List.of(lease.lease())))).isEqualTo(new Done());
        assertThat(owner.read(a, 64, lease.key())).isEqualTo(SUCCESS);
    }

    // ---- conflicts

    @Test
    void conflictingLeasesWaitInTurn() {
        RawClient one = client();
        RawClient two = client();
        long a = ((Named) one.call(new OpenNamed("n", 4096, true))).offset();
        Granted first = granted(one, acquire(a, 100, READ, LeaseMode.SHARED, 10 * MILLI, 0));
        assertFailed(two.call(exclusive(a + 99, 1)), Reason.CONFLICT);
        long writer = two.send(acquire(a + 99, 64, ALL, LeaseMode.EXCLUSIVE, 10 * MILLI, 50 * MILLI));
        two.settle();
        assertFailed(one.call(acquire(a + 120, 64, READ, LeaseMode.SHARED, MILLI, 0)), Reason.CONFLICT);
        assertThat(two.poll(writer, Duration.ofMillis(20))).isNull();
        assertThat(fixture.counts().lockedRanges()).isEqualTo(2);
        one.call(new Relinquish(List.of(first.lease())));
        assertThat(two.await(writer)).isInstanceOf(Granted.class);
    }

    @Test
    void patienceEnds() {
        RawClient one = client();
        RawClient two = client();
        long a = ((Named) one.call(new OpenNamed("n", 4096, true))).offset();
        granted(one, acquire(a, 64, ALL, LeaseMode.EXCLUSIVE, 100 * MILLI, 0));
        long waits = two.send(acquire(a, 64, READ, LeaseMode.SHARED, 10 * MILLI, 50 * MILLI));
        two.settle();
        pass(49 * MILLI);
        assertThat(two.poll(waits, Duration.ofMillis(20))).isNull();
        pass(2 * MILLI);
        assertFailed(two.await(waits), Reason.CONFLICT);
        long again = two.send(acquire(a, 64, READ, LeaseMode.SHARED, 10 * MILLI, 90 * MILLI));
        two.settle();
        pass(50 * MILLI);
        assertThat(two.await(again)).as("granted when the lease expired").isInstanceOf(Granted.class);
    }

    @Test
    void aSessionThatEndsLetsOthersIn() {
        RawClient one = client();
        RawClient two = client();
        RawClient three = client();
        long a = ((Named) one.call(new OpenNamed("n", 4096, true))).offset();
        Granted lease = granted(one, acquire(a, 64, ALL, LeaseMode.EXCLUSIVE, 100 * MILLI, 0));
        two.send(acquire(a, 64, ALL, LeaseMode.EXCLUSIVE, 10 * MILLI, 5000 * MILLI));
        two.settle();
        long third = three.send(acquire(a, 64, ALL, LeaseMode.EXCLUSIVE, 10 * MILLI, 5000 * MILLI));
        three.settle();
        assertThat(two.call(new Goodbye())).isEqualTo(new Done());
        assertThat(one.read(a, 64, lease.key())).isEqualTo(SUCCESS);
        assertThat(one.call(new Goodbye())).isEqualTo(new Done());
        assertThat(three.await(third)).isInstanceOf(Granted.class);
        assertThat(fixture.counts().sessions()).isEqualTo(1);
    }

    // ---- what may be leased

    @Test
    void rangesAreChecked() {
        RawClient client = client();
        RawClient other = client();
        allocate(client, 100);
        long a = allocate(client, 100);
        for (long[] range : new long[][] {{a, 101}, {a - 1, 2}, {a + 100, 1}, {a + 64, 64}, {a, Long.MAX_VALUE}, {3 << 20, 64},
            {Long.MAX_VALUE, 64}}) {
            assertFailed(client.call(exclusive(range[0], range[1])), Reason.OUT_OF_BOUNDS);
        }
        for (long[] range : new long[][] {{a, 0}, {a, -1}, {-1, 64}, {Long.MIN_VALUE, Long.MIN_VALUE}}) {
            assertFailed(client.call(exclusive(range[0], range[1])), Reason.BAD_REQUEST);
        }
        assertFailed(other.call(exclusive(a, 64)), Reason.OUT_OF_BOUNDS);
        for (int access : new int[] {0, 1, 16, 32, -1}) {
            assertFailed(client.call(acquire(a, 64, access, LeaseMode.SHARED, MILLI, 0)), Reason.BAD_REQUEST);
        }
        for (long[] time : new long[][] {{0, 1, 1, 0}, {1, 0, 1, 0}, {1, 1, 0, 0}, {1, 1, 1, -1}, {-1, -1, -1, -1}}) {
            assertFailed(client.call(new Acquire(a, 64, READ, LeaseMode.SHARED, time[0], (int) time[1], time[2], time[3], false)),
                    Reason.BAD_REQUEST);
        }
        assertThat(client.call(exclusive(a, 100))).isInstanceOf(Granted.class);
    }

    @Test
    void heapsKeepTheirRules() {
        RawClient client = client();
        Heap heap = (Heap) client.call(new OpenHeap("h", 256, true));
        for (long bytes : new long[] {0, -1, (1L << 30) + 1, Long.MAX_VALUE}) {
            assertFailed(client.call(new AllocateExtent(heap.heap(), HeapKind.DATA, bytes, Long.MAX_VALUE)), Reason.BAD_REQUEST);
        }
        long data = extent(client, heap, HeapKind.DATA);
        long index = extent(client, heap, HeapKind.INDEX);
        int readAtomic = AccessRight.mask(Set.of(AccessRight.READ, AccessRight.ATOMIC));
        for (LeaseMode mode : List.of(LeaseMode.UNCHECKED, LeaseMode.SHARED)) {
            for (long offset : new long[] {data, index, heap.rootOffset()}) {
                assertFailed(client.call(acquire(offset, 64, ALL, mode, MILLI, 0)), Reason.NOT_PERMITTED);
            }
            assertFailed(client.call(acquire(data, 64, readAtomic, mode, MILLI, 0)), Reason.NOT_PERMITTED);
            assertThat(client.call(acquire(index, 64, readAtomic, mode, MILLI, 0))).isInstanceOf(Granted.class);
            assertThat(client.call(acquire(heap.rootOffset(), 64, readAtomic, mode, MILLI, 0))).isInstanceOf(Granted.class);
        }
        pass(10 * MILLI);
        assertThat(client.call(exclusive(data, 64))).isInstanceOf(Granted.class);
        Granted chunk = granted(client, wholeChunk(data + 64));
        assertThat(chunk.lengthBytes()).isEqualTo(NodeHeap.CHUNK_BYTES_MIN);
        assertThat(granted(client, wholeChunk(heap.rootOffset())).lengthBytes()).isEqualTo(256);
        long own = allocate(client, 64);
        assertFailed(client.call(wholeChunk(own)), Reason.OUT_OF_BOUNDS);
    }

    @Test
    void thePolicyIsAsked() {
        fixture.restart(NodeFixture.OPTIONS.withPolicy((principal, target, rights) -> {
            if (target.name().equals("broken")) {
                throw new IllegalStateException("policy");
            }
            return principal.endsWith("1") || target.kind() == AccessPolicy.Kind.NAMED && !rights.contains(AccessRight.WRITE);
        }));
        RawClient one = client();
        RawClient two = client();
        long a = ((Named) one.call(new OpenNamed("n", 64, true))).offset();
        assertThat(two.call(new OpenNamed("n", 64, false))).isInstanceOf(Named.class);
        assertThat(two.call(acquire(a, 64, READ, LeaseMode.SHARED, MILLI, 0))).isInstanceOf(Granted.class);
        assertFailed(two.call(acquire(a, 64, ALL, LeaseMode.SHARED, MILLI, 0)), Reason.NOT_PERMITTED);
        assertFailed(two.call(new Allocate(64)), Reason.NOT_PERMITTED);
        assertFailed(two.call(new FreeNamed("n")), Reason.NOT_PERMITTED);
        assertFailed(two.call(new OpenHeap("h", 64, true)), Reason.NOT_PERMITTED);
        assertFailed(one.call(new OpenNamed("broken", 64, true)), Reason.NOT_PERMITTED);
        assertFailed(one.call(new Unprotect()), Reason.NOT_PERMITTED);
    }

    @Test
    void whoMayOnlyReadKeepsNobodyFromWriting() {
        fixture.restart(NodeFixture.OPTIONS.withPolicy(
                (principal, _, rights) -> principal.endsWith("1") || !rights.contains(AccessRight.WRITE)));
        RawClient writer = client();
        RawClient reader = client();
        long a = ((Named) writer.call(new OpenNamed("n", 64, true))).offset();
        long chunk = extent(writer, (Heap) writer.call(new OpenHeap("h", 64, true)), HeapKind.DATA);
        for (long offset : new long[] {a, chunk}) {
            assertFailed(reader.call(acquire(offset, 64, READ, LeaseMode.EXCLUSIVE, 10 * MILLI, 0)), Reason.NOT_PERMITTED);
            Granted shared = granted(reader, acquire(offset, 64, READ, LeaseMode.SHARED, 10 * MILLI, 0));
            assertThat(reader.call(new Relinquish(List.of(shared.lease())))).isEqualTo(new Done());
            granted(writer, acquire(offset, 64, READ, LeaseMode.EXCLUSIVE, 10 * MILLI, 0));
        }
    }

    @Test
    void aPolicyThatFailsInAnyWayHasRefused() {
        fixture.restart(NodeFixture.OPTIONS.withPolicy((_, target, _) -> target.name().isEmpty() || isNested(target.name(), 0)));
        RawClient client = client();
        assertFailed(client.call(new OpenNamed("deep", 64, true)), Reason.NOT_PERMITTED);
        assertThat(allocate(client(), 64)).as("the node goes on").isNotNegative();
    }

    /// What a matcher that recurses for each character may come to.
    private static boolean isNested(String name, int depth) {
        return isNested(name, depth + 1) && depth > name.length();
    }

    // ---- limits

    @Test
    void whatRunsOutIsSaidAndComesBack() {
        fixture.restart(NodeFixture.OPTIONS.withLimits(2, 3, 2));
        RawClient one = client();
        RawClient two = client();
        long a = ((Named) one.call(new OpenNamed("n", 4096, true))).offset();
        Acquire read = acquire(a, 64, READ, LeaseMode.SHARED, 10 * MILLI, 0);
        granted(one, read);
        granted(one, read);
        assertFailed(one.call(read), Reason.OUT_OF_WORDS);
        granted(two, read);
        assertFailed(two.call(read), Reason.OUT_OF_WINDOWS);
        assertFailed(one.call(new Allocate(4 << 20)), Reason.OUT_OF_MEMORY);
        RawClient three = fixture.stranger(3);
        three.connectControl();
        assertFailed(three.hello("", 0), Reason.OUT_OF_SESSIONS);
        pass(11 * MILLI);
        assertThat(granted(two, read)).isNotNull();
    }

    // ---- requests that are sent twice

    @Test
    void aRepeatedRequestIsAnsweredOnce() {
        RawClient client = client();
        long a = allocate(client, 64);
        client.send(1000, exclusive(a, 64));
        Reply first = client.await(1000);
        client.send(1000, exclusive(a, 64));
        assertThat(client.await(1000)).isEqualTo(first);
        client.connectControl();
        client.hello("principal 1", client.welcome().nodeEpoch());
        client.send(1000, exclusive(a, 64));
        assertThat(client.await(1000)).isEqualTo(first);
        assertThat(fixture.counts().leases()).isEqualTo(1);
    }

    @Test
    void aRequestThatWaitsIsAnsweredOnTheNewControlQueuePair() {
        RawClient one = client();
        RawClient two = client();
        long a = ((Named) one.call(new OpenNamed("n", 4096, true))).offset();
        Granted lease = granted(one, acquire(a, 64, ALL, LeaseMode.EXCLUSIVE, 100 * MILLI, 0));
        two.send(1000, acquire(a, 64, ALL, LeaseMode.EXCLUSIVE, 10 * MILLI, 5000 * MILLI));
        two.connectControl();
        two.hello("principal 2", two.welcome().nodeEpoch());
        two.send(1000, acquire(a, 64, ALL, LeaseMode.EXCLUSIVE, 10 * MILLI, 5000 * MILLI));
        two.settle();
        one.call(new Relinquish(List.of(lease.lease())));
        assertThat(two.await(1000)).isInstanceOf(Granted.class);
        assertThat(fixture.counts().leases()).isEqualTo(1);
    }

    @Test
    void aSessionIsGoneOnWithByItsOwnerOnly() {
        RawClient client = client();
        client.connectControl();
        assertFailed(client.hello("somebody else", 0), Reason.NOT_PERMITTED);
        assertFailed(client.hello("principal 1", client.welcome().nodeEpoch() + 1), Reason.SESSION_ENDED);
        RawClient unknown = fixture.stranger(9);
        unknown.connectControl();
        assertFailed(unknown.hello("", client.welcome().nodeEpoch()), Reason.SESSION_ENDED);
        assertThatThrownBy(() -> unknown.connectData(0)).isInstanceOf(RdmaException.class)
                .hasMessageContaining("does not know the session");
    }
}
