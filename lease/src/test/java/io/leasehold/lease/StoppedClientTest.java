package io.leasehold.lease;

import static org.assertj.core.api.Assertions.assertThat;

import io.leasehold.rdma.DeviceOptions;
import io.leasehold.rdma.Link;
import io.leasehold.testkit.Await;
import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;

/// Client processes that are stopped, so that they neither answer nor close their connections, hold up nobody: neither others, nor
/// the node when it closes.
@EnabledOnOs({OS.LINUX, OS.MAC})
final class StoppedClientTest {
    private static final int CLIENTS = 3;
    private static final Duration SESSION_TERM = Duration.ofSeconds(1);
    private static final Duration PATIENCE = Duration.ofSeconds(30);
    /// To end the connections of one stopped client in order takes two seconds.
    private static final Duration BOUND = Duration.ofMillis(300);

    /// The program that is stopped.
    static final class Client {
        private Client() {
        }

        /// Connects a session to the address that is the only argument, and waits to be killed.
        static void main(String[] arguments) throws IOException {
            Session session = Session.connect(arguments[0], SessionOptions.defaults());
            System.out.println("connected " + session.allocate(64));
            System.exit(System.in.read());
        }
    }

    @Test
    void othersAndTheNodeGoOn_whenClientsAreStopped() throws Exception {
        DeviceOptions tcp = DeviceOptions.soft().withLinks(Link.TCP);
        NodeOptions options = NodeOptions.ofMemory(1 << 20);
        List<Process> clients = new ArrayList<>();
        MemoryNode node = MemoryNode.start(options.withDevice(tcp).withTerms(options.maxTerm(), SESSION_TERM));
        try (Stalls stalls = new Stalls(); Session session = Session.connect(node.address(), SessionOptions.defaults())) {
            for (int i = 0; i < CLIENTS; i++) {
                clients.add(start(node));
            }
            assertThat(node.counts().sessions()).isEqualTo(1 + CLIENTS);
            RemoteAddress own = session.allocate(64);
            for (Process client : clients) {
                signal("STOP", client);
            }
            CompletableFuture<Void> gone = CompletableFuture.runAsync(
                    () -> Await.until(PATIENCE, "the sessions of the stopped clients have ended", () -> node.counts().sessions() == 1));
            Duration longest = Duration.ZERO;
            while (!gone.isDone()) {
                long asked = System.nanoTime();
                session.acquireWrite(own, 64, Duration.ofSeconds(1)).close();
                Duration taken = Duration.ofNanos(System.nanoTime() - asked).minus(stalls.since(asked));
                longest = taken.compareTo(longest) > 0 ? taken : longest;
            }
            gone.join();
            assertThat(longest).as("a lease while stopped clients' sessions ended").isLessThan(BOUND);
        } finally {
            long closing = System.nanoTime();
            node.close();
            assertThat(Duration.ofNanos(System.nanoTime() - closing)).as("closing the node").isLessThan(Duration.ofSeconds(5));
            clients.forEach(Process::destroyForcibly);
        }
    }

    private static Process start(MemoryNode node) throws IOException {
        String classPath = System.getProperty("surefire.test.class.path", System.getProperty("java.class.path"));
        Process client = new ProcessBuilder(System.getProperty("java.home") + File.separator + "bin" + File.separator + "java",
                "--enable-native-access=ALL-UNNAMED", "-cp", classPath, Client.class.getName(), node.address().toString())
                .redirectErrorStream(true).start();
        BufferedReader output = client.inputReader(StandardCharsets.UTF_8);
        assertThat(output.readLine()).startsWith("connected");
        return client;
    }

    private static void signal(String name, Process process) throws Exception {
        assertThat(new ProcessBuilder("kill", "-" + name, Long.toString(process.pid())).inheritIO().start().waitFor()).isZero();
    }
}
