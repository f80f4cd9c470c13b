package io.leasehold.benchmarks;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class StructuresCommandTest {
    private static int bench(String... arguments) {
        return Bench.commandLine().execute(arguments);
    }

    @Test
    void runsAndLeavesNoProcess(@TempDir Path directory) throws Exception {
        long before = ProcessHandle.current().descendants().count();
        assertThat(bench("structures", "--turn", "40", "--rounds", "1", "--entries", "1000", "--values", "64", "--mixes", "a,D,F",
                "--distributions", "zipfian", "--links", "SHARED_MEMORY", "--out", directory.toString())).isZero();
        assertThat(Files.readString(directory.resolve("structures.csv")))
                .contains("map/one at a time/A/zipfian/64 B,shared memory,ops/s,1,")
                .contains("map/64 in flight/D/latest/64 B").contains("map/paced/F/zipfian/64 B")
                .contains("queue/batches of 64/4 to 4/64 B,shared memory,ops/s");
        assertThat(ProcessHandle.current().descendants().count()).isEqualTo(before);
    }

    @Test
    void wrongArgumentsAreExitStatusTwo() {
        assertThat(bench("structures", "--mixes", "Z")).isEqualTo(2);
        assertThat(bench("structures", "--values", "4", "--seconds", "5")).isEqualTo(2);
        assertThat(bench("nonsense")).isEqualTo(2);
        assertThat(bench()).isEqualTo(2);
    }

    @Test
    void moreThanTheMachineHasIsRefused() {
        assertThat(bench("structures", "--entries", "4000000000", "--values", "4096")).isEqualTo(2);
    }
}
