package io.leasehold.benchmarks;

import java.util.ArrayList;
import java.util.List;
import picocli.CommandLine.Option;

/// Which workloads a map is put to.
final class WorkloadOptions {
    /// How clients use the map.
    enum Mode {
        /// One thread, one operation after the other.
        SYNC("one at a time"),
        /// One thread, 64 operations on the way.
        WINDOW("64 in flight"),
        /// Two processes as in SYNC.
        TWO("2 processes"),
        /// One thread, operations at fixed times, at half the rate of SYNC.
        PACED("paced");

        private final String title;

        Mode(String title) {
            this.title = title;
        }

        String title() {
            return title;
        }
    }

    /// Operations on the way with [Mode#WINDOW].
    static final int DEPTH = 64;

    @Option(names = "--mixes", split = ",", paramLabel = "MIX", description = "YCSB's A, B, C, D and F (default: ${DEFAULT-VALUE})",
            defaultValue = "A,B,C,D,F")
    private List<Mix> mixes = List.of();

    @Option(names = "--distributions", split = ",", paramLabel = "WHICH",
            description = "of keys, but for mix D: UNIFORM, ZIPFIAN (0.99) (default: ${DEFAULT-VALUE})", defaultValue = "UNIFORM,ZIPFIAN")
    private List<Distribution> distributions = List.of();

    @Option(names = "--values", split = ",", paramLabel = "BYTES", description = "lengths of values (default: ${DEFAULT-VALUE})")
    private List<Integer> values;

    @Option(names = "--modes", split = ",", paramLabel = "HOW",
            description = "SYNC (1 thread, 1 operation after the other), WINDOW (64 in flight), TWO (2 processes, each as SYNC), "
                    + "PACED (open loop: at half the rate of SYNC, latencies from when each was due) (default: ${DEFAULT-VALUE})")
    private List<Mode> modes;

    @Option(names = "--entries", paramLabel = "N", description = "in each map (default: ${DEFAULT-VALUE})", defaultValue = "100000")
    private long entries;

    /// @param values lengths of values, unless the command line names others
    /// @param modes unless the command line names others
    WorkloadOptions(List<Integer> values, List<Mode> modes) {
        this.values = values;
        this.modes = modes;
    }

    List<Mode> modes() {
        return modes;
    }

    List<Integer> values() {
        return values;
    }

    long entries() {
        return entries;
    }

    /// All combinations.
    List<Workload> workloads() {
        List<Workload> workloads = new ArrayList<>();
        for (int bytes : values) {
            for (Mix mix : mixes) {
                for (Distribution distribution : mix.inserts() ? List.of(Distribution.LATEST) : distributions) {
                    workloads.add(new Workload(mix, distribution, bytes, entries));
                }
            }
        }
        return workloads;
    }

    static Cell cell(Workload workload, Mode mode) {
        return Cell.of("map", mode.title(), workload.mix().name(), workload.distribution().name().toLowerCase(java.util.Locale.ROOT),
                workload.valueBytes() + " B");
    }
}
