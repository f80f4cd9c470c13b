package io.leasehold.lease;

import static io.leasehold.lease.NodeFixture.MILLI;
import static io.leasehold.lease.NodeFixture.acquire;
import static io.leasehold.lease.NodeFixture.allocate;
import static io.leasehold.lease.NodeFixture.exclusive;
import static io.leasehold.lease.NodeFixture.granted;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.leasehold.lease.ControlMessage.Granted;
import io.leasehold.lease.ControlMessage.Relinquish;
import io.leasehold.rdma.DeviceAttributes;
import io.leasehold.rdma.DeviceOptions;
import io.leasehold.rdma.Link;
import io.leasehold.rdma.MemoryWindowType;
import io.leasehold.rdma.RdmaDevice;
import io.leasehold.rdma.RdmaException;
import io.leasehold.rdma.ResourceCounts;
import io.leasehold.rdma.WorkCompletionStatus;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.List;
import java.util.Set;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// The node on devices that have less, or that somebody else owns.
@Timeout(60)
final class NodeDeviceTest {
    private static final NodeOptions OPTIONS = NodeOptions.ofMemory(4 << 20);

    /// `device`, but with windows of these types only.
    private static RdmaDevice withWindows(RdmaDevice device, Set<MemoryWindowType> types) {
        return withWindows(device, types, device.attributes().maxWindowBytes());
    }

    private static RdmaDevice withWindows(RdmaDevice device, Set<MemoryWindowType> types, long longest) {
        DeviceAttributes all = device.attributes();
        DeviceAttributes fewer = new DeviceAttributes(all.provider(), all.name(), types, all.windowBoundsEnforced(),
                all.maxQueuePairs(), all.maxCompletionQueues(), all.maxCompletionEntries(), all.maxRegions(), all.maxWindows(),
                all.maxWorkRequests(), all.maxReadAtomic(), all.maxInlineBytes(), all.maxMessageBytes(),
                all.maxPrivateDataBytes(), longest);
        return (RdmaDevice) Proxy.newProxyInstance(RdmaDevice.class.getClassLoader(), new Class<?>[] {RdmaDevice.class},
                (_, method, arguments) -> {
                    try {
                        return method.getName().equals("attributes") ? fewer : method.invoke(device, arguments);
                    } catch (InvocationTargetException e) {
                        throw e.getCause();
                    }
                });
    }

    @Test
    void windowsOfTypeOneAreFreedToKillTheirKeys() {
        AtomicLong clock = new AtomicLong(1);
        try (RdmaDevice device = RdmaDevice.open(DeviceOptions.soft());
                MemoryNode node = MemoryNode.start(withWindows(device, Set.of(MemoryWindowType.TYPE_1)),
                        OPTIONS.withClock(clock::get));
                RawClient client = RawClient.start(node.address(), Link.LOCAL, 1)) {
            long a = allocate(client, 128);
            Granted first = granted(client, exclusive(a, 64));
            Granted second = granted(client, exclusive(a + 64, 64));
            assertThat(client.write(a, 64, first.key())).isEqualTo(WorkCompletionStatus.SUCCESS);
            assertThat(client.extend(first, 10)).as("the row of lease words").isTrue();
            client.call(new Relinquish(List.of(first.lease())));
            assertThat(device.resources().boundWindows()).isEqualTo(2);
            assertThat(client.write(a, 64, first.key())).isEqualTo(WorkCompletionStatus.REM_ACCESS_ERR);
            client.connectData(1);
            int key = client.activate(1, 2).keys().getFirst().key();
            assertThat(client.write(a + 64, 64, key)).isEqualTo(WorkCompletionStatus.SUCCESS);
            assertThat(key).isNotEqualTo(second.key());
            clock.addAndGet(11 * MILLI);
            node.tick();
            assertThat(node.counts().leases()).isZero();
            assertThat(device.resources().boundWindows()).isEqualTo(1);
        }
    }

    @Test
    void aLeaseLongerThanTheDevicesWindowsIsRefusedBeforeItHarmsTheSession() {
        try (RdmaDevice device = RdmaDevice.open(DeviceOptions.soft());
                MemoryNode node = MemoryNode.start(withWindows(device, Set.of(MemoryWindowType.TYPE_2B), 1 << 20), OPTIONS);
                RawClient client = RawClient.start(node.address(), Link.LOCAL, 1)) {
            long a = allocate(client, 2 << 20);
            NodeFixture.assertFailed(client.call(exclusive(a, (1 << 20) + 64)), ControlMessage.Reason.BAD_REQUEST);
            Granted longest = granted(client, exclusive(a, 1 << 20));
            assertThat(client.write(a, 64, longest.key())).isEqualTo(WorkCompletionStatus.SUCCESS);
        }
    }

    @Test
    void aDeviceWithoutWindowsIsRefused() {
        try (RdmaDevice device = RdmaDevice.open(DeviceOptions.soft())) {
            assertThatThrownBy(() -> MemoryNode.start(withWindows(device, Set.of()), OPTIONS)).isInstanceOf(RdmaException.class)
                    .hasMessageContaining("needs type 2B or type 1");
            assertNothingOpen(device);
        }
    }

    @Test
    void aDeviceThatTheCallerOwnsOutlivesTheNode() {
        try (RdmaDevice device = RdmaDevice.open(DeviceOptions.soft())) {
            for (int i = 0; i < 3; i++) {
                try (MemoryNode node = MemoryNode.start(device, OPTIONS);
                        RawClient client = RawClient.start(node.address(), Link.LOCAL, 1)) {
                    granted(client, acquire(allocate(client, 64), 64, NodeFixture.READ, LeaseMode.SHARED, 60_000 * MILLI, 0));
                }
                assertNothingOpen(device);
            }
            try (MemoryNode node = MemoryNode.start(device, OPTIONS)) {
                assertThatThrownBy(() -> MemoryNode.start(device, OPTIONS)).as("it listens already")
                        .isInstanceOf(RdmaException.class);
                assertThat(node.counts().device().queuePairs()).as("the one that failed has left nothing").isEqualTo(2);
            }
        }
    }

    private static void assertNothingOpen(RdmaDevice device) {
        ResourceCounts counts = device.resources();
        assertThat(new ResourceCounts(counts.protectionDomains(), counts.regions(), counts.windows(), counts.boundWindows(),
                counts.queuePairs(), counts.completionQueues(), 0)).isEqualTo(ResourceCounts.NONE);
    }

    @Test
    void aDeviceThatRunsOutOfWindowsSaysSo() {
        NodeOptions few = OPTIONS.withDevice(DeviceOptions.soft().withMaxWindows(2));
        try (MemoryNode node = MemoryNode.start(few); RawClient client = RawClient.start(node.address(), Link.LOCAL, 1)) {
            long a = allocate(client, 64);
            Granted lease = granted(client, acquire(a, 64, NodeFixture.READ, LeaseMode.SHARED, 60_000 * MILLI, 0));
            NodeFixture.assertFailed(client.call(acquire(a, 64, NodeFixture.READ, LeaseMode.SHARED, MILLI, 0)),
                    ControlMessage.Reason.OUT_OF_WINDOWS);
            client.call(new Relinquish(List.of(lease.lease())));
            granted(client, acquire(a, 64, NodeFixture.READ, LeaseMode.SHARED, MILLI, 0));
        }
    }
}
