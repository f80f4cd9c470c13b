package io.leasehold.benchmarks;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.leasehold.rdma.Link;
import io.leasehold.structures.Protection;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// Every client that is measured does what it is asked to, and its server is gone at the end.
final class PeerTest {
    private static final int MEGABYTES = 64;
    private static final Duration PATIENCE = Duration.ofSeconds(5);
    private static final int COUNT = 10;

    private final PrintStream out = new PrintStream(new ByteArrayOutputStream());

    private RunOptions.Setup setup(Resources resources) throws Exception {
        Host host = resources.add(Host.create());
        return new RunOptions.Setup(resources, host, host, new Progress(out), out);
    }

    @ParameterizedTest
    @EnumSource(Peer.class)
    void peerDoesWhatItIsAskedTo(Peer peer) throws Exception {
        Optional<String> obstacle = peer.obstacle();
        assumeTrue(obstacle.isEmpty(), obstacle::get);
        long before = ProcessHandle.current().descendants().count();
        try (Resources resources = new Resources()) {
            check(new Peer.Servers(setup(resources), MEGABYTES).connector(peer), peer.hasQueues());
            assertThat(ProcessHandle.current().descendants().count()).isGreaterThan(before);
        }
        assertThat(ProcessHandle.current().descendants().count()).isEqualTo(before);
    }

    @Test
    void leaseholdDoesWhatItIsAskedTo() throws Exception {
        try (Resources resources = new Resources()) {
            NodeServer node = resources.add(NodeServer.start(setup(resources).servers(), MEGABYTES));
            check(node.connector(Link.SHARED_MEMORY, Protection.STRUCTURE, 100), true);
        }
    }

    private static void check(Connector connector, boolean hasQueues) throws Exception {
        try (Client client = connector.connect()) {
            checkMap(client.map("ycsb-64", COUNT), client.map("ycsb-1024", COUNT));
            if (hasQueues) {
                checkQueue(client.queue("queue"));
            }
        }
    }

    private static void checkMap(MapStore map, MapStore other) throws Exception {
        Records records = new Records(64);
        assertThat(map.get(Records.key(1))).isNull();
        map.set(Records.key(1), records.value(1));
        records.check(1, map.get(Records.key(1)));
        assertThat(other.get(Records.key(1))).isNull();
        Requests requests = new Requests();
        for (int i = 0; i < COUNT; i++) {
            requests.addRead(Records.key(i));
            requests.addWrite(Records.key(100 + i), records.value(100 + i));
        }
        map.execute(requests);
        for (int i = 0; i < COUNT; i++) {
            assertThat(requests.found(i) != null).as("entry %d is there", i).isEqualTo(i == 1);
            records.check(100 + i, map.get(Records.key(100 + i)));
        }
        records.check(1, requests.found(1));
        map.remove(List.of(Records.key(1), Records.key(100), Records.key(5)));
        assertThat(map.get(Records.key(1))).isNull();
        assertThat(map.get(Records.key(100))).isNull();
        records.check(101, map.get(Records.key(101)));
    }

    private static void checkQueue(QueueStore queue) throws Exception {
        Records records = new Records(64);
        assertThat(queue.take(Duration.ofMillis(1))).isNull();
        assertThat(queue.takeAll(COUNT, Duration.ofMillis(1))).isZero();
        queue.put(records.value(1));
        queue.put(records.value(2));
        records.check(1, queue.take(PATIENCE));
        records.check(2, queue.take(PATIENCE));
        List<byte[]> many = new ArrayList<>();
        for (int i = 0; i < COUNT; i++) {
            many.add(records.value(i));
        }
        queue.putAll(many);
        records.check(0, queue.take(PATIENCE));
        int taken = 0;
        while (taken < COUNT - 1) {
            int some = queue.takeAll(COUNT, PATIENCE);
            assertThat(some).as("after %d of %d", taken, COUNT - 1).isPositive();
            taken += some;
        }
        assertThat(taken).isEqualTo(COUNT - 1);
        assertThat(queue.takeAll(COUNT, Duration.ofMillis(1))).isZero();
    }
}
