package io.leasehold.examples;

import io.leasehold.lease.LeaseException;
import io.leasehold.rdma.DeviceOptions;
import io.leasehold.rdma.RdmaException;
import io.leasehold.rdma.RendezvousException;
import java.io.IOException;
import java.io.UncheckedIOException;
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
            Usage: WordCount [OPTION...] [FILE...]

              --producers P    processes that read the files, 1 to 16 (2)
              --consumers C    processes that count, 1 to 16 (2)
              --kill-consumer  kills one consumer half-way, to show that the totals stay right
              --device DEVICE  soft, the software fabric; verbs, the first RDMA device; or verbs:NAME (what the node has)
              --node ADDRESS   uses a node that runs already, and on which nobody counted yet
              --conf FILE      the same, but asks the memcached that FILE names where node 0 is
              --hosts N        counts on N hosts together, 1 to 16 (1): run the same on each, for the same files, with
              --host I         the number of the host, 1 to N (1)
            """;
    /// Where the launcher says that a text to count lies, for when no file is named.
    private static final String DEFAULT_FILE_PROPERTY = "leasehold.examples.text";
    private static final int PROCESSES_MAX = 16;
    private static final int HOSTS_MAX = 16;

    private WordCount() {
    }

    /// What the user asked for.
    ///
    /// @param producers processes that read
    /// @param consumers processes that count
    /// @param killConsumer whether to kill a consumer half-way
    /// @param device the device that everybody uses, as [DeviceOptions#parse] reads it; empty for what the node has
    /// @param node the address of the node to use; empty to look it up or to start one
    /// @param conf where the memcached is that knows the node; empty to start one
    /// @param host the number of this host, from 1
    /// @param hosts how many hosts count together, each with as many processes
    /// @param files what to count
    record Options(int producers, int consumers, boolean killConsumer, String device, String node, String conf, int host,
            int hosts, List<Path> files) {
        /// Reads the command line.
        ///
        /// @throws IllegalArgumentException saying what is wrong with it
        static Options parse(String[] args) {
            int producers = 2;
            int consumers = 2;
            boolean killConsumer = false;
            String device = "";
            String node = "";
            String conf = "";
            int host = 1;
            int hosts = 1;
            int next = 0;
            for (; next < args.length && args[next].startsWith("--"); next++) {
                switch (args[next]) {
                    case "--producers" -> producers = number(args, next++, PROCESSES_MAX);
                    case "--consumers" -> consumers = number(args, next++, PROCESSES_MAX);
                    case "--kill-consumer" -> killConsumer = true;
                    case "--device" -> device = device(text(args, next++, "a device, as soft or verbs"));
                    case "--node" -> node = text(args, next++, "the address that the node printed");
                    case "--conf" -> conf = text(args, next++, "the file that names the memcached");
                    case "--host" -> host = number(args, next++, HOSTS_MAX);
                    case "--hosts" -> hosts = number(args, next++, HOSTS_MAX);
                    default -> throw new IllegalArgumentException("unknown option " + args[next]);
                }
            }
            if (killConsumer && consumers < 2) {
                throw new IllegalArgumentException("--kill-consumer needs --consumers 2 or more: somebody has to finish");
            }
            if (!node.isEmpty() && !conf.isEmpty()) {
                throw new IllegalArgumentException("--node and --conf both say where the node is; leave one out");
            }
            if (host > hosts) {
                throw new IllegalArgumentException("--host " + host + " is none of --hosts " + hosts);
            }
            if (hosts > 1 && node.isEmpty() && conf.isEmpty()) {
                throw new IllegalArgumentException("--hosts " + hosts + " needs a node that all hosts reach: start one with"
                        + " bin/leasehold node --host ADDRESS, and name it with --node or --conf");
            }
            List<Path> files = Arrays.stream(args).skip(next).map(Path::of).toList();
            if (files.isEmpty()) {
                String file = System.getProperty(DEFAULT_FILE_PROPERTY);
                if (file == null) {
                    throw new IllegalArgumentException("name a file to count");
                }
                files = List.of(Path.of(file));
            }
            return new Options(producers, consumers, killConsumer, device, node, conf, host, hosts, files);
        }

        private static String device(String text) {
            DeviceOptions.parse(text);
            return text;
        }

        private static String text(String[] args, int option, String what) {
            if (option + 1 >= args.length || args[option + 1].isBlank()) {
                throw new IllegalArgumentException(args[option] + " needs " + what);
            }
            return args[option + 1];
        }

        private static int number(String[] args, int option, int most) {
            String value = option + 1 < args.length ? args[option + 1] : "";
            if (!value.matches("\\d{1,2}") || Integer.parseInt(value) < 1 || Integer.parseInt(value) > most) {
                throw new IllegalArgumentException(args[option] + " '" + value + "' is no number from 1 to " + most);
            }
            return Integer.parseInt(value);
        }
    }

    /// Runs it. Exits with 0 if the totals equal those of a local count, with 1 if they do not or something failed, with 2 if the
    /// command line is wrong.
    public static void main(String[] args) throws InterruptedException {
        try {
            System.exit(switch (args.length > 0 ? args[0] : "") {
                case "--produce" -> Producer.run(args[1], args[2], Integer.parseInt(args[3]), Integer.parseInt(args[4]),
                        Stream.of(args).skip(5).map(Path::of).toList());
                case "--consume" -> Consumer.run(args[1], args[2], Integer.parseInt(args[3]));
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
        } catch (IOException | UncheckedIOException | RdmaException | RendezvousException | LeaseException | IllegalStateException
                | CompletionException e) {
            System.err.println("WordCount: " + (e instanceof CompletionException ? e.getCause() : e).getMessage());
            System.exit(1);
        }
    }
}
