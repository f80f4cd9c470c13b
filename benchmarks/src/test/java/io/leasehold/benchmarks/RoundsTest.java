package io.leasehold.benchmarks;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class RoundsTest {
    private final List<String> ran = new ArrayList<>();
    private final Progress progress = new Progress(new PrintStream(new ByteArrayOutputStream()));

    private Trial trial(String subject, String cell) {
        return new Trial(subject, Cell.of("map", "one at a time", cell), (nanos, sink) -> {
            ran.add(subject + cell);
            sink.add(Metric.RATE, ran.size());
        });
    }

    private Results run(int rounds) throws Exception {
        List<Trial> trials = List.of(trial("x", "A"), trial("x", "B"), trial("y", "A"), trial("y", "B"));
        return new Rounds(trials, rounds, progress).run(Duration.ofMillis(20));
    }

    @Test
    void roundsInterleave_andWhoBeginsChanges() throws Exception {
        run(2);
        assertThat(ran).containsExactly("yA", "xA", "yB", "xB", "xA", "yA", "xB", "yB", "yA", "xA", "yB", "xB");
    }

    @Test
    void theFirstRoundDoesNotCount() throws Exception {
        Results results = run(2);
        assertThat(results.spread("x", Cell.of("map", "one at a time", "A"), Metric.RATE).orElseThrow()).isEqualTo(Spread.of(5, 10));
        assertThat(results.subjects()).containsExactly("x", "y");
    }

    @Test
    void tooLittleTimeIsRefused_withWhatItWouldTake() {
        Rounds rounds = new Rounds(List.of(trial("x", "A"), trial("y", "A")), 4, progress);
        assertThat(rounds.turn(Duration.ofMillis(200))).isEqualTo(Rounds.TURN_MIN);
        assertThatThrownBy(() -> rounds.turn(Duration.ofMillis(100))).isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("2 trials in 5 rounds").hasMessageContaining("--seconds");
        assertThat(ran).isEmpty();
    }

    @Test
    void figuresGoToFilesAndPlots(@TempDir Path directory) throws Exception {
        Report report = new Report("sample", run(3));
        List<Path> tables = report.writeCsv(directory);
        assertThat(Files.readAllLines(tables.get(0))).contains("cell,subject,metric,rounds,lower quartile,median,upper quartile",
                "map/one at a time/A,x,ops/s,3,7.5,10.0,11.5");
        assertThat(Files.readAllLines(tables.get(1))).hasSize(1 + 2 * 2 * 3).contains("map/one at a time/A,x,ops/s,1,5.0");
        List<Path> plots = report.writePlots(directory);
        assertThat(plots).containsExactly(directory.resolve("sample-map-one-at-a-time.png"));
        assertThat(ImageIO.read(plots.getFirst().toFile()).getWidth()).isGreaterThan(500);
    }

    @Test
    void theTableTellsRatios() throws Exception {
        ByteArrayOutputStream printed = new ByteArrayOutputStream();
        new Report("sample", run(3)).print(new PrintStream(printed), (subject, _) -> Optional.of("x").filter(x -> !x.equals(subject)));
        assertThat(printed.toString()).containsPattern("map, one at a time, A +x +10\\.0 +7\\.50 to 11\\.5 +ops/s")
                .containsPattern("map, one at a time, A +y .* 0\\.90 × x");
    }
}
