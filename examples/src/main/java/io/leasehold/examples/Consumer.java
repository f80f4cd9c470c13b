package io.leasehold.examples;

import io.leasehold.structures.Delivery;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/// A process of [WordCount] that takes chunks off the queue and merges their words into the map.
///
/// The order of its steps makes every crash harmless: merge, then note the chunk as counted, then acknowledge it.
final class Consumer {
    /// How many chunks to merge at once: words that occur in several of them cost one merge.
    private static final int ROUND_CHUNKS = 16;
    private static final Duration PATIENCE = Duration.ofMillis(200);

    private final WordCountStore store;
    private final int number;

    private Consumer(WordCountStore store, int number) {
        this.store = store;
        this.number = number;
    }

    /// Counts until standard input is closed.
    ///
    /// @return the exit code
    static int run(String address, String device, int number) throws InterruptedException {
        Lifeline lifeline = Lifeline.ofStandardInput();
        try (WordCountStore store = WordCountStore.open(address, device)) {
            Consumer consumer = new Consumer(store, number);
            while (!lifeline.isCut()) {
                consumer.count(consumer.receive());
            }
            return 0;
        }
    }

    /// Up to [#ROUND_CHUNKS] chunks, waiting only for the first; none if none came.
    private List<Delivery<Chunk>> receive() throws InterruptedException {
        List<Delivery<Chunk>> round = new ArrayList<>();
        Delivery<Chunk> delivery = store.chunks().receive(PATIENCE);
        while (delivery != null) {
            round.add(delivery);
            delivery = round.size() < ROUND_CHUNKS ? store.chunks().receive(Duration.ZERO) : null;
        }
        return round;
    }

    private void count(List<Delivery<Chunk>> round) {
        Map<Integer, Chunk> chunks = new HashMap<>();
        round.forEach(delivery -> chunks.put(delivery.value().number(), delivery.value()));
        // What comes again may have been counted to the end, and then only the acknowledgement was missing.
        chunks.keySet().removeAll(store.counters().getAll(chunks.keySet()).keySet());
        merge(chunks.values());
        Map<Integer, Integer> counters = new HashMap<>();
        chunks.keySet().forEach(chunk -> counters.put(chunk, number));
        store.counters().putAll(counters);
        round.forEach(Delivery::acknowledge);
    }

    /// Adds the words of `chunks` to the tallies, many at a time.
    private void merge(Collection<Chunk> chunks) {
        // Word, then chunk, then occurrences.
        Map<String, Map<Integer, Long>> occurrences = new HashMap<>();
        for (Chunk chunk : chunks) {
            Map<String, Long> words = new HashMap<>();
            chunk.countWords(words);
            words.forEach((word, count) -> occurrences.computeIfAbsent(word, _ -> new HashMap<>()).put(chunk.number(), count));
        }
        CompletableFuture<?>[] merges = occurrences.entrySet().stream()
                .map(word -> store.tallies().async().compute(word.getKey(), (_, tally) -> add(word.getValue(), tally)))
                .toArray(CompletableFuture<?>[]::new);
        // Each of them ends within the map's timeout.
        CompletableFuture.allOf(merges).join();
    }

    private static Tally add(Map<Integer, Long> occurrences, @Nullable Tally present) {
        Tally tally = present == null ? Tally.NONE : present;
        for (Map.Entry<Integer, Long> chunk : occurrences.entrySet()) {
            tally = tally.with(chunk.getKey(), chunk.getValue());
        }
        return tally;
    }
}
