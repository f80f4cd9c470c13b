package io.leasehold.lease;

import io.leasehold.rdma.MemcachedConf;
import io.leasehold.rdma.RdmaException;
import io.leasehold.rdma.Rendezvous;
import io.leasehold.rdma.RendezvousException;
import java.io.IOException;
import java.io.InputStream;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CountDownLatch;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/// The program that is a memory node: starts it, tells the cluster where it is, and runs until it is asked to end. See
/// [NodeArguments#USAGE].
final class NodeMain {
    private static final int EXIT_TROUBLE = 1;
    private static final int EXIT_USAGE = 2;
    private static final Duration RENDEZVOUS_TIMEOUT = Duration.ofSeconds(5);

    private NodeMain() {
    }

    /// Runs a node; the exit status is 0 after an orderly end, 1 if something is in the way, and 2 for a wrong command line.
    public static void main(String[] arguments) {
        CountDownLatch asked = new CountDownLatch(1);
        CountDownLatch done = new CountDownLatch(1);
        // A signal ends the JVM only when this has returned.
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            asked.countDown();
            awaitUninterrupted(done);
        }, "leasehold-node-shutdown"));
        int status = run(List.of(arguments), System.in, System.out, System.err, asked);
        done.countDown();
        System.exit(status);
    }

    /// Runs a node until `asked` is counted down, or `in` ends if the arguments say so.
    ///
    /// @return the exit status
    static int run(List<String> arguments, InputStream in, PrintStream out, PrintStream err, CountDownLatch asked) {
        return run(arguments, MemoryNode::start, in, out, err, asked);
    }

    /// The same with a node that `start` makes.
    static int run(List<String> arguments, Function<NodeOptions, MemoryNode> start, InputStream in, PrintStream out,
            PrintStream err, CountDownLatch asked) {
        if (arguments.contains("--help")) {
            out.print(NodeArguments.USAGE);
            return 0;
        }
        NodeArguments parsed;
        try {
            parsed = NodeArguments.parse(arguments);
        } catch (IllegalArgumentException e) {
            err.println("leasehold node: " + e.getMessage());
            err.print(NodeArguments.USAGE);
            return EXIT_USAGE;
        }
        try {
            run(parsed, start, in, out, asked);
            return 0;
        } catch (CompletionException e) {
            err.println("leasehold node: the node has failed: " + e.getCause());
        } catch (RdmaException | RendezvousException | UncheckedIOException | IllegalArgumentException e) {
            err.println("leasehold node: " + e.getMessage());
        } catch (OutOfMemoryError e) {
            err.println("leasehold node: " + parsed.memoryText() + " of memory cannot be had: " + e.getMessage()
                    + "; ask for less with --memory, or see what the machine has free and what its limits allow "
                    + "(ulimit -v, the cgroup's memory, vm.overcommit_memory)");
        }
        return EXIT_TROUBLE;
    }

    private static void run(NodeArguments arguments, Function<NodeOptions, MemoryNode> start, InputStream in, PrintStream out,
            CountDownLatch asked) {
        // First, so that a node does not come up where nobody would find it.
        try (Rendezvous rendezvous = rendezvous(arguments); MemoryNode node = start.apply(arguments.options())) {
            String name = "node/" + arguments.node();
            if (rendezvous != null) {
                rendezvous.publish(name, node.address().toString().getBytes(StandardCharsets.UTF_8));
            }
            out.println("leasehold node " + arguments.node() + " at " + node.address() + ", " + arguments.memoryText());
            out.flush();
            if (arguments.untilStdinCloses()) {
                Thread.ofPlatform().daemon().name("leasehold-node-stdin").start(() -> drain(in, asked));
            }
            CompletableFuture<Void> ended = node.whenEnded();
            ended.whenComplete((_, _) -> asked.countDown());
            awaitUninterrupted(asked);
            if (rendezvous != null) {
                rendezvous.withdraw(name);
            }
            if (ended.isDone()) {
                ended.join();
            }
        }
    }

    private static @Nullable Rendezvous rendezvous(NodeArguments arguments) {
        return arguments.conf() == null ? null
                : Rendezvous.memcached(MemcachedConf.read(arguments.conf()), arguments.cluster(), RENDEZVOUS_TIMEOUT);
    }

    private static void drain(InputStream in, CountDownLatch ended) {
        try {
            while (in.read() >= 0) {
                // What is said is of no interest, only that it ends.
            }
        } catch (IOException e) {
            // It ends so, too.
        }
        ended.countDown();
    }

    private static void awaitUninterrupted(CountDownLatch latch) {
        boolean interrupted = false;
        while (latch.getCount() > 0) {
            try {
                latch.await();
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
