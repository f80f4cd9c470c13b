package io.leasehold.lease;

import io.leasehold.rdma.DeviceOptions;
import io.leasehold.rdma.RdmaDevice;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Set;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.function.LongSupplier;

/// A memory node, a device for its clients, and the clients that a property makes of it: shared by all tries of a property.
///
/// Sessions do not die of silence unless a property shortens their term: what lives for a short time here are leases.
final class LeaseCluster implements AutoCloseable {
    /// Longer than any test.
    static final Duration FOR_EVER = Duration.ofMinutes(30);
    /// The true time; what the node goes by unless something is wrong with its clock.
    static final LongSupplier CLOCK = System::nanoTime;

    private static final long MEMORY_BYTES = 4 << 20;
    private static final int CLIENT_SCRATCH_BYTES = 1 << 18;
    private static final Duration LONGEST_TERM = Duration.ofHours(1);

    private final Setting setting;
    private final RdmaDevice nodeDevice;
    private final RdmaDevice clientDevice;
    private final MemoryNode node;
    private final ExecutorService threads = Executors.newCachedThreadPool(
            Thread.ofPlatform().daemon().name("attack-", 0).factory());
    private final Deque<AutoCloseable> made = new ArrayDeque<>();

    private LeaseCluster(Setting setting) {
        this.setting = setting;
        NodeOptions usual = NodeOptions.ofMemory(MEMORY_BYTES).withTerms(LONGEST_TERM, LONGEST_TERM)
                .withClock(setting.nodeClock().apply(CLOCK));
        NodeOptions options = setting.node().apply(usual.withDevice(setting.fabric().on(usual.device())));
        nodeDevice = setting.nodeDevice().apply(RdmaDevice.open(options.device()));
        clientDevice = openClientDevice();
        node = MemoryNode.start(nodeDevice, options);
    }

    static LeaseCluster start(Setting setting) {
        return new LeaseCluster(setting);
    }

    /// The node.
    MemoryNode node() {
        return node;
    }

    /// What the node's device holds.
    RdmaDevice nodeDevice() {
        return nodeDevice;
    }

    /// The device that all clients share which are not to die.
    RdmaDevice clientDevice() {
        return clientDevice;
    }

    /// A device for a client of its own.
    RdmaDevice openClientDevice() {
        return setting.clientDevice().apply(RdmaDevice.open(setting.fabric().on(DeviceOptions.soft())));
    }

    /// A bare client that lives as long as the cluster.
    BareClient bareClient() {
        return closing(openBareClient(clientDevice).ready(BareClient.PAIRS));
    }

    /// A bare client that has introduced itself, for the caller to make ready, and to close or kill.
    BareClient openBareClient(RdmaDevice device) {
        return new BareClient(device, node.address(), setting.modes());
    }

    /// A session that lives as long as the cluster.
    Session session() {
        return closing(openSession(clientDevice));
    }

    /// A session for the caller to close.
    Session openSession(RdmaDevice device) {
        return Session.connect(device, node.address(), sessionOptions());
    }

    private SessionOptions sessionOptions() {
        SessionOptions usual = SessionOptions.defaults();
        return new SessionOptions(usual.device(), "library", usual.spareQueuePairs(), 64, CLIENT_SCRATCH_BYTES,
                BareClient.PATIENCE, BareClient.PATIENCE, usual.drift(), setting.fabric().clientClock(CLOCK));
    }

    /// What becomes of the mode of a request for a lease on its way to the node; itself, unless something is wrong on purpose.
    LeaseMode onTheWay(LeaseMode mode) {
        return setting.modes().apply(mode);
    }

    /// Sees all bytes of a piece of memory, whatever leases there are on it.
    Witness witness(long offset, int lengthBytes) {
        return new Witness(bareClient(), offset, lengthBytes);
    }

    /// Threads for what goes on at the same time.
    ExecutorService threads() {
        return threads;
    }

    /// Has `thing` closed with the cluster, before whatever was made earlier.
    <T extends AutoCloseable> T closing(T thing) {
        made.push(thing);
        return thing;
    }

    @Override
    public void close() {
        threads.shutdownNow();
        try {
            while (!made.isEmpty()) {
                made.pop().close();
            }
        } catch (Exception e) {
            throw new AssertionError("a client could not be closed", e);
        } finally {
            node.close();
            clientDevice.close();
            nodeDevice.close();
        }
    }

    /// A client with a lease to read that conflicts with none.
    static final class Witness {
        private final BareClient client;
        private final ControlMessage.Granted lease;

        private Witness(BareClient client, long offset, int lengthBytes) {
            this.client = client;
            lease = client.acquire(offset, lengthBytes, Set.of(AccessRight.READ), LeaseMode.UNCHECKED, FOR_EVER);
        }

        /// All bytes, now.
        byte[] see() {
            int lengthBytes = (int) lease.lengthBytes();
            var status = client.read(client.address(lease.offset()), client.key(lease), lengthBytes);
            if (status != io.leasehold.rdma.WorkCompletionStatus.SUCCESS) {
                throw new AssertionError("a live lease to read was refused: " + status);
            }
            return client.fetched(lengthBytes);
        }
    }
}
