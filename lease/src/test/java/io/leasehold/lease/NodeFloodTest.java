package io.leasehold.lease;

import static io.leasehold.lease.NodeFixture.MILLI;
import static io.leasehold.lease.NodeFixture.allocate;
import static io.leasehold.lease.NodeFixture.assertFailed;
import static io.leasehold.lease.NodeFixture.exclusive;
import static io.leasehold.lease.NodeFixture.granted;
import static org.assertj.core.api.Assertions.assertThat;

import io.leasehold.lease.Allocation.Use;
import io.leasehold.lease.ControlMessage.Activate;
import io.leasehold.lease.ControlMessage.Allocate;
import io.leasehold.lease.ControlMessage.Allocated;
import io.leasehold.lease.ControlMessage.Free;
import io.leasehold.lease.ControlMessage.Granted;
import io.leasehold.lease.ControlMessage.Keys;
import io.leasehold.lease.ControlMessage.OpenNamed;
import io.leasehold.lease.ControlMessage.Reason;
import io.leasehold.lease.ControlMessage.Request;
import io.leasehold.rdma.AccessFlag;
import io.leasehold.rdma.DeviceOptions;
import io.leasehold.rdma.Link;
import io.leasehold.rdma.RdmaDevice;
import io.leasehold.testkit.Await;
import io.leasehold.testkit.MutantDevice;
import io.leasehold.testkit.WindowObserver;
import java.lang.foreign.Arena;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// The node, when some clients ask for more than their share: it goes on serving the others, in time.
@Timeout(60)
final class NodeFloodTest {
    private static final NodeOptions OPTIONS = NodeOptions.ofMemory(4 << 20);
    private static final int MIB = 1 << 20;

    private final AtomicLong clock = new AtomicLong(1);

    /// A policy that allows everything, and holds the control thread when it is asked about the name "hold": what is sent meanwhile
    /// arrives at once.
    private static final class Hold implements AccessPolicy {
        private final CountDownLatch held = new CountDownLatch(1);
        private final CountDownLatch letGo = new CountDownLatch(1);
        private final List<String> asked = Collections.synchronizedList(new ArrayList<>());

        @Override
        public boolean allows(String principal, Target target, Set<AccessRight> rights) {
            asked.add(principal);
            if (target.name().equals("hold")) {
                held.countDown();
                await(letGo);
            }
            return true;
        }

        void whileHeld(RawClient by, Runnable action) {
            by.send(new OpenNamed("hold", 64, true));
            await(held);
            action.run();
            letGo.countDown();
        }
    }

    private static void await(CountDownLatch latch) {
        try {
            assertThat(latch.await(20, TimeUnit.SECONDS)).isTrue();
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    private RawClient client(MemoryNode node, int number) {
        return RawClient.start(node.address(), Link.LOCAL, number);
    }

    @Test
    void activationsOfOthersDelayTheEndOfALeaseByOneAtMost() {
        Hold hold = new Hold();
        List<String> done = Collections.synchronizedList(new ArrayList<>());
        try (MutantDevice device = MutantDevice.of(RdmaDevice.open(DeviceOptions.soft()));
                MemoryNode node = MemoryNode.start(device, OPTIONS.withPolicy(hold).withClock(clock::get));
                RawClient holder = client(node, 1); RawClient one = client(node, 2); RawClient two = client(node, 3);
                RawClient three = client(node, 4); RawClient four = client(node, 5)) {
            List<RawClient> moving = List.of(one, two, three, four);
            moving.forEach(client -> client.connectData(1));
            Granted lease = granted(holder, exclusive(allocate(holder, 64), 64));
            device.observe(new WindowObserver() {
                @Override
                public void bound(int key, long address, long lengthBytes, int access, int queuePair) {
                    done.add(access == AccessFlag.REMOTE_ATOMIC.bit() ? "activated" : "bound");
                    clock.addAndGet(20 * MILLI);
                }

                @Override
                public void invalidated(int key) {
                    done.add(key == lease.key() ? "expired" : "invalidated");
                }
            });
            Map<RawClient, Long> asked = new LinkedHashMap<>();
            hold.whileHeld(holder, () -> moving.forEach(client -> asked.put(client, client.send(new Activate(1, 2)))));
            asked.forEach((client, request) -> assertThat(client.await(request)).isInstanceOf(Keys.class));
            assertThat(done).containsExactly("activated", "expired", "activated", "activated", "activated");
        }
    }

    @Test
    void anActivationThatALaterOneReplacesIsAnsweredToo() {
        AtomicBoolean armed = new AtomicBoolean();
        CountDownLatch letGo = new CountDownLatch(1);
        RdmaDevice slow = WatchedDevice.of(RdmaDevice.open(DeviceOptions.soft()), (call, _) -> {
            // The client is connected, and the node does not know it yet.
            if (call.equals("ConnectionRequest.accept done") && armed.get()) {
                await(letGo);
            }
        });
        try (slow; MemoryNode node = MemoryNode.start(slow, OPTIONS); RawClient client = client(node, 1)) {
            armed.set(true);
            client.connectData(1);
            long first = client.send(new Activate(1, 2));
            long second = client.send(new Activate(1, 3));
            assertFailed(client.await(first), Reason.UNAVAILABLE);
            letGo.countDown();
            assertThat(client.await(second)).isInstanceOf(Keys.class);
        }
    }

    @Test
    void aFloodKeepsNoSilentSessionAlive() {
        List<RawClient> flooding = new CopyOnWriteArrayList<>();
        AtomicBoolean over = new AtomicBoolean();
        // As fast as the node serves, so do others ask: when it has looked at as much as it does in a turn there is always more.
        // They ask on its own thread, which carries out what is sent on the local link.
        NodeOptions options = OPTIONS.withLimits(16, 64, 64).withTerms(Duration.ofSeconds(60), Duration.ofSeconds(1))
                .withClock(clock::get).withPolicy((_, _, _) -> {
                    if (!over.get()) {
                        flooding.forEach(client -> client.keepAsking(48, new Allocate(64)));
                    }
                    return false;
                });
        try (MemoryNode node = MemoryNode.start(options)) {
            client(node, 100).close();
            List<RawClient> clients = IntStream.rangeClosed(1, 8).mapToObj(number -> client(node, number)).toList();
            flooding.addAll(clients);
            RawClient first = client(node, 99);
            assertFailed(first.call(new Allocate(64)), Reason.NOT_PERMITTED);
            first.close();
            clock.addAndGet(1_000 * MILLI);
            boolean ended = Await.holdsWithin(Duration.ofSeconds(10), () -> {
                clock.addAndGet(2 * MILLI);
                return node.counts().sessions() == clients.size();
            });
            over.set(true);
            assertThat(ended).isTrue();
            assertThat(node.counts().sessions()).as("no other has ended").isEqualTo(clients.size());
            clients.forEach(RawClient::close);
        }
    }

    // ---- memory that is not zeroed yet

    @Test
    void aRequestThatMustWaitForMemoryHoldsNobodyUp() {
        Hold hold = new Hold();
        try (MemoryNode node = MemoryNode.start(OPTIONS.withPolicy(hold)); RawClient owner = client(node, 1);
                RawClient large = client(node, 2); RawClient small = client(node, 3)) {
            List<Long> freed = new ArrayList<>();
            for (int i = 0; i < 3; i++) {
                freed.add(allocate(owner, MIB));
                allocate(owner, 64);
            }
            freed.add(allocate(owner, MIB - 192));
            long[] asked = new long[2];
            hold.whileHeld(owner, () -> {
                freed.forEach(offset -> owner.send(new Free(offset)));
                asked[0] = large.send(new Allocate(3 * MIB));
                asked[1] = small.send(new Allocate(64 << 10));
            });
            assertThat(small.await(asked[1])).isInstanceOf(Allocated.class);
            assertFailed(large.await(asked[0]), Reason.OUT_OF_MEMORY);
            assertThat(hold.asked.indexOf("principal 3")).as("served first").isLessThan(hold.asked.indexOf("principal 2"));
        }
    }

    @Test
    void aRequestWaitsForWhatWasFreeWhenItCameAndForNothingElse() {
        NodeMemory memory = new NodeMemory(Arena.ofAuto().allocate(4 * MIB, 4096));
        MemoryDesk desk = new MemoryDesk(OPTIONS, memory, Long.MAX_VALUE, _ -> { });
        Use use = new Use.Named("n");
        List<Allocation> freed = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            freed.add(memory.allocate(MIB, use));
            memory.allocate(64, use);
        }
        freed.forEach(memory::free);
        Request request = new Allocate(3 * MIB);
        MemoryDesk.Horizon horizon = desk.horizon(request);
        assertThat(desk.mustWait(request, horizon)).isTrue();
        for (int steps = 0; desk.mustWait(request, horizon); steps++) {
            assertThat(steps).isLessThan(3 * 4);
            // Somebody else frees as much as is zeroed.
            memory.free(memory.allocate(256 << 10, use));
            desk.tidy();
        }
        assertThat(desk.mustWait(request, desk.horizon(request))).as("who comes now waits").isTrue();
    }
}
