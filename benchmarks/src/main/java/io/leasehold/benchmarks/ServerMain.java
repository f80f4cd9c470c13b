package io.leasehold.benchmarks;

import io.leasehold.lease.MemoryNode;
import io.leasehold.lease.NodeOptions;
import java.io.PrintStream;

/// The process behind a [JavaServer]: prints where it can be reached, and ends when standard input does.
final class ServerMain {
    private ServerMain() {
    }

    /// Runs the server that the first argument names.
    public static void main(String[] arguments) throws Exception {
        PrintStream out = System.out;
        System.setOut(System.err);
        AutoCloseable server = switch (arguments[0]) {
            case "node" -> {
                MemoryNode node = MemoryNode.start(NodeOptions.ofMemory(Long.parseLong(arguments[1]) << 20).allowingUnprotected());
                out.println(node.address());
                yield node;
            }
            default -> throw new IllegalArgumentException("no server " + arguments[0]);
        };
        out.flush();
        while (System.in.read() >= 0) {
            // Nothing is expected but the end.
        }
        server.close();
        // Threads of a server must not keep the process.
        System.exit(0);
    }
}
