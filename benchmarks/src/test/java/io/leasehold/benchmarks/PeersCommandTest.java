package io.leasehold.benchmarks;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.leasehold.testkit.Await;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class PeersCommandTest {
    private static final Duration PATIENCE = Duration.ofSeconds(60);

    @BeforeEach
    void needsRedis() {
        Optional<String> obstacle = Peer.REDIS_JEDIS.obstacle();
        assumeTrue(obstacle.isEmpty(), obstacle::get);
    }

    @Test
    void comparesWithAPeer(@TempDir Path directory) throws Exception {
        assertThat(Bench.commandLine().execute("peers", "--turn", "40", "--rounds", "1", "--peers", "redis_jedis", "--entries", "1000",
                "--mixes", "B", "--distributions", "ZIPFIAN", "--modes", "SYNC,WINDOW", "--out", directory.toString())).isZero();
        assertThat(Files.readString(directory.resolve("peers.csv")))
                .contains("map/one at a time/B/zipfian/64 B,redis jedis,ops/s,1,")
                .contains("map/64 in flight/B/zipfian/64 B,leasehold tcp,p50 µs,1,")
                .contains("queue/batches of 64/1 to 1/64 B,redis jedis,ops/s,1,");
    }

    /// Stopped in order as by Ctrl-C, or killed: either way no server is left.
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void serversStop_whenItIsStopped(boolean isKilled, @TempDir Path directory) throws Exception {
        Process bench = new ProcessBuilder(Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--enable-native-access=ALL-UNNAMED", "-cp", System.getProperty("java.class.path"), Bench.class.getName(), "peers",
                "--turn", "60000", "--peers", "REDIS_JEDIS", "--entries", "1000", "--no-queues", "--mixes", "C",
                "--out", directory.toString())
                .redirectOutput(ProcessBuilder.Redirect.DISCARD).redirectError(ProcessBuilder.Redirect.DISCARD).start();
        try {
            // Redis with its keeper, which is two, a node, and three processes of clients.
            Await.until(PATIENCE, "seven processes, with Redis", () -> bench.descendants().count() >= 7
                    && bench.descendants().anyMatch(process -> process.info().command().orElse("").contains("redis")));
            List<ProcessHandle> servers = bench.descendants().toList();
            if (isKilled) {
                bench.destroyForcibly();
            } else {
                bench.destroy();
            }
            assertThat(bench.waitFor(PATIENCE.toSeconds(), TimeUnit.SECONDS)).isTrue();
            assertThat(servers).hasSizeGreaterThanOrEqualTo(7);
            Await.until(PATIENCE, "the end of all servers", () -> servers.stream().noneMatch(ProcessHandle::isAlive));
        } finally {
            bench.descendants().forEach(ProcessHandle::destroyForcibly);
            bench.destroyForcibly();
        }
    }
}
