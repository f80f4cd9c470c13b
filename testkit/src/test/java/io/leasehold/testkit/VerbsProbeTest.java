package io.leasehold.testkit;

import static org.assertj.core.api.Assertions.assertThat;

import io.leasehold.rdma.DeviceOptions;
import io.leasehold.rdma.ProbeReport;
import io.leasehold.rdma.RdmaDevice;
import io.leasehold.rdma.RdmaError;
import io.leasehold.rdma.RdmaException;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/// The probe on the RDMA device of this machine; skipped, and the reason told, where there is none.
@Tag("rdma")
class VerbsProbeTest {
    @Test
    void aDeviceFailsWhereItIsKnownToAndNowhereElse() {
        try (RdmaDevice device = RdmaDevice.open(DeviceOptions.verbs())) {
            ProbeReport report = device.probe();
            assertThat(report.trials()).hasSize(37);
            if (System.getProperty("leasehold.test.device", "").equals("rxe-as-shipped")) {
                assertThat(device.attributes().windowBoundsEnforced()).isFalse();
                assertThat(report.failures()).extracting(ProbeReport.Trial::name).containsExactly(
                        "the 8 bytes behind a window cannot be read", "the byte behind a window cannot be read",
                        "the byte before a window cannot be read", "a read across the end of a window is refused",
                        "the byte behind a window cannot be written", "the word behind a window cannot be added to");
                assertThat(report.passed(ProbeReport.Subject.REGIONS)).as("what leases rest on there").isTrue();
            } else {
                assertThat(device.attributes().windowBoundsEnforced()).isTrue();
                assertThat(report.failures()).isEmpty();
            }
        } catch (RdmaException e) {
            Assumptions.assumeFalse(e.error() == RdmaError.UNSUPPORTED, e.getMessage());
            throw e;
        }
    }
}
