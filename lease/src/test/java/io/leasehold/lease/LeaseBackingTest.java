package io.leasehold.lease;

import static org.assertj.core.api.Assertions.assertThat;

import io.leasehold.rdma.DeviceOptions;
import io.leasehold.rdma.MemoryWindowType;
import io.leasehold.rdma.RdmaDevice;
import io.leasehold.testkit.MutantDevice;
import io.leasehold.testkit.Mutation;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.function.UnaryOperator;
import java.util.logging.Handler;
import java.util.logging.Level;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import java.util.logging.SimpleFormatter;
import java.util.stream.Stream;
import net.jqwik.api.RandomGenerator;
import net.jqwik.api.sessions.JqwikSession;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/// What leases rest on is chosen by what the device has, and is said where a user looks: by the node, by the session and in the log.
@Timeout(60)
final class LeaseBackingTest {
    private static final NodeOptions OPTIONS = NodeOptions.ofMemory(1 << 20);
    private static final int TRIES = 50;

    /// Devices, and what a line of the log says of them.
    static Stream<Arguments> devicesWhoseWindowsDoNotDo() {
        return Stream.of(
                Arguments.of(altered(device -> AlteredDevice.withWindows(device, Set.of())), "has no memory windows of type 2B"),
                Arguments.of(altered(device -> AlteredDevice.withWindows(device, Set.of(MemoryWindowType.TYPE_1))),
                        "has no memory windows of type 2B"),
                Arguments.of(altered(LeaseBackingTest::saying), "does not enforce the bounds of its memory windows"));
    }

    private static UnaryOperator<RdmaDevice> altered(UnaryOperator<RdmaDevice> how) {
        return how;
    }

    /// `device`, which says that the bounds of its windows are not enforced.
    private static RdmaDevice saying(RdmaDevice device) {
        return AlteredDevice.withAttributes(device, all -> all.withWindowBoundsEnforced(false));
    }

    @ParameterizedTest
    @MethodSource("devicesWhoseWindowsDoNotDo")
    void regionsAreTakenWhereWindowsDoNotDo(UnaryOperator<RdmaDevice> altered, String reason) {
        try (RdmaDevice device = altered.apply(RdmaDevice.open(DeviceOptions.soft()))) {
            assertThat(LeaseBacking.of(device.attributes())).isEqualTo(LeaseBacking.REGION);
            List<String> told = told(device, OPTIONS, LeaseBacking.REGION);
            assertThat(told).hasSize(1);
            assertThat(told.getFirst()).startsWith("WARNING").contains(device.attributes().name(), reason);
        }
    }

    @Test
    void regionsAreTakenOnADeviceOpenedWithoutWindows() {
        try (RdmaDevice device = RdmaDevice.open(DeviceOptions.soft().withMaxWindows(0))) {
            assertThat(device.attributes().windowTypes()).isEmpty();
            assertThat(device.attributes().windowBoundsEnforced()).isFalse();
            told(device, OPTIONS, LeaseBacking.REGION);
        }
    }

    @Test
    void windowsAreTakenWhereTheyDo() {
        try (RdmaDevice device = RdmaDevice.open(DeviceOptions.soft())) {
            assertThat(LeaseBacking.of(device.attributes())).isEqualTo(LeaseBacking.WINDOW);
            assertThat(told(device, OPTIONS, LeaseBacking.WINDOW)).as("nobody needs to know").isEmpty();
        }
    }

    @Test
    void regionsAreTakenByThoseWhoWantThem() {
        try (RdmaDevice device = RdmaDevice.open(DeviceOptions.soft())) {
            List<String> told = told(device, OPTIONS.withRegionsOnly(), LeaseBacking.REGION);
            assertThat(told).hasSize(1);
            assertThat(told.getFirst()).startsWith("INFO").contains("as the options say");
        }
    }

    /// Starts a node and a session, which must say that leases rest on `expected`.
    ///
    /// @return what was logged meanwhile, from INFO on
    private static List<String> told(RdmaDevice device, NodeOptions options, LeaseBacking expected) {
        List<String> told = new ArrayList<>();
        Logger logger = Logger.getLogger(NodeFabric.class.getName());
        Handler handler = new Handler() {
            private final SimpleFormatter formatter = new SimpleFormatter();

            @Override
            public void publish(LogRecord line) {
                told.add(line.getLevel() + " " + formatter.formatMessage(line));
            }

            @Override
            public void flush() {
                // Nothing is kept.
            }

            @Override
            public void close() {
                // Nothing is open.
            }
        };
        handler.setLevel(Level.INFO);
        logger.addHandler(handler);
        try (MemoryNode node = MemoryNode.start(device, options);
                Session session = Session.connect(node.address(), SessionOptions.defaults())) {
            assertThat(node.backing()).isEqualTo(expected);
            assertThat(session.backing()).isEqualTo(expected);
            try (Lease lease = session.acquireWrite(session.allocate(64), 64, LeaseCluster.FOR_EVER)) {
                lease.write(0, new byte[64]);
            }
        } finally {
            logger.removeHandler(handler);
        }
        return told;
    }

    /// With windows, that is where [LeaseMutationTest] finds P1 broken.
    @Test
    void p01_confinement_holdsWhereWindowsAreTooWideAndTheDeviceSaysSo() throws Exception {
        Setting setting = Setting.on(Fabric.LOCAL).withNodeDevice(device -> {
            MutantDevice wide = MutantDevice.of(device);
            wide.mutate(Mutation.WIDEN_BOUNDS);
            return saying(wide);
        });
        List<List<Confinement.Step>> tries = new ArrayList<>();
        JqwikSession.run(() -> {
            RandomGenerator<List<Confinement.Step>> steps = new Confinement.Steps().get().generator(TRIES);
            java.util.Random random = new java.util.Random(7_654_321);
            for (int i = 0; i < TRIES; i++) {
                tries.add(steps.next(random).value());
            }
        });
        try (Confinement confinement = new Confinement(setting)) {
            for (List<Confinement.Step> steps : tries) {
                confinement.check(steps);
            }
        }
    }
}
