package io.leasehold.rdma.disni;

import static org.assertj.core.api.Assertions.assertThat;

import io.leasehold.rdma.ResourceCounts;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// A program written for DiSNI's verbs API, [DisniProgram], runs on Leasehold's provider and the RDMA device of this machine.
@Tag("rdma")
@Timeout(120)
class DisniProgramTest {
    private InetSocketAddress own;

    @BeforeAll
    static void install() {
        Disni.install();
    }

    @BeforeEach
    void findDevice() throws Exception {
        own = RdmaAddress.anyPort();
    }

    @AfterEach
    void shutDown() {
        Disni.shutdown();
    }

    @Test
    void sendsReceivesReadsAndWritesAndLeavesNothing() throws Exception {
        assertThat(DisniProgram.run(own)).isEqualTo("by a cli");
        Disni.Resources left = Disni.resources();
        assertThat(left.eventChannels()).isZero();
        assertThat(left.ids()).isZero();
        assertThat(left.devices()).hasSize(1).allSatisfy((name, counts) -> assertThat(counts)
                .as("left on %s", name).isEqualTo(new ResourceCounts(0, 0, 0, 0, 0, 0, counts.threads())));
    }

    @Test
    void runsManyTimesAtOnce() throws Exception {
        List<Future<String>> runs = new ArrayList<>();
        try (ExecutorService executor = Executors.newCachedThreadPool()) {
            for (int i = 0; i < 8; i++) {
                runs.add(executor.submit(() -> DisniProgram.run(own)));
            }
            for (Future<String> run : runs) {
                assertThat(run.get(100, TimeUnit.SECONDS)).isEqualTo("by a cli");
            }
        }
        assertThat(Disni.resources().ids()).isZero();
        assertThat(Disni.resources().devices()).hasSize(1).allSatisfy((name, counts) -> assertThat(counts.queuePairs()).isZero());
    }

    @Test
    void runsAgainAfterAShutDown() throws Exception {
        for (int round = 0; round < 3; round++) {
            assertThat(DisniProgram.run(own)).isEqualTo("by a cli");
            Disni.shutdown();
            assertThat(Disni.resources().devices()).isEmpty();
        }
    }

    @Test
    void needsNoLibdisniNoOpenedModuleAndNoLog4j() throws Throwable {
        DisniInstallTest.assertNothingIsOpenedUp();
        try (FreshClasses fresh = new FreshClasses()) {
            fresh.call(Disni.class.getName(), "install");
            Object read = fresh.loadClass(DisniProgram.class.getName()).getMethod("run", InetSocketAddress.class).invoke(null, own);
            assertThat(read).isEqualTo("by a cli");
            fresh.assertNoNativePart();
            fresh.call(Disni.class.getName(), "shutdown");
        }
    }
}
