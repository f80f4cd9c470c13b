package io.leasehold.benchmarks;

import com.hazelcast.core.HazelcastInstance;
import io.leasehold.lease.MemoryNode;
import io.leasehold.lease.NodeOptions;
import java.io.PrintStream;
import java.net.InetSocketAddress;

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
            case "rpc" -> {
                RpcServer rpc = new RpcServer();
                out.println(rpc.address());
                yield rpc;
            }
            case "hazelcast" -> {
                HazelcastInstance member = HazelcastServer.run();
                InetSocketAddress address = member.getCluster().getLocalMember().getSocketAddress();
                out.println(NativeServer.LOOPBACK + ":" + address.getPort());
                yield member::shutdown;
            }
            case "infinispan" -> {
                out.println(InfinispanServer.run());
                yield () -> {
                };
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
