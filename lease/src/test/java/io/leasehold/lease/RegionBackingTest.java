package io.leasehold.lease;

import static io.leasehold.lease.NodeFixture.MILLI;
import static io.leasehold.lease.NodeFixture.acquire;
import static io.leasehold.lease.NodeFixture.allocate;
import static io.leasehold.lease.NodeFixture.assertFailed;
import static io.leasehold.lease.NodeFixture.exclusive;
import static io.leasehold.lease.NodeFixture.granted;
import static io.leasehold.rdma.WorkCompletionStatus.REM_ACCESS_ERR;
import static io.leasehold.rdma.WorkCompletionStatus.SUCCESS;
import static org.assertj.core.api.Assertions.assertThat;

import io.leasehold.lease.ControlMessage.Activate;
import io.leasehold.lease.ControlMessage.Done;
import io.leasehold.lease.ControlMessage.Failed;
import io.leasehold.lease.ControlMessage.FreeNamed;
import io.leasehold.lease.ControlMessage.Goodbye;
import io.leasehold.lease.ControlMessage.Granted;
import io.leasehold.lease.ControlMessage.Named;
import io.leasehold.lease.ControlMessage.OpenNamed;
import io.leasehold.lease.ControlMessage.Reason;
import io.leasehold.lease.ControlMessage.Relinquish;
import io.leasehold.lease.ControlMessage.Unprotect;
import io.leasehold.lease.ControlMessage.Unprotected;
import io.leasehold.rdma.AccessFlag;
import io.leasehold.rdma.DeviceOptions;
import io.leasehold.rdma.Link;
import io.leasehold.rdma.MemoryRegion;
import io.leasehold.rdma.ProtectionDomain;
import io.leasehold.rdma.RdmaDevice;
import io.leasehold.rdma.RdmaError;
import io.leasehold.rdma.RdmaException;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// Leases that rest on regions, on a device that does with regions what devices may do, and rarely do. Time stands still unless a
/// test moves it.
@Timeout(60)
final class RegionBackingTest {
    /// Rights that no other region of a node has.
    private static final int LEASE = AccessRight.mask(Set.of(AccessRight.READ, AccessRight.WRITE));
    private static final Duration BRIEF = Duration.ofMillis(50);

    private final AtomicLong clock = new AtomicLong(1_000_000_000L);
    // What the device gives as the keys of the next regions of leases; their true ones when there is none left.
    private final Deque<Integer> keys = new ArrayDeque<>();
    private final AtomicInteger registered = new AtomicInteger();
    private final AtomicInteger open = new AtomicInteger();
    private volatile boolean keeps;
    private volatile boolean keepsRows;
    private volatile RdmaException failure;
    private RdmaDevice device;
    private MemoryNode node;
    private RawClient client;

    @BeforeEach
    void start() {
        device = AlteredDevice.withRegistering(RdmaDevice.open(DeviceOptions.soft()), this::register);
        node = MemoryNode.start(device, NodeFixture.OPTIONS.withRegionsOnly().allowingUnprotected().withClock(clock::get));
        client = RawClient.start(node.address(), Link.LOCAL, 1);
    }

    private MemoryRegion register(ProtectionDomain domain, MemorySegment memory, Set<AccessFlag> access) {
        boolean ofLease = access.equals(Set.of(AccessFlag.LOCAL_WRITE, AccessFlag.REMOTE_READ, AccessFlag.REMOTE_WRITE));
        boolean ofRow = access.equals(Set.of(AccessFlag.LOCAL_WRITE, AccessFlag.REMOTE_ATOMIC));
        if (ofLease && failure != null) {
            throw failure;
        }
        MemoryRegion region = domain.register(memory, access);
        if (!ofLease && !ofRow) {
            return region;
        }
        if (ofLease) {
            registered.incrementAndGet();
        }
        open.incrementAndGet();
        int key = ofLease && !keys.isEmpty() ? keys.removeFirst() : region.remoteKey();
        return AlteredDevice.region(region, key, () -> {
            if (ofLease ? keeps : keepsRows) {
                throw new RdmaException(RdmaError.BUSY, "the device keeps it");
            }
            region.close();
            open.decrementAndGet();
        });
    }

    @AfterEach
    void stop() {
        keeps = false;
        keepsRows = false;
        client.close();
        node.close();
        assertThat(open).as("regions of leases and rows").hasValue(0);
        assertThat(device.resources().protectionDomains()).isZero();
        device.close();
    }

    /// Moves the clock, and waits until the node has done what is due.
    private void pass(long millis) {
        clock.addAndGet(millis * MILLI);
        node.tick();
        node.counts();
    }

    private ControlMessage.Acquire lease(long offset) {
        return acquire(offset, 64, LEASE, LeaseMode.EXCLUSIVE, 60_000 * MILLI, 0);
    }

    @Test
    void aLeaseIsARegionWithItsRangeAndItsRights() {
        long a = allocate(client, 128);
        Granted lease = granted(client, lease(a));
        assertThat(registered).hasValue(1);
        assertThat(client.write(a, 64, lease.key())).isEqualTo(SUCCESS);
        assertThat(client.extend(lease, lease.units())).as("the row of lease words").isTrue();
        assertThat(device.resources().windows()).isZero();
        client.call(new Relinquish(List.of(lease.lease())));
        assertThat(client.write(a, 64, lease.key())).isEqualTo(REM_ACCESS_ERR);
    }

    @Test
    void anActivationGivesNewKeysAndKillsTheOldOnes() {
        long a = allocate(client, 64);
        Granted lease = granted(client, lease(a));
        client.connectData(1);
        int key = client.activate(1, 2).keys().getFirst().key();
        assertThat(key).isNotEqualTo(lease.key());
        assertThat(client.write(a, 64, key)).isEqualTo(SUCCESS);
        assertThat(client.write(a, 64, lease.key())).isEqualTo(REM_ACCESS_ERR);
    }

    @Test
    void aKeyThatTheDeviceGivesAgainIsNotTaken() {
        long a = allocate(client, 64);
        keys.addAll(List.of(0x100, 0x100, 0x100, 0x200));
        Granted first = granted(client, lease(a));
        client.call(new Relinquish(List.of(first.lease())));
        Granted second = granted(client, lease(a));
        assertThat(first.key()).isEqualTo(0x100);
        assertThat(second.key()).isEqualTo(0x200);
        assertThat(registered).hasValue(4);
        assertThat(open).as("of the lease and the row").hasValue(2);
    }

    @Test
    void aDeviceThatKnowsOneKeyOnlyIsGivenUp() {
        long a = allocate(client, 64);
        for (int i = 0; i < 100; i++) {
            keys.add(0x100);
        }
        client.call(new Relinquish(List.of(granted(client, lease(a)).lease())));
        assertFailed(client.call(lease(a)), Reason.UNAVAILABLE);
        assertThat(registered).hasValue(1 + RegionBacking.SPENT_KEYS_MAX + 1);
        assertThat(open).as("of the row").hasValue(1);
        keys.clear();
        granted(client, lease(a));
    }

    @Test
    void whatTheDeviceKeepsIsGivenToNobodyElse() {
        long a = allocate(client, 64);
        Granted lease = granted(client, lease(a));
        keeps = true;
        long relinquished = client.send(new Relinquish(List.of(lease.lease())));
        assertThat(client.poll(relinquished, BRIEF)).as("an answer, while the key still works").isNull();
        assertThat(client.write(a, 64, lease.key())).isEqualTo(SUCCESS);
        assertFailed(client.call(exclusive(a, 64)), Reason.CONFLICT);
        pass(1000);
        assertThat(node.counts().leases()).isEqualTo(1);
        keeps = false;
        pass(1000);
        assertThat(client.await(relinquished)).isInstanceOf(Done.class);
        assertThat(node.counts().leases()).isZero();
        granted(client, exclusive(a, 64));
    }

    @Test
    void anActivationWaitsForTheOldKeys() {
        long a = allocate(client, 64);
        Granted lease = granted(client, lease(a));
        client.connectData(1);
        keeps = true;
        keepsRows = true;
        assertFailed(client.call(new Activate(1, 2)), Reason.UNAVAILABLE);
        keeps = false;
        assertFailed(client.call(new Activate(1, 2)), Reason.UNAVAILABLE);
        keepsRows = false;
        int key = client.activate(1, 2).keys().getFirst().key();
        assertThat(client.write(a, 64, key)).isEqualTo(SUCCESS);
        assertThat(client.write(a, 64, lease.key())).isEqualTo(REM_ACCESS_ERR);
    }

    @Test
    void theMemoryOfAnEndedSessionWaitsForItsKeys() {
        long a = allocate(client, 64);
        granted(client, lease(a));
        keeps = true;
        keepsRows = true;
        client.call(new Goodbye());
        NodeCounts held = node.counts();
        assertThat(List.of(held.sessions(), held.leases(), held.keysInUse(), held.lockedRanges())).containsExactly(0, 1, 2, 1);
        assertThat(held.sessionBytes()).isEqualTo(64);
        keeps = false;
        pass(1000);
        assertThat(node.counts().sessionBytes()).isZero();
        assertThat(node.counts().keysInUse()).as("the row").isEqualTo(1);
        keepsRows = false;
        pass(1000);
        assertThat(node.counts().keysInUse()).isZero();
    }

    @Test
    void freedMemoryWaitsForItsKeys() {
        Named named = (Named) client.call(new OpenNamed("n", 64, true));
        granted(client, lease(named.offset()));
        keeps = true;
        assertThat(client.call(new FreeNamed("n"))).isInstanceOf(Done.class);
        assertThat(node.counts().namedBytes()).isEqualTo(64);
        assertFailed(client.call(acquire(named.offset(), 64, NodeFixture.READ, LeaseMode.UNCHECKED, MILLI, 0)),
                Reason.OUT_OF_BOUNDS);
        keeps = false;
        pass(1000);
        assertThat(node.counts().namedBytes()).isZero();
    }

    @Test
    void whatTheDeviceDoesNotRegisterIsRefusedAndSaysWhy() {
        long a = allocate(client, 64);
        failure = new RdmaException(RdmaError.OUT_OF_RESOURCES, "locked memory is exhausted: try 'ulimit -l unlimited'");
        Failed refused = (Failed) client.call(lease(a));
        assertThat(refused.reason()).isEqualTo(Reason.OUT_OF_WINDOWS);
        assertThat(refused.detail()).contains("memory region of 64 bytes", "try 'ulimit -l unlimited'");
        failure = new RdmaException(RdmaError.INVALID_ARGUMENT, "not like this");
        assertFailed(client.call(lease(a)), Reason.UNAVAILABLE);
        failure = null;
        granted(client, lease(a));
    }

    @Test
    void theKeyToAllMemoryIsOfUseToItsSessionOnly() {
        long a = allocate(client, 64);
        int key = ((Unprotected) client.call(new Unprotect())).key();
        assertThat(((Unprotected) client.call(new Unprotect())).key()).isEqualTo(key);
        assertThat(client.write(a, 64, key)).isEqualTo(SUCCESS);
        try (RawClient other = RawClient.start(node.address(), Link.LOCAL, 2)) {
            assertThat(other.write(a, 64, key)).isEqualTo(REM_ACCESS_ERR);
            other.connectData(1);
            other.activate(1, 2);
            assertThat(other.write(a, 64, ((Unprotected) other.call(new Unprotect())).key())).isEqualTo(SUCCESS);
            other.call(new Goodbye());
        }
    }
}
