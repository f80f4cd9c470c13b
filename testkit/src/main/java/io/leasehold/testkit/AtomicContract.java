package io.leasehold.testkit;

import static io.leasehold.rdma.AccessFlag.LOCAL_WRITE;
import static io.leasehold.rdma.AccessFlag.REMOTE_ATOMIC;
import static io.leasehold.rdma.WorkCompletionStatus.REM_INV_REQ_ERR;
import static org.assertj.core.api.Assertions.assertThat;

import io.leasehold.rdma.MemoryRegion;
import io.leasehold.rdma.PostStatus;
import io.leasehold.rdma.QueuePairState;
import io.leasehold.rdma.SendBatch;
import io.leasehold.testkit.Testbed.Connection;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;

/// Compare-and-swap and fetch-and-add are atomic with one another, whichever queue pair they come through.
public interface AtomicContract extends FabricContract {
    /// A connection from the server to itself, through which a memory node touches the words of its clients.
    private static Connection loopBack(Testbed bed) {
        Connection connection = new Connection(bed.server().endpoint(), bed.server().endpoint());
        connection.client().connect(connection.server());
        return connection;
    }

    @Test
    default void fetchAndAddReturnsWhatWasThere() {
        try (Testbed bed = testbed()) {
            Endpoint client = bed.connect().client();
            MemoryRegion word = bed.server().region(64, LOCAL_WRITE, REMOTE_ATOMIC);
            MemoryRegion local = bed.client().region(64, LOCAL_WRITE);
            long[] addends = {1, 41, -2, Long.MAX_VALUE, Long.MAX_VALUE, 0, 0x0102030405060708L};
            long expected = 0;
            for (long addend : addends) {
                assertThat(client.fetchAndAdd(local, 16, word.address() + 8, word.remoteKey(), addend).succeeded()).isTrue();
                assertThat(local.memory().get(ValueLayout.JAVA_LONG, 16)).isEqualTo(expected);
                expected += addend;
                assertThat(word.memory().get(ValueLayout.JAVA_LONG, 8)).isEqualTo(expected);
            }
            word.memory().set(ValueLayout.JAVA_LONG, 8, 0);
            assertThat(word.memory().toArray(ValueLayout.JAVA_LONG)).containsOnly(0);
            local.memory().set(ValueLayout.JAVA_LONG, 16, 0);
            assertThat(local.memory().toArray(ValueLayout.JAVA_LONG)).containsOnly(0);
        }
    }

    @Test
    default void compareAndSwapSwapsIfItFindsWhatItExpects() {
        try (Testbed bed = testbed()) {
            Endpoint client = bed.connect().client();
            MemoryRegion word = bed.server().region(64, LOCAL_WRITE, REMOTE_ATOMIC);
            MemoryRegion local = bed.client().region(64, LOCAL_WRITE);
            long value = 0x1122334455667788L;
            word.memory().set(ValueLayout.JAVA_LONG, 0, value);
            assertThat(client.compareAndSwap(local, 0, word.address(), word.remoteKey(), value + 1, 5).succeeded()).isTrue();
            assertThat(local.memory().get(ValueLayout.JAVA_LONG, 0)).isEqualTo(value);
            assertThat(word.memory().get(ValueLayout.JAVA_LONG, 0)).isEqualTo(value);
            assertThat(client.compareAndSwap(local, 0, word.address(), word.remoteKey(), value, 5).succeeded()).isTrue();
            assertThat(local.memory().get(ValueLayout.JAVA_LONG, 0)).isEqualTo(value);
            assertThat(word.memory().get(ValueLayout.JAVA_LONG, 0)).isEqualTo(5);
        }
    }

    @Test
    default void anUnalignedAtomicIsRefused() {
        try (Testbed bed = testbed()) {
            Connection connection = bed.connect();
            MemoryRegion words = bed.server().region(64, Host.EVERYTHING);
            MemoryRegion local = bed.client().region(64, Host.EVERYTHING);
            for (int offset : new int[] {1, 4, 7, 9, 15}) {
                long address = words.address() + offset;
                refused(connection, requests -> requests.fetchAndAdd(1, local, 0, address, words.remoteKey(), 1));
                refused(connection, requests -> requests.compareAndSwap(2, local, 0, address, words.remoteKey(), 0, 1));
            }
            assertThat(words.memory().toArray(ValueLayout.JAVA_LONG)).containsOnly(0);
        }
    }

    /// Asserts that a request is refused, at once or by the responder, and mends the connection.
    private static void refused(Connection connection, Consumer<SendBatch> request) {
        PostStatus status = connection.client().tryPost(request);
        if (status == PostStatus.POSTED) {
            assertThat(connection.client().await().status()).isEqualTo(REM_INV_REQ_ERR);
            assertThat(connection.client().queuePair().state()).isEqualTo(QueuePairState.ERR);
            connection.reconnect();
        } else {
            assertThat(status).isEqualTo(PostStatus.INVALID_REQUEST);
            assertThat(connection.client().queuePair().state()).isEqualTo(QueuePairState.RTS);
        }
    }

    @Test
    default void additionsOfManyAddUp() throws Exception {
        int clients = 4;
        int each = 400;
        try (Testbed bed = testbed(); ExecutorService threads = Executors.newCachedThreadPool()) {
            MemoryRegion word = bed.server().region(8, LOCAL_WRITE, REMOTE_ATOMIC);
            Set<Long> returned = ConcurrentHashMap.newKeySet();
            List<Future<?>> runs = new ArrayList<>();
            for (int i = 0; i < clients; i++) {
                boolean loopBack = i == 0;
                Endpoint client = (loopBack ? loopBack(bed) : bed.connect()).client();
                MemoryRegion local = (loopBack ? bed.server() : bed.client()).region(8, LOCAL_WRITE);
                runs.add(threads.submit(() -> {
                    for (int n = 0; n < each; n++) {
                        assertThat(client.fetchAndAdd(local, 0, word.address(), word.remoteKey(), 1).succeeded()).isTrue();
                        assertThat(returned.add(local.memory().get(ValueLayout.JAVA_LONG, 0))).as("a new number").isTrue();
                    }
                }));
            }
            for (Future<?> run : runs) {
                run.get(60, TimeUnit.SECONDS);
            }
            assertThat(word.memory().get(ValueLayout.JAVA_LONG, 0)).isEqualTo((long) clients * each);
            assertThat(returned).hasSize(clients * each);
        }
    }

    @Test
    default void ofManyWhoSwapTheSameValueOneWins() throws Exception {
        int clients = 4;
        int words = 400;
        try (Testbed bed = testbed(); ExecutorService threads = Executors.newCachedThreadPool()) {
            MemoryRegion region = bed.server().region(8L * words, LOCAL_WRITE, REMOTE_ATOMIC);
            int[] winners = new int[words];
            List<Future<?>> runs = new ArrayList<>();
            for (int i = 1; i <= clients; i++) {
                int me = i;
                boolean loopBack = i == 1;
                Endpoint client = (loopBack ? loopBack(bed) : bed.connect()).client();
                MemoryRegion local = (loopBack ? bed.server() : bed.client()).region(8, LOCAL_WRITE);
                runs.add(threads.submit(() -> {
                    for (int word = 0; word < words; word++) {
                        assertThat(client.compareAndSwap(local, 0, region.address() + 8L * word, region.remoteKey(), 0, me)
                                .succeeded()).isTrue();
                        if (local.memory().get(ValueLayout.JAVA_LONG, 0) == 0) {
                            synchronized (winners) {
                                assertThat(winners[word]).as("winner of word %s", word).isZero();
                                winners[word] = me;
                            }
                        }
                    }
                }));
            }
            for (Future<?> run : runs) {
                run.get(60, TimeUnit.SECONDS);
            }
            for (int word = 0; word < words; word++) {
                assertThat(region.memory().getAtIndex(ValueLayout.JAVA_LONG, word)).isEqualTo(winners[word]).isNotZero();
            }
        }
    }

    @Test
    default void anAlignedWordIsReadAndWrittenWhole() throws Exception {
        try (Testbed bed = testbed(); ExecutorService threads = Executors.newCachedThreadPool()) {
            MemoryRegion word = bed.server().region(64, Host.EVERYTHING);
            Endpoint writer = bed.connect().client();
            Endpoint reader = bed.connect().client();
            MemoryRegion from = bed.client().region(64, Host.EVERYTHING);
            MemoryRegion to = bed.client().region(64, Host.EVERYTHING);
            Future<?> writing = threads.submit(() -> {
                for (int i = 0; i < 1000; i++) {
                    from.memory().set(ValueLayout.JAVA_LONG, 0, i % 2 == 0 ? -1L : 0L);
                    assertThat(writer.write(from, 0, 8, word.address(), word.remoteKey()).succeeded()).isTrue();
                }
            });
            do {
                assertThat(reader.read(to, 0, 8, word.address(), word.remoteKey()).succeeded()).isTrue();
                assertThat(to.memory().get(ValueLayout.JAVA_LONG, 0)).isIn(0L, -1L);
            } while (!writing.isDone());
            writing.get(1, TimeUnit.SECONDS);
        }
    }
}
