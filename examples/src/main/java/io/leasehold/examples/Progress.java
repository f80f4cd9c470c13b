package io.leasehold.examples;

import java.io.Console;
import java.time.Duration;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/// How far a [WordCount] is: one line that changes on a terminal, a line every few seconds elsewhere.
final class Progress {
    private static final Duration LOG_INTERVAL = Duration.ofSeconds(3);
    /// Chunks to ask for at once.
    private static final int ASKED_MAX = 512;

    private final List<Chunk> chunks;
    private final boolean terminal;
    private final long startNanos = System.nanoTime();
    private final long linesTotal;
    private final BitSet counted = new BitSet();
    private final Map<Integer, Integer> chunksByConsumer = new TreeMap<>();
    private long lines;
    private long loggedNanos = startNanos;

    Progress(List<Chunk> chunks) {
        this.chunks = chunks;
        @Nullable Console console = System.console();
        this.terminal = console != null && console.isTerminal();
        this.linesTotal = chunks.stream().mapToLong(Chunk::lines).sum();
    }

    /// Looks which chunks have been counted since, and shows it.
    ///
    /// @return whether there are any
    boolean update(WordCountStore store) {
        List<Integer> open = new ArrayList<>();
        for (int i = counted.nextClearBit(0); i < chunks.size() && open.size() < ASKED_MAX; i = counted.nextClearBit(i + 1)) {
            open.add(i);
        }
        Map<Integer, Integer> counters = store.counters().getAll(open);
        counters.forEach((number, consumer) -> {
            counted.set(number);
            lines += chunks.get(number).lines();
            chunksByConsumer.merge(consumer, 1, Integer::sum);
        });
        show(store.chunks().size());
        return !counters.isEmpty();
    }

    private void show(int queued) {
        if (terminal) {
            System.out.printf(Locale.ROOT, "\r\033[K%s, %,d chunks queued", this, queued);
        } else if (System.nanoTime() - loggedNanos > LOG_INTERVAL.toNanos()) {
            loggedNanos = System.nanoTime();
            System.out.printf(Locale.ROOT, "%s, %,d chunks queued%n", this, queued);
        }
    }

    /// Prints a line of its own.
    void say(String message) {
        System.out.println((terminal ? "\r\033[K" : "") + message);
    }

    boolean isHalfWay() {
        return 2 * lines >= linesTotal;
    }

    boolean isComplete() {
        return counted.cardinality() == chunks.size();
    }

    /// How many chunks each consumer was the first or the last to count.
    Map<Integer, Integer> chunksByConsumer() {
        return chunksByConsumer;
    }

    @Override
    public String toString() {
        double seconds = (System.nanoTime() - startNanos) / 1e9;
        return String.format(Locale.ROOT, "%,d of %,d lines after %.1f s, %,.0f lines/s", lines, linesTotal, seconds,
                lines / seconds);
    }
}
