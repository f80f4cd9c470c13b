package io.leasehold.benchmarks;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/// How much memory a node needs.
final class NodeMemory {
    /// What an entry takes beside its value: key, header, slot, and rounding.
    private static final long ENTRY_BYTES = 96;
    /// For queues, for what has been freed and may not be used yet, and for what clients keep in hand.
    private static final long SPARE_MEGABYTES = 768;
    private static final Path MEMINFO = Path.of("/proc/meminfo");

    private NodeMemory() {
    }

    /// For one map of each length of values.
    ///
    /// @throws IllegalArgumentException if the machine has not got it
    static long megabytes(List<Integer> valueBytes, long entries) {
        long bytes = valueBytes.stream().mapToLong(value -> entries * (value * 5L / 4 + ENTRY_BYTES)).sum();
        long megabytes = SPARE_MEGABYTES + (bytes * 5 / 4 >> 20);
        long available = available();
        if (megabytes > available) {
            throw new IllegalArgumentException(("%d entries with values of %s bytes take a node of %d MiB, and the machine has %d to give:"
                    + " choose fewer --entries or --values").formatted(entries, valueBytes, megabytes, available));
        }
        return megabytes;
    }

    private static long available() {
        try {
            return Files.readAllLines(MEMINFO).stream().filter(line -> line.startsWith("MemAvailable:"))
                    .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")) >> 10).findFirst().orElse(Long.MAX_VALUE);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
