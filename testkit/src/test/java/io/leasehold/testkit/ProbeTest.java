package io.leasehold.testkit;

import static org.assertj.core.api.Assertions.assertThat;

import io.leasehold.rdma.DeviceOptions;
import io.leasehold.rdma.Link;
import io.leasehold.rdma.ProbeReport;
import io.leasehold.rdma.RdmaDevice;
import io.leasehold.rdma.ResourceCounts;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/// [RdmaDevice#probe()] finds nothing on a device that keeps its promises, and on one that does not it finds which it breaks.
final class ProbeTest {
    @ParameterizedTest
    @EnumSource(value = Link.class, names = {"LOCAL", "TCP"})
    void aDeviceThatBehavesPassesAndIsLeftAsItWas(Link link) {
        try (RdmaDevice device = RdmaDevice.open(DeviceOptions.soft().withLinks(link))) {
            ProbeReport report = device.probe();
            assertThat(report.failures()).isEmpty();
            assertThat(report.trials()).hasSize(37);
            assertThat(report.toString()).contains("ok      a window bound for READ opens to READ",
                    "ok      the byte behind a region cannot be written");
            ResourceCounts left = device.resources();
            assertThat(left.queuePairs() + left.windows() + left.regions() + left.protectionDomains() + left.completionQueues())
                    .isZero();
        }
    }

    @ParameterizedTest
    @CsvSource({
        "SKIP_INVALIDATION, an invalidated key opens nothing",
        "IGNORE_RIGHTS,     a window bound for READ refuses WRITE",
        "WIDEN_BOUNDS,      the byte behind a window cannot be read",
        "WIDEN_BOUNDS,      the byte before a window cannot be read",
        "SKIP_BIND,         a window bound for READ opens to READ",
        "IGNORE_QUEUE_PAIR, a window answers on its own queue pair only",
        "LEAK_WINDOWS,      the key of a closed window opens nothing",
        "LEAK_WINDOWS,      what was tried can be closed",
        "WIDEN_BOUNDS,      the byte behind a window cannot be written",
        "WIDEN_BOUNDS,      the word behind a window cannot be added to",
        "WIDEN_REGIONS,     the byte behind a region cannot be read",
        "WIDEN_REGIONS,     the byte behind a region cannot be written",
        "WIDEN_REGIONS,     the word behind a region cannot be added to",
        "IGNORE_REGION_RIGHTS, a region registered for READ refuses WRITE",
        "KEEP_REGIONS,      the key of a closed region opens nothing",
        "IGNORE_DOMAIN,     a region answers on queue pairs of its own protection domain only"})
    void aDeviceThatLiesIsFoundOut(Mutation mutation, String failure) {
        try (MutantDevice device = MutantDevice.of(RdmaDevice.open(DeviceOptions.soft().withLinks(Link.LOCAL)))) {
            device.mutate(mutation);
            List<ProbeReport.Trial> failures = device.probe().failures();
            assertThat(failures).extracting(ProbeReport.Trial::name).contains(failure);
        }
    }

    @Test
    void whereThereAreNoWindowsRegionsAreTriedAllTheSame() {
        try (RdmaDevice device = RdmaDevice.open(DeviceOptions.soft().withLinks(Link.LOCAL).withMaxWindows(0))) {
            ProbeReport report = device.probe();
            assertThat(report.failures()).extracting(ProbeReport.Trial::name).containsExactly("has memory windows of type 2B");
            assertThat(report.passed(ProbeReport.Subject.WINDOWS)).isFalse();
            assertThat(report.passed(ProbeReport.Subject.REGIONS)).isTrue();
            assertThat(report.trials()).hasSize(19);
        }
    }

    @Test
    void aFailureIsToldInALine() {
        var report = new ProbeReport("dev0", List.of(new ProbeReport.Trial(ProbeReport.Subject.WINDOWS, "it flies", false, "it fell")));
        assertThat(report.passed()).isFalse();
        assertThat(report).hasToString("dev0\nFAILED  it flies: it fell");
    }
}
