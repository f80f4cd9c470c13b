package io.leasehold.lease;

import static org.assertj.core.api.Assertions.assertThat;

import io.leasehold.rdma.DeviceOptions;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

@Timeout(60)
final class NodeMainTest {
    private final ByteArrayOutputStream out = new ByteArrayOutputStream();
    private final ByteArrayOutputStream err = new ByteArrayOutputStream();

    private int run(InputStream in, CountDownLatch asked, String... arguments) {
        return NodeMain.run(List.of(arguments), in, new PrintStream(out, true, StandardCharsets.UTF_8),
                new PrintStream(err, true, StandardCharsets.UTF_8), asked);
    }

    private int run(String... arguments) {
        return run(InputStream.nullInputStream(), new CountDownLatch(1), arguments);
    }

    @Test
    void aNodeSaysWhereItIsAndEndsWithItsInput() {
        int status = run(new ByteArrayInputStream("ignored\n".getBytes(StandardCharsets.UTF_8)), new CountDownLatch(1),
                "--memory", "16m", "--node", "7", "--until-stdin-closes");
        assertThat(status).isZero();
        assertThat(out.toString(StandardCharsets.UTF_8))
                .matches("leasehold node 7 at soft:127\\.0\\.0\\.1:\\d+/[0-9a-f]{16}, 16 MiB\\R");
        assertThat(err.size()).isZero();
    }

    @Test
    void aNodeServesUntilItIsAsked() throws InterruptedException {
        CountDownLatch asked = new CountDownLatch(1);
        int[] status = {-1};
        Thread thread = Thread.ofPlatform().start(() -> status[0] = run(InputStream.nullInputStream(), asked, "--memory", "1g"));
        while (!out.toString(StandardCharsets.UTF_8).endsWith("1 GiB" + System.lineSeparator())) {
            Thread.onSpinWait();
        }
        String address = out.toString(StandardCharsets.UTF_8).replaceAll("(?s).* at (\\S+)/.*", "$1");
        SessionOptions options = SessionOptions.defaults().withDevice(DeviceOptions.soft());
        try (Session session = Session.connect(address, options)) {
            assertThat(session.acquireRead(session.allocate(64), 64, Duration.ofSeconds(1)).isLive()).isTrue();
        }
        asked.countDown();
        thread.join();
        assertThat(status[0]).isZero();
    }

    @ParameterizedTest
    @CsvSource({
        "'', --memory is missing",
        "--memory, --memory needs a value",
        "--memory 2t, --memory 2t is no size",
        "--memory 100k, is no multiple of 1 MiB",
        "--memory 999999999999g, is no multiple of 1 MiB",
        "--memory 2g --port 65536, --port 65536 is no number from 0 to 65535",
        "--memory 2g --node -1, --node -1 is no number from 0 to 1023",
        "--memory 2g --device mlx5_0, --device 'mlx5_0' names no device; write soft",
        "--memory 2g --device soft:rxe0, --device 'soft:rxe0' names no device",
        "--memory 2g --fast, unknown argument '--fast'"
    })
    void aWrongCommandLineIsExplained(String line, String sentence) {
        assertThat(run(line.isEmpty() ? new String[0] : line.split(" "))).isEqualTo(2);
        assertThat(err.toString(StandardCharsets.UTF_8)).startsWith("leasehold node: ").contains(sentence).contains("Usage:");
        assertThat(out.size()).isZero();
    }

    @Test
    void troubleIsOneSentence() {
        assertThat(run("--memory", "1m", "--conf", "no/such/file")).isEqualTo(1);
        assertThat(err.toString(StandardCharsets.UTF_8).lines()).singleElement().asString()
                .contains("no/such/file cannot be read");
    }

    /// On any machine: none has a device of this name.
    @Test
    void aDeviceThatIsNotThereIsOneSentence() {
        assertThat(run("--memory", "1m", "--device", "verbs:none")).isEqualTo(1);
        assertThat(err.toString(StandardCharsets.UTF_8).lines()).singleElement().asString()
                .containsAnyOf("no RDMA on this machine: ", "no RDMA device is called 'none'");
        assertThat(out.size()).isZero();
    }

    @Test
    void helpIsNoTrouble() {
        assertThat(run("--help")).isZero();
        assertThat(out.toString(StandardCharsets.UTF_8)).contains("--until-stdin-closes");
    }
}
