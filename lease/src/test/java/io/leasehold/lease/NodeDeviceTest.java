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
import io.leasehold.rdma.DeviceOptions;
import io.leasehold.rdma.Link;
import io.leasehold.rdma.RdmaDevice;
import io.leasehold.rdma.RdmaException;
import io.leasehold.rdma.ResourceCounts;
import io.leasehold.rdma.WorkCompletionStatus;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// The node on devices that have less, or that somebody else owns.
@Timeout(60)
final class NodeDeviceTest {
    private static final NodeOptions OPTIONS = NodeOptions.ofMemory(4 << 20);

    @Test
    void aLeaseLongerThanTheDevicesWindowsIsRefusedBeforeItHarmsTheSession() {
        try (RdmaDevice device = RdmaDevice.open(DeviceOptions.soft());
                MemoryNode node = MemoryNode.start(AlteredDevice.withLongestWindow(device, 1 << 20), OPTIONS);
                RawClient client = RawClient.start(node.address(), Link.LOCAL, 1)) {
            long a = allocate(client, 2 << 20);
            NodeFixture.assertFailed(client.call(exclusive(a, (1 << 20) + 64)), ControlMessage.Reason.BAD_REQUEST);
            Granted longest = granted(client, exclusive(a, 1 << 20));
            assertThat(client.write(a, 64, longest.key())).isEqualTo(WorkCompletionStatus.SUCCESS);
        }
    }

    @Test
    void aLeaseOnARegionMayBeLongerThanWindows() {
        try (RdmaDevice device = RdmaDevice.open(DeviceOptions.soft());
                MemoryNode node = MemoryNode.start(AlteredDevice.withLongestWindow(device, 1 << 20), OPTIONS.withRegionsOnly());
                RawClient client = RawClient.start(node.address(), Link.LOCAL, 1)) {
            long a = allocate(client, 2 << 20);
            Granted lease = granted(client, exclusive(a, 2 << 20));
            assertThat(client.write(a + (2 << 20) - 64, 64, lease.key())).isEqualTo(WorkCompletionStatus.SUCCESS);
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
