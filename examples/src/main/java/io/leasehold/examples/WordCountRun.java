package io.leasehold.examples;

import io.leasehold.examples.WordCount.Options;
import io.leasehold.rdma.MemcachedConf;
import io.leasehold.rdma.Rendezvous;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/// One run of [WordCount]: starts the processes, shows how far they are, and compares their result with a local count.
final class WordCountRun {
    /// A tally notes the chunks it counted, so their number must stay small.
    private static final long TEXT_BYTES_MAX = 64 << 20;
    private static final long NODE_MEGABYTES = 512;
    private static final Duration RENDEZVOUS_PATIENCE = Duration.ofSeconds(10);
    private static final Duration START_PATIENCE = Duration.ofSeconds(30);
    private static final Duration STALL_PATIENCE = Duration.ofSeconds(60);
    private static final Duration TICK = Duration.ofMillis(200);
    private static final int WORDS_SHOWN = 10;

    private final Options options;
    private final List<ChildProcess> processes = new ArrayList<>();
    /// The node, if it is ours.
    private final List<ChildProcess> nodes = new ArrayList<>();
    private final List<ChildProcess> producers = new ArrayList<>();
    private final List<ChildProcess> consumers = new ArrayList<>();
    private final Set<ChildProcess> mourned = new HashSet<>();
    private List<Chunk> chunks = List.of();

    WordCountRun(Options options) {
        this.options = options;
    }

    /// Runs everything.
    ///
    /// @return the exit code: 0 if the totals are right
    /// @throws IllegalStateException if a process fails that the others cannot do without, or nothing moves any more
    int run() throws IOException, InterruptedException {
        requireFiles();
        try {
            if (options.node().isEmpty() && options.conf().isEmpty()) {
                nodes.add(start("node", "io.leasehold.lease.NodeMain", nodeArguments()));
            }
            // Counted here while the node starts.
            chunks = Chunk.split(options.files());
            Map<String, Long> expected = new HashMap<>();
            chunks.forEach(chunk -> chunk.countWords(expected));
            String address = nodes.isEmpty() ? addressOfOthers() : addressOf(nodes.getFirst());
            try (WordCountStore store = WordCountStore.open(address, options.device())) {
                startWorkers(address);
                Progress progress = watch(store);
                for (ChildProcess consumer : consumers) {
                    if (consumer.isAlive()) {
                        consumer.stop();
                    }
                }
                return report(expected, store, progress);
            }
        } finally {
            processes.forEach(ChildProcess::close);
        }
    }

    private void requireFiles() throws IOException {
        long bytes = 0;
        for (Path file : options.files()) {
            if (!Files.isReadable(file) || Files.isDirectory(file)) {
                throw new IllegalArgumentException(file + " is no file that can be read");
            }
            bytes += Files.size(file);
        }
        if (bytes == 0 || bytes > TEXT_BYTES_MAX) {
            throw new IllegalArgumentException("the files hold " + bytes + " bytes, not 1 to " + TEXT_BYTES_MAX);
        }
    }

    private ChildProcess start(String name, String mainClass, List<String> arguments) throws IOException {
        ChildProcess process = ChildProcess.start(name, mainClass, arguments);
        processes.add(process);
        return process;
    }

    private List<String> nodeArguments() {
        List<String> arguments = new ArrayList<>(List.of("--memory", NODE_MEGABYTES + "m", "--until-stdin-closes"));
        if (!options.device().isEmpty()) {
            arguments.addAll(List.of("--device", options.device()));
        }
        return arguments;
    }

    /// Of a node that somebody else started, and perhaps is only starting.
    private String addressOfOthers() {
        if (options.conf().isEmpty()) {
            return options.node();
        }
        MemcachedConf conf = MemcachedConf.read(Path.of(options.conf()));
        try (Rendezvous rendezvous = Rendezvous.memcached(conf, "leasehold", RENDEZVOUS_PATIENCE)) {
            return new String(rendezvous.await("node/0", START_PATIENCE), StandardCharsets.UTF_8);
        }
    }

    private static String addressOf(ChildProcess node) throws InterruptedException {
        String greeting = node.awaitFirstLine(START_PATIENCE);
        System.out.println(greeting + ", process " + node.pid());
        return addressIn(greeting);
    }

    /// The address in "leasehold node 0 at soft:127.0.0.1:7471/5f3c9a2b11d04e88, 512 MiB".
    private static String addressIn(String greeting) {
        String[] words = greeting.split("[ ,]+");
        for (int i = 0; i + 1 < words.length; i++) {
            if (words[i].equals("at")) {
                return words[i + 1];
            }
        }
        throw new IllegalStateException("the node said '" + greeting + "', and not its address");
    }

    private void startWorkers(String address) throws IOException {
        String mainClass = WordCount.class.getName();
        for (int i = 1; i <= options.consumers(); i++) {
            int number = firstConsumer() + i;
            consumers.add(start("consumer " + number, mainClass,
                    List.of("--consume", address, options.device(), String.valueOf(number))));
        }
        int shares = options.hosts() * options.producers();
        for (int i = 0; i < options.producers(); i++) {
            int share = (options.host() - 1) * options.producers() + i;
            List<String> arguments = new ArrayList<>(
                    List.of("--produce", address, options.device(), String.valueOf(share), String.valueOf(shares)));
            options.files().forEach(file -> arguments.add(file.toString()));
            producers.add(start("producer " + (share + 1), mainClass, arguments));
        }
        Stream.concat(producers.stream(), consumers.stream())
                .forEach(worker -> System.out.println(worker.name() + ": process " + worker.pid()));
    }

    /// How many consumers the hosts before this one have.
    private int firstConsumer() {
        return (options.host() - 1) * options.consumers();
    }

    /// Whether the consumer of that number, of whatever host, is one of ours that was killed.
    private boolean isMourned(int number) {
        int index = number - firstConsumer() - 1;
        return index >= 0 && index < consumers.size() && mourned.contains(consumers.get(index));
    }

    /// Returns when every chunk is counted.
    private Progress watch(WordCountStore store) throws InterruptedException {
        Progress progress = new Progress(chunks);
        long movedNanos = System.nanoTime();
        boolean killed = false;
        while (!progress.isComplete()) {
            TimeUnit.NANOSECONDS.sleep(TICK.toNanos());
            requireWorkers(progress);
            if (progress.update(store)) {
                movedNanos = System.nanoTime();
            } else if (System.nanoTime() - movedNanos > STALL_PATIENCE.toNanos()) {
                throw new IllegalStateException("no chunk was counted for " + STALL_PATIENCE.toSeconds() + " s: "
                        + processes.stream().map(ChildProcess::describe).collect(Collectors.joining("; ")));
            }
            if (options.killConsumer() && !killed && progress.isHalfWay()) {
                consumers.getLast().kill();
                killed = true;
            }
        }
        progress.say(progress.toString());
        return progress;
    }

    /// Checks that those are alive that are needed: the node, the producers until they are done, one consumer at least.
    private void requireWorkers(Progress progress) {
        for (ChildProcess node : nodes) {
            if (!node.isAlive()) {
                throw new IllegalStateException(node.describe() + ", and the memory went with it");
            }
        }
        for (ChildProcess producer : producers) {
            if (!producer.isAlive() && !producer.hasSucceeded()) {
                throw new IllegalStateException(producer.describe() + " before all its chunks were on the queue");
            }
        }
        for (ChildProcess consumer : consumers) {
            if (consumer.wasKilled() && mourned.add(consumer)) {
                progress.say(consumer.describe() + "; what it held is delivered again after "
                        + WordCountStore.VISIBILITY.toSeconds() + " s");
            } else if (!consumer.isAlive() && !consumer.wasKilled()) {
                throw new IllegalStateException(consumer.describe() + " before all chunks were counted");
            }
        }
        if (mourned.size() == consumers.size()) {
            throw new IllegalStateException("no consumer is left");
        }
    }

    /// Prints the result, and compares it word by word with `expected`.
    private int report(Map<String, Long> expected, WordCountStore store, Progress progress) {
        Map<String, Long> counts = new HashMap<>();
        store.tallies().forEach((word, tally) -> counts.put(word, tally.count()));
        System.out.println();
        counts.entrySet().stream().sorted(Map.Entry.<String, Long>comparingByValue().reversed()).limit(WORDS_SHOWN)
                .forEach(entry -> System.out.printf(Locale.ROOT, "%,12d  %s%n", entry.getValue(), entry.getKey()));
        System.out.println();
        progress.chunksByConsumer().forEach((consumer, number) -> System.out.printf(Locale.ROOT, "consumer %d: %,d chunks%s%n",
                consumer, number, isMourned(consumer) ? ", then it was killed" : ""));
        System.out.printf(Locale.ROOT, "%,d words, %,d different ones%n", sum(counts), counts.size());
        if (counts.equals(expected)) {
            System.out.println("Every count equals that of a local count: no chunk was lost, none was counted twice.");
            return 0;
        }
        Set<String> words = new TreeSet<>(expected.keySet());
        words.addAll(counts.keySet());
        words.removeIf(word -> Objects.equals(counts.get(word), expected.get(word)));
        System.out.printf(Locale.ROOT, "WRONG: a local count has %,d words, %,d different ones; %,d counts differ:%n",
                sum(expected), expected.size(), words.size());
        words.stream().limit(WORDS_SHOWN).forEach(word -> System.out.printf(Locale.ROOT, "  %s: %d, should be %d%n", word,
                counts.getOrDefault(word, 0L), expected.getOrDefault(word, 0L)));
        return 1;
    }

    private static long sum(Map<String, Long> counts) {
        return counts.values().stream().mapToLong(Long::longValue).sum();
    }
}
