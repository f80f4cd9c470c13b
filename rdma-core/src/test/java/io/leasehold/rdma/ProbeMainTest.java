package io.leasehold.rdma;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Tag("rdma")
final class ProbeMainTest {
    private final ByteArrayOutputStream out = new ByteArrayOutputStream();
    private final ByteArrayOutputStream err = new ByteArrayOutputStream();

    private int run(String... arguments) {
        return ProbeMain.run(List.of(arguments), new PrintStream(out, true, StandardCharsets.UTF_8),
                new PrintStream(err, true, StandardCharsets.UTF_8));
    }

    @Test
    void aGoodDevicePasses() {
        assertThat(run("--device", "soft")).isZero();
        assertThat(out.toString(StandardCharsets.UTF_8)).contains("ok      a window bound for READ opens to READ")
                .contains("All 37 trials ended as they must").doesNotContain("FAILED");
        assertThat(err.size()).isZero();
    }

    @Test
    void theReportEndsWithWhatItMeansForLeases() {
        assertThat(run("--device", "soft")).isZero();
        assertThat(out.toString(StandardCharsets.UTF_8).lines().toList().getLast()).endsWith("leases on this device hold.");
    }

    /// With an RDMA device its report, with none one sentence that says why.
    @Test
    void thisMachinesDeviceIsProbedOrMissed() {
        int status = run();
        if (out.size() == 0) {
            assertThat(status).isEqualTo(1);
            assertThat(err.toString(StandardCharsets.UTF_8).lines()).singleElement().asString()
                    .startsWith("leasehold probe: ").contains("RDMA");
        } else {
            assertThat(out.toString(StandardCharsets.UTF_8)).contains("of provider 'verbs'", "an invalidated key opens nothing");
            assertThat(status).isEqualTo(out.toString(StandardCharsets.UTF_8).contains("FAILED") ? 1 : 0);
        }
    }

    @Test
    void aDeviceThatIsNotThereIsOneSentence() {
        assertThat(run("--device", "verbs:none")).isEqualTo(1);
        assertThat(err.toString(StandardCharsets.UTF_8).lines()).singleElement().asString()
                .containsAnyOf("no RDMA on this machine: ", "no RDMA device is called 'none'");
    }

    @ParameterizedTest
    @ValueSource(strings = {"rxe0", "--device", "--device rxe0", "--device soft now"})
    void aWrongCommandLineIsExplained(String line) {
        assertThat(run(line.split(" "))).isEqualTo(2);
        assertThat(err.toString(StandardCharsets.UTF_8)).startsWith("leasehold probe: ").contains("Usage:");
    }

    @Test
    void helpIsNoTrouble() {
        assertThat(run("--help")).isZero();
        assertThat(out.toString(StandardCharsets.UTF_8)).contains("--device");
    }
}
