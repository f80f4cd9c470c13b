package io.leasehold.benchmarks;

import java.io.IOException;
import java.io.PrintStream;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.function.BiFunction;
import java.util.function.Function;
import picocli.CommandLine;
import picocli.CommandLine.Option;

/// The options that all benchmarks have, and what all of them do: start servers and clients, run trials in rounds, report, judge,
/// and stop everything.
final class RunOptions {
    private static final long REPORT_NANOS = 1_000_000_000L;

    /// Where processes run.
    enum Placement {
        /// Where the kernel puts them.
        FREE,
        /// Servers on the first processor, clients on the second.
        SPLIT,
        /// All on the first processor.
        TOGETHER
    }

    /// Starts what is to be measured.
    interface Preparation {
        List<Trial> prepare(Setup setup) throws Exception;
    }

    @Option(names = "--seconds", paramLabel = "N", description = "about how long it takes, all included (default: ${DEFAULT-VALUE})",
            defaultValue = "600")
    private long seconds;

    @Option(names = "--turn", paramLabel = "MILLIS",
            description = "how long each subject has in each cell and round; instead of --seconds",
            defaultValue = "0")
    private long turnMillis;

    @Option(names = "--rounds", paramLabel = "N",
            description = "interleaved rounds, after one for the compilers (default: ${DEFAULT-VALUE})",
            defaultValue = "5")
    private int rounds;

    @Option(names = "--placement", paramLabel = "WHERE",
            description = "FREE (as the kernel likes), SPLIT (servers on processor 0, clients on 1) or TOGETHER "
                    + "(default: ${DEFAULT-VALUE})",
            defaultValue = "FREE")
    private Placement placement = Placement.FREE;

    @Option(names = "--check", description = "compare with the bars: exit status 1 if one falls short")
    private boolean checks;

    @Option(names = "--out", paramLabel = "DIRECTORY", description = "for CSV and PNG files (default: ${DEFAULT-VALUE})",
            defaultValue = "target/bench")
    private Path out = Path.of("target", "bench");

    /// What a benchmark may use while it prepares.
    ///
    /// @param resources takes charge of what is started
    /// @param servers where servers run
    /// @param clients where clients run
    record Setup(Resources resources, Host servers, Host clients, Progress progress, PrintStream out) {
        /// Starts a process of clients.
        Worker worker(String name, Connector connector) throws IOException {
            return resources.add(Worker.start(name, clients, connector));
        }
    }

    /// Runs a benchmark.
    ///
    /// @param rival with whom a subject is compared in a cell
    /// @return the exit status
    int measure(String name, Preparation preparation, BiFunction<Results, String, Function<Cell, Optional<String>>> rival,
            Function<Results, List<Bar>> bars) throws Exception {
        long start = System.nanoTime();
        PrintStream print = System.out;
        Progress progress = new Progress(System.err);
        print.println("leasehold bench " + name);
        print.println(machine());
        Results results;
        try (Resources resources = new Resources()) {
            Host host = resources.add(Host.create());
            Setup setup = new Setup(resources, placement == Placement.FREE ? host : host.on(0),
                    placement == Placement.FREE ? host : host.on(placement == Placement.SPLIT ? 1 : 0), progress, print);
            List<Trial> trials = preparation.prepare(setup);
            Rounds turns = new Rounds(trials, rounds, progress);
            Duration left = Duration.ofNanos(seconds * 1_000_000_000L - (System.nanoTime() - start) - REPORT_NANOS);
            results = turns.run(turnMillis > 0 ? Duration.ofMillis(turnMillis) : turns.turn(left));
        } catch (IllegalArgumentException e) {
            System.err.println("leasehold bench: " + e.getMessage());
            return CommandLine.ExitCode.USAGE;
        }
        Report report = new Report(name, results);
        report.print(print, (subject, cell) -> rival.apply(results, subject).apply(cell));
        report.writeCsv(out).forEach(file -> print.println("wrote " + file));
        report.writePlots(out).forEach(file -> print.println("wrote " + file));
        return judge(bars.apply(results), checks, print);
    }

    /// Prints one line a bar.
    ///
    /// @return the exit status
    static int judge(List<Bar> bars, boolean checks, PrintStream print) {
        if (!checks) {
            return CommandLine.ExitCode.OK;
        }
        print.println("bar | figure | holds?");
        bars.forEach(bar -> print.println(bar.line()));
        boolean fallsShort = bars.stream().anyMatch(bar -> bar.verdict() == Bar.Verdict.FALLS_SHORT);
        return fallsShort ? CommandLine.ExitCode.SOFTWARE : CommandLine.ExitCode.OK;
    }

    private String machine() {
        var system = ManagementFactory.getOperatingSystemMXBean();
        return String.format("%s %s, %d processors, load average %.2f, Java %s, placement %s", system.getName(), system.getArch(),
                system.getAvailableProcessors(), system.getSystemLoadAverage(), Runtime.version(), placement);
    }
}
