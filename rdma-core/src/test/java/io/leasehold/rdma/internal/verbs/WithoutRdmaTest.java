package io.leasehold.rdma.internal.verbs;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.leasehold.rdma.DeviceOptions;
import io.leasehold.rdma.RdmaDevice;
import io.leasehold.rdma.RdmaError;
import io.leasehold.rdma.RdmaException;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;

/// One sentence says what is missing and how to get it.
final class WithoutRdmaTest {
    @Test
    void theLibraryIsNotInstalled() {
        assertThatExceptionOfType(RdmaException.class).isThrownBy(() -> SystemVerbsLibrary.load("libnothing.so.1"))
                .satisfies(WithoutRdmaTest::isASentence).withMessageContaining("libnothing.so.1 is not installed")
                .withMessageContaining("apt-get install");
    }

    @Test
    void theLibraryIsAnother() {
        assertThatExceptionOfType(RdmaException.class).isThrownBy(() -> SystemVerbsLibrary.load("libc.so.6"))
                .satisfies(WithoutRdmaTest::isASentence).withMessageContaining("too old");
    }

    @Test
    void thisMachineHasADeviceOrSaysWhyNot() {
        try (RdmaDevice device = RdmaDevice.open(DeviceOptions.verbs())) {
            assertThat(device.attributes().provider()).isEqualTo("verbs");
        } catch (RdmaException e) {
            isASentence(e);
            assertThat(e).hasMessageContaining("RDMA");
            Assumptions.abort(e.getMessage());
        }
    }

    private static void isASentence(RdmaException e) {
        assertThat(e.error()).isEqualTo(RdmaError.UNSUPPORTED);
        assertThat(e.getMessage()).doesNotContain("\n").doesNotContain("Exception");
    }
}
