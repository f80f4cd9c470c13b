package io.leasehold.benchmarks;

import static org.assertj.core.api.Assertions.assertThat;

import io.leasehold.lease.MemoryNode;
import io.leasehold.lease.NodeOptions;
import io.leasehold.lease.Session;
import io.leasehold.lease.SessionOptions;
import io.leasehold.rdma.DeviceOptions;
import io.leasehold.rdma.Link;
import io.leasehold.structures.Protection;
import io.leasehold.testkit.Await;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/// What `bench protection`, `recovery` and `scaling` run does what it says, in one process.
final class BaselineTest {
    private static final long NANOS = 20_000_000;

    private static MemoryNode node() {
        return MemoryNode.start(NodeOptions.ofMemory(64 << 20).withDevice(DeviceOptions.soft().withMaxWindows(1 << 17)));
    }

    @Test
    void rpcAnswersEachRequestWithItsOwn() throws Exception {
        try (RpcServer server = new RpcServer(); Client client = new RpcConnector(server.address().toString(), Link.TCP).connect()) {
            MapStore map = client.map("any", 0);
            Records records = new Records(4096);
            assertThat(map.get(Records.key(7))).isNull();
            Requests requests = new Requests();
            for (int entry = 0; entry < 200; entry++) {
                requests.addWrite(Records.key(entry), records.value(entry));
            }
            map.execute(requests);
            requests.clear();
            for (int entry = 0; entry < 200; entry++) {
                requests.addRead(Records.key(entry));
            }
            requests.addWrite(Records.key(3), new Records(8).value(3));
            map.execute(requests);
            for (int entry = 0; entry < 200; entry++) {
                records.check(entry, requests.found(entry));
            }
            new Records(8).check(3, map.get(Records.key(3)));
        }
    }

    @Test
    void aRingCarriesFramesThereAndBack(@TempDir Path directory) throws Exception {
        Path file = directory.resolve("ring");
        AtomicBoolean isOver = new AtomicBoolean();
        try (PlainRing first = new PlainRing(file, true); PlainRing second = new PlainRing(file, false)) {
            assertThat(second.takeAll(PlainRing.REQUEST_BYTES)).isZero();
            Thread echo = Thread.ofPlatform().start(() -> {
                while (!isOver.get()) {
                    int count = second.takeAll(PlainRing.REQUEST_BYTES);
                    for (int i = 0; i < count; i++) {
                        second.put(PlainRing.ANSWER_BYTES);
                    }
                    second.publish();
                    Thread.yield();
                }
            });
            for (int i = 0; i < 100; i++) {
                first.exchange(1 + i % 64);
            }
            isOver.set(true);
            echo.join();
            assertThat(first.takeAll(PlainRing.ANSWER_BYTES)).isZero();
        }
    }

    @ParameterizedTest
    @EnumSource(LeaseWork.class)
    void leasesDoTheirWork(LeaseWork work) throws IOException {
        try (MemoryNode node = node(); Session session = Session.connect(node.address(), SessionOptions.defaults())) {
            LeaseWork.Step step = work.on(session);
            for (int i = 0; i < 100; i++) {
                step.run();
            }
            int kept = work == LeaseWork.GRANT ? 0 : 1;
            Await.until(Duration.ofSeconds(10), "leases that are left: " + kept, () -> node.counts().leases() == kept);
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void recoveryIsMeasured(boolean isReconnecting) throws Exception {
        try (MemoryNode node = node();
                Workbench workbench = new Workbench(
                        new LeaseholdConnector(node.address().toString(), Link.LOCAL, Protection.STRUCTURE, 0).connect())) {
            Measured measured = new RunRecovery(node.address().toString(), Link.TCP, isReconnecting, NANOS).perform(workbench);
            assertThat(measured.operations()).isPositive();
            assertThat(measured.latencies().getMinValue()).isPositive();
        }
    }

    @Test
    void aCrowdReadsAtOnce() throws Exception {
        try (MemoryNode node = node()) {
            Connector connector = new LeaseholdConnector(node.address().toString(), Link.LOCAL, Protection.STRUCTURE, 100);
            try (Workbench workbench = new Workbench(connector.connect())) {
                Workload workload = new Workload(Mix.C, Distribution.UNIFORM, 64, 100);
                new LoadMap(workload.map(), 0, 100, 100, 64).perform(workbench);
                assertThat(new RunCrowd(connector, workload, 4, NANOS, 1).perform(workbench).operations()).isGreaterThan(4);
            }
        }
    }
}
