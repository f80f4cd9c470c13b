package io.leasehold.examples;

import io.leasehold.lease.LeaseException;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletionException;
import java.util.stream.Stream;

/// Counts the words of text files with several processes: producers put chunks of lines on a queue, consumers merge the counts of
/// each chunk into a map, and both structures live in the memory of a node that is a process of its own.
///
/// Kill a consumer (`kill -9`, or let `--kill-consumer` do it half-way): the queue delivers what it held to another one, the
/// counts are made so that adding a chunk twice changes nothing (see [Tally]), and the totals stay right.
///
/// Where to look: [Producer] and [Consumer] use the structures and are what to copy; [WordCountRun] starts the processes,
/// watches them and checks the result.
public final class WordCount {
    private static final String USAGE = """
            Usage: WordCount [--producers P] [--consumers C] [--kill-consumer] [--node ADDRESS] [FILE...]

              --producers P    processes that read the files, 1 to 16 (2)
              --consumers C    processes that count, 1 to 16 (2)
              --kill-consumer  kills one consumer half-way, to show that the totals stay right
              --node ADDRESS   uses a node that runs already, and on which nobody counted yet
            """;
    /// Where the launcher says that a text to count lies, for when no file is named.
    private static final String DEFAULT_FILE_PROPERTY = "leasehold.examples.text";
    private static final int PROCESSES_MAX = 16;

    private WordCount() {
    }

    /// What the user asked for.
    ///
    /// @param producers processes that read
    /// @param consumers processes that count
    /// @param killConsumer whether to kill a consumer half-way
    /// @param node the address of the node to use; empty to start one
    /// @param files what to count
    record Options(int producers, int consumers, boolean killConsumer, String node, List<Path> files) {
        /// Reads the command line.
        ///
        /// @throws IllegalArgumentException saying what is wrong with it
        static Options parse(String[] args) {
            int producers = 2;
            int consumers = 2;
            boolean killConsumer = false;
            String node = "";
            int next = 0;
            for (; next < args.length && args[next].startsWith("--"); next++) {
                switch (args[next]) {
                    case "--producers" -> producers = processes(args, next++);
                    case "--consumers" -> consumers = processes(args, next++);
                    case "--kill-consumer" -> killConsumer = true;
                    case "--node" -> node = address(args, next++);
                    default -> throw new IllegalArgumentException("unknown option " + args[next]);
                }
            }
            if (killConsumer && consumers < 2) {
                throw new IllegalArgumentException("--kill-consumer needs --consumers 2 or more: somebody has to finish");
            }
            List<Path> files = Arrays.stream(args).skip(next).map(Path::of).toList();
            if (files.isEmpty()) {
                String file = System.getProperty(DEFAULT_FILE_PROPERTY);
                if (file == null) {
                    throw new IllegalArgumentException("name a file to count");
                }
                files = List.of(Path.of(file));
            }
            return new Options(producers, consumers, killConsumer, node, files);
        }

        private static String address(String[] args, int option) {
            if (option + 1 >= args.length || args[option + 1].isBlank()) {
                throw new IllegalArgumentException("--node needs the address that the node printed");
            }
            return args[option + 1];
        }

        private static int processes(String[] args, int option) {
            String value = option + 1 < args.length ? args[option + 1] : "";
            if (!value.matches("\\d{1,2}") || Integer.parseInt(value) < 1 || Integer.parseInt(value) > PROCESSES_MAX) {
                throw new IllegalArgumentException(args[option] + " '" + value + "' is no number from 1 to " + PROCESSES_MAX);
            }
            return Integer.parseInt(value);
        }
    }

    /// Runs it. Exits with 0 if the totals equal those of a local count, with 1 if they do not or something failed, with 2 if the
    /// command line is wrong.
    public static void main(String[] args) throws InterruptedException {
        try {
            System.exit(switch (args.length > 0 ? args[0] : "") {
                case "--produce" -> Producer.run(args[1], Integer.parseInt(args[2]), Integer.parseInt(args[3]),
                        Stream.of(args).skip(4).map(Path::of).toList());
                case "--consume" -> Consumer.run(args[1], Integer.parseInt(args[2]));
                case "--help" -> {
                    System.out.print(USAGE);
                    yield 0;
                }
                default -> new WordCountRun(Options.parse(args)).run();
            });
        } catch (IllegalArgumentException e) {
            System.err.println("WordCount: " + e.getMessage());
            System.err.print(USAGE);
            System.exit(2);
        } catch (IOException | LeaseException | IllegalStateException | CompletionException e) {
            System.err.println("WordCount: " + (e instanceof CompletionException ? e.getCause() : e).getMessage());
            System.exit(1);
        }
    }
}
