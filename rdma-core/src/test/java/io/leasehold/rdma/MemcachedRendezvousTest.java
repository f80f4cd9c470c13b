package io.leasehold.rdma;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.time.Duration;
import java.util.UUID;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import net.spy.memcached.CachedData;
import net.spy.memcached.MemcachedClient;
import net.spy.memcached.transcoders.SerializingTranscoder;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

class MemcachedRendezvousTest implements RendezvousContract {
    private static final Duration TIMEOUT = Duration.ofSeconds(2);

    /// What a loaded machine may add to a time-out.
    private static final Duration SLACK = Duration.ofSeconds(3);

    private static MemcachedProcess server;

    private final String test = UUID.randomUUID().toString();

    @BeforeAll
    static void startServer() throws IOException {
        server = MemcachedProcess.start();
    }

    @AfterAll
    static void stopServer() {
        server.close();
    }

    @Override
    public Rendezvous join(String cluster) {
        return Rendezvous.memcached(server.conf(), test + cluster, Duration.ofSeconds(10));
    }

    @Test
    void aServerThatIsNotThereIsReported() throws IOException {
        int port;
        try (ServerSocket free = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            port = free.getLocalPort();
        }
        failsInTime("connect", "127.0.0.1:" + port, () -> connect(new MemcachedConf("127.0.0.1", port)));
    }

    @Test
    void aHostThatHasNoAddressIsReported() {
        failsInTime("connect", "no-such-host.invalid:11211", () -> connect(new MemcachedConf("no-such-host.invalid", 11_211)));
    }

    @Test
    void aServerThatNeverAnswersIsReported() throws IOException {
        // Connections are taken by the kernel and answered by nobody.
        try (ServerSocket mute = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            MemcachedConf conf = new MemcachedConf("127.0.0.1", mute.getLocalPort());
            failsInTime("connect", conf.toString(), () -> connect(conf));
        }
    }

    @Test
    void aServerThatTakesNoConnectionIsReported() throws IOException {
        // With its queue of connections full the kernel drops the next one: what a black hole looks like.
        try (ServerSocket full = new ServerSocket(0, 1, InetAddress.getLoopbackAddress());
                Socket one = new Socket(full.getInetAddress(), full.getLocalPort());
                Socket two = new Socket(full.getInetAddress(), full.getLocalPort())) {
            assertThat(one.isConnected() && two.isConnected()).isTrue();
            MemcachedConf conf = new MemcachedConf("127.0.0.1", full.getLocalPort());
            failsInTime("connect", conf.toString(), () -> connect(conf));
        }
    }

    @Test
    void aServerThatDiesHalfWayIsReportedByEveryCall() throws Exception {
        try (MemcachedProcess dying = MemcachedProcess.start();
                Rendezvous one = Rendezvous.memcached(dying.conf(), "c", TIMEOUT);
                ExecutorService threads = Executors.newCachedThreadPool()) {
            one.publish("node/0", new byte[] {1});
            Future<?> awaiting = threads.submit(() -> one.await("node/1", LONG));
            Future<?> atBarrier = threads.submit(() -> one.barrier("start", 2, LONG));
            dying.kill();
            String server = dying.conf().toString();
            failsInTime("lookup node/0", server, () -> one.lookup("node/0"));
            failsInTime("publish node/0", server, () -> one.publish("node/0", new byte[] {2}));
            failsInTime("withdraw node/0", server, () -> one.withdraw("node/0"));
            failsInTime("await node/1", server, () -> unwrapped(awaiting));
            failsInTime("barrier start", server, () -> unwrapped(atBarrier));
        }
    }

    @Test
    void leavingADeadServerTakesNoLongerThanTheTimeout() throws Exception {
        try (MemcachedProcess dying = MemcachedProcess.start()) {
            Rendezvous one = Rendezvous.memcached(dying.conf(), "c", TIMEOUT);
            one.publish("v", new byte[] {1});
            dying.kill();
            long start = System.nanoTime();
            one.close();
            assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(TIMEOUT.plus(SLACK));
        }
    }

    @Test
    void aServerThatComesBackIsFoundAgain() throws Exception {
        try (MemcachedProcess bouncing = MemcachedProcess.start();
                Rendezvous one = Rendezvous.memcached(bouncing.conf(), "c", Duration.ofSeconds(10))) {
            one.publish("node/0", new byte[] {1});
            bouncing.restart();
            assertThat(one.lookup("node/0")).isNull();
            one.publish("node/0", new byte[] {2});
            assertThat(one.lookup("node/0")).containsExactly(2);
            one.barrier("start", 1, LONG);
        }
    }

    @Test
    void aPublisherKeepsItsValueAliveAndPutsItBackWhereTheServerLostIt() throws Exception {
        Duration lapse = Duration.ofSeconds(2);
        try (MemcachedProcess bouncing = MemcachedProcess.start();
                Rendezvous one = MemcachedRendezvous.connect(bouncing.conf(), "c", Duration.ofSeconds(10), lapse);
                Rendezvous two = Rendezvous.memcached(bouncing.conf(), "c", Duration.ofSeconds(10))) {
            one.publish("node/0", new byte[] {1});
            one.publish("node/1", new byte[] {1});
            two.publish("node/1", new byte[] {2});
            Deadline pastLapse = Deadline.after(lapse.multipliedBy(2));
            while (!pastLapse.passed()) {
                assertThat(two.await("node/0", Duration.ZERO)).containsExactly(1);
                pastLapse.pause(Duration.ofMillis(100));
            }
            assertThat(two.lookup("node/1")).as("the successor's value").containsExactly(2);
            bouncing.restart();
            assertThat(two.await("node/0", LONG)).containsExactly(1);
        }
    }

    @Test
    void aHalfFullBarrierOfACrashedRunHoldsNobodyUpAndLetsNobodyThroughEarly() throws Exception {
        MemcachedKeys keys = new MemcachedKeys(test + "c");
        var client = new MemcachedClient(new InetSocketAddress("127.0.0.1", server.conf().port()));
        try (Rendezvous one = join("c"); Rendezvous two = join("c"); ExecutorService threads = Executors.newCachedThreadPool()) {
            // Two of three parties came in the run that crashed; one of them had been there before.
            BarrierRecord left = BarrierRecord.EMPTY.joinedBy(1).joinedBy(2);
            store(client, keys.key("barrier", "3/start"), left.encode());
            Future<?> first = threads.submit(() -> one.barrier("start", 3, LONG));
            assertThatThrownBy(() -> first.get(MemcachedRendezvous.SILENCE.toMillis() / 2, TimeUnit.MILLISECONDS))
                    .isInstanceOf(TimeoutException.class);
            Future<?> second = threads.submit(() -> two.barrier("start", 3, LONG));
            one.barrier("start", 3, LONG);
            first.get(30, TimeUnit.SECONDS);
            second.get(30, TimeUnit.SECONDS);
        } finally {
            client.shutdown();
        }
    }

    private static void store(MemcachedClient client, String key, byte[] value) throws Exception {
        var bytes = new SerializingTranscoder() {
            @Override
            public CachedData encode(Object o) {
                return new CachedData(0, (byte[]) o, 1 << 16);
            }
        };
        assertThat(client.set(key, 60, (Object) value, bytes).get(10, TimeUnit.SECONDS)).isTrue();
    }

    @Test
    void whatWasPublishedStaysWhenThePublisherLeaves() {
        join("c").close();
        Rendezvous one = join("c");
        one.publish("v", new byte[] {1});
        one.close();
        try (Rendezvous two = join("c")) {
            assertThat(two.lookup("v")).containsExactly(1);
        }
    }

    @Test
    void noThreadOutlivesTheUser() {
        try (Rendezvous one = join("c")) {
            one.publish("v", new byte[] {1});
            assertThat(Thread.getAllStackTraces().keySet()).filteredOn(thread -> thread.getName().contains("emcached")
                    || thread.getName().contains("rendezvous")).allMatch(Thread::isDaemon);
        }
        Deadline deadline = Deadline.after(Duration.ofSeconds(10));
        while (rendezvousThreads() > 0 && !deadline.passed()) {
            deadline.pause(Duration.ofMillis(10));
        }
        assertThat(rendezvousThreads()).isZero();
    }

    private static long rendezvousThreads() {
        return Thread.getAllStackTraces().keySet().stream()
                .filter(thread -> thread.getName().contains("leasehold-rendezvous")).count();
    }

    private static Rendezvous connect(MemcachedConf conf) {
        return Rendezvous.memcached(conf, "c", TIMEOUT);
    }

    private static void failsInTime(String phase, String server, ThrowingCallable call) {
        long start = System.nanoTime();
        assertThatThrownBy(call).isInstanceOf(RendezvousException.class).hasMessageContaining(server).hasMessageContaining(phase);
        assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(TIMEOUT.plus(SLACK));
    }

    private static void unwrapped(Future<?> future) throws Throwable {
        try {
            future.get(30, TimeUnit.SECONDS);
        } catch (ExecutionException e) {
            throw e.getCause();
        }
    }
}
