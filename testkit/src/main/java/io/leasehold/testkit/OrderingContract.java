package io.leasehold.testkit;

import static org.assertj.core.api.Assertions.assertThat;

import io.leasehold.rdma.MemoryRegion;
import io.leasehold.rdma.SendBatch;
import io.leasehold.rdma.WorkCompletionOpcode;
import io.leasehold.testkit.Testbed.Connection;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;

/// The requests of one queue pair take effect, are seen, and complete in the order in which they were posted.
public interface OrderingContract extends FabricContract {
    /// Bytes of the message whose announcement must not overtake it.
    int LENGTH = 2048;

    /// How often each race is run.
    int ROUNDS = 300;

    @Test
    default void completionsComeInTheOrderOfTheRequests() {
        try (Testbed bed = testbed()) {
            Connection connection = bed.connect();
            MemoryRegion target = bed.server().region(4096, Host.EVERYTHING);
            MemoryRegion local = bed.client().region(4096, Host.EVERYTHING);
            long address = target.address();
            int key = target.remoteKey();
            for (int round = 0; round < 20; round++) {
                connection.server().receive(0, target, 0, 64);
                connection.client().post(requests -> requests
                        .write(0, local, 0, 4096, address, key)
                        .read(1, local, 0, 8, address, key)
                        .fetchAndAdd(2, local, 8, address, key, 1)
                        .write(3, local, 0, 1, address, key)
                        .compareAndSwap(4, local, 8, address + 8, key, 0, 1)
                        .send(5, local, 0, 8)
                        .read(6, local, 0, 4096, address, key)
                        .write(7, local, 0, 0, address, key));
                assertThat(connection.client().await(8)).extracting(Completed::id)
                        .containsExactlyElementsOf(LongStream.range(0, 8).boxed().toList());
                assertThat(connection.server().await().opcode()).isEqualTo(WorkCompletionOpcode.RECV);
            }
        }
    }

    @Test
    default void completionsSayWhatWasDone() {
        try (Testbed bed = testbed()) {
            Connection connection = bed.connect();
            MemoryRegion target = bed.server().region(64, Host.EVERYTHING);
            MemoryRegion local = bed.client().region(64, Host.EVERYTHING);
            connection.server().receive(90, target, 0, 64);
            connection.server().receive(91, target, 0, 64);
            connection.client().post(requests -> requests
                    .write(10, local, 0, 8, target.address(), target.remoteKey())
                    .read(11, local, 0, 8, target.address(), target.remoteKey())
                    .fetchAndAdd(12, local, 8, target.address(), target.remoteKey(), 1)
                    .compareAndSwap(13, local, 8, target.address(), target.remoteKey(), 0, 1)
                    .send(14, local, 0, 8)
                    .writeWithImmediate(15, local, 0, 24, target.address() + 8, target.remoteKey(), 0xcafe));
            assertThat(connection.client().await(6)).extracting(Completed::opcode).containsExactly(
                    WorkCompletionOpcode.RDMA_WRITE, WorkCompletionOpcode.RDMA_READ, WorkCompletionOpcode.FETCH_ADD,
                    WorkCompletionOpcode.COMP_SWAP, WorkCompletionOpcode.SEND, WorkCompletionOpcode.RDMA_WRITE);
            Completed message = connection.server().await();
            assertThat(message.id()).isEqualTo(90);
            assertThat(message.opcode()).isEqualTo(WorkCompletionOpcode.RECV);
            assertThat(message.immediate()).isEmpty();
            assertThat(message.queuePairNumber()).isEqualTo(connection.server().queuePair().number());
            Completed immediate = connection.server().await();
            assertThat(immediate.id()).isEqualTo(91);
            assertThat(immediate.opcode()).isEqualTo(WorkCompletionOpcode.RECV_RDMA_WITH_IMM);
            assertThat(immediate.immediate()).hasValue(0xcafe);
            assertThat(immediate.byteLength()).isEqualTo(24);
        }
    }

    @Test
    default void aWriteIsSeenBeforeTheWriteThatFollowsIt() throws Exception {
        announced((requests, race) -> requests
                .writeInline(2, race.announcement, 0, 8, race.flagAddress(), race.remote.remoteKey()));
    }

    @Test
    default void aWriteIsSeenBeforeTheCompareAndSwapThatFollowsIt() throws Exception {
        announced((requests, race) -> requests.compareAndSwap(2, race.local, LENGTH, race.flagAddress(), race.remote.remoteKey(),
                race.round - 1, race.round));
    }

    @Test
    default void aWriteIsSeenBeforeTheFetchAndAddThatFollowsIt() throws Exception {
        announced((requests, race) -> requests
                .fetchAndAdd(2, race.local, LENGTH, race.flagAddress(), race.remote.remoteKey(), 1));
    }

    /// Adds the request that announces a round.
    @FunctionalInterface
    interface Announcement {
        /// Adds it.
        void add(SendBatch requests, Race race);
    }

    /// A message, and a flag behind it in which its number is announced.
    final class Race {
        private final MemoryRegion remote;
        private final MemoryRegion local;
        private final MemorySegment announcement;
        private long round;
        private volatile long seen;

        private Race(Testbed bed) {
            remote = bed.server().region(LENGTH + 8L, Host.EVERYTHING);
            local = bed.client().region(LENGTH + 8L, Host.EVERYTHING);
            announcement = bed.client().memory(8);
        }

        private long flagAddress() {
            return remote.address() + LENGTH;
        }

        /// As a CPU of the server that polls its memory: the message whose number it sees announced is there, all of it.
        private void watch() {
            MemorySegment memory = remote.memory();
            long start = System.nanoTime();
            while (seen < ROUNDS && System.nanoTime() - start < Endpoint.PATIENCE.toNanos()) {
                long announced = (long) ValueLayout.JAVA_LONG.varHandle().getVolatile(memory, (long) LENGTH);
                if (announced == seen) {
                    Thread.onSpinWait();
                    continue;
                }
                assertThat(announced).isEqualTo(seen + 1);
                for (long offset = 0; offset < LENGTH; offset++) {
                    assertThat(memory.get(ValueLayout.JAVA_BYTE, offset)).as("byte %s of message %s", offset, announced)
                            .isEqualTo((byte) announced);
                }
                seen = announced;
            }
            assertThat(seen).isEqualTo(ROUNDS);
        }
    }

    private void announced(Announcement announcement) throws Exception {
        try (Testbed bed = testbed(); ExecutorService threads = Executors.newSingleThreadExecutor()) {
            Endpoint client = bed.connect().client();
            Race race = new Race(bed);
            Future<?> server = threads.submit(race::watch);
            for (int round = 1; round <= ROUNDS; round++) {
                race.round = round;
                race.announcement.set(ValueLayout.JAVA_LONG, 0, round);
                race.local.memory().asSlice(0, LENGTH).fill((byte) round);
                client.post(requests -> {
                    requests.write(1, race.local, 0, LENGTH, race.remote.address(), race.remote.remoteKey());
                    announcement.add(requests, race);
                });
                assertThat(client.await(2)).allMatch(Completed::succeeded);
                int posted = round;
                Await.until(Endpoint.PATIENCE, "the server saw message " + round,
                        () -> race.seen == posted || server.isDone());
            }
            server.get(60, TimeUnit.SECONDS);
        }
    }

    @Test
    default void aWriteIsSeenBeforeTheMessageThatFollowsIt() {
        follows(requests -> requests.local.memory().set(ValueLayout.JAVA_LONG, LENGTH, 1),
                (requests, race) -> requests.send(2, race.local, LENGTH, 8));
    }

    @Test
    default void aWriteWithImmediateIsSeenWhenItIsReceived() {
        follows(_ -> { }, (requests, race) -> requests.writeWithImmediate(2, race.local, 0, LENGTH, race.remote.address(),
                race.remote.remoteKey(), (int) race.round));
    }

    private void follows(Consumer<Race> prepare, Announcement announcement) {
        try (Testbed bed = testbed()) {
            Connection connection = bed.connect();
            Race race = new Race(bed);
            MemoryRegion inbox = bed.server().region(64, Host.EVERYTHING);
            for (int round = 1; round <= ROUNDS; round++) {
                race.round = round;
                prepare.accept(race);
                race.local.memory().asSlice(0, LENGTH).fill((byte) round);
                connection.server().receive(round, inbox, 0, 64);
                connection.client().post(requests -> {
                    requests.write(1, race.local, 0, LENGTH, race.remote.address(), race.remote.remoteKey()).unsignalled();
                    announcement.add(requests, race);
                });
                assertThat(connection.server().await().id()).isEqualTo(round);
                assertThat(race.remote.memory().asSlice(0, LENGTH).mismatch(race.local.memory().asSlice(0, LENGTH)))
                        .isEqualTo(-1);
                assertThat(connection.client().await().id()).isEqualTo(2);
            }
        }
    }

    @Test
    default void aReadSeesTheWriteAndTheAtomicBeforeIt() {
        try (Testbed bed = testbed()) {
            Endpoint client = bed.connect().client();
            MemoryRegion target = bed.server().region(LENGTH, Host.EVERYTHING);
            MemoryRegion local = bed.client().region(3L * LENGTH, Host.EVERYTHING);
            for (int round = 1; round <= ROUNDS; round++) {
                local.memory().asSlice(0, LENGTH).fill((byte) round);
                local.memory().asSlice(LENGTH, LENGTH).fill((byte) 0);
                client.post(requests -> requests
                        .write(1, local, 0, LENGTH, target.address(), target.remoteKey()).unsignalled()
                        .fetchAndAdd(2, local, 2L * LENGTH, target.address() + 8, target.remoteKey(), 1).unsignalled()
                        .read(3, local, LENGTH, LENGTH, target.address(), target.remoteKey()));
                assertThat(client.await().id()).isEqualTo(3);
                long word = local.memory().get(ValueLayout.JAVA_LONG, 0);
                assertThat(local.memory().get(ValueLayout.JAVA_LONG, 2L * LENGTH)).isEqualTo(word);
                assertThat(local.memory().get(ValueLayout.JAVA_LONG, LENGTH + 8)).isEqualTo(word + 1);
                local.memory().set(ValueLayout.JAVA_LONG, LENGTH + 8, word);
                assertThat(local.memory().asSlice(0, LENGTH).mismatch(local.memory().asSlice(LENGTH, LENGTH))).isEqualTo(-1);
            }
        }
    }

    @Test
    default void whatAFencedWriteSendsWasReadBefore() {
        try (Testbed bed = testbed()) {
            Endpoint client = bed.connect().client();
            MemoryRegion target = bed.server().region(64, Host.EVERYTHING);
            MemoryRegion local = bed.client().region(64, Host.EVERYTHING);
            for (int round = 1; round <= ROUNDS; round++) {
                target.memory().set(ValueLayout.JAVA_LONG, 0, round);
                client.post(requests -> requests
                        .read(1, local, 0, 8, target.address(), target.remoteKey()).unsignalled()
                        .write(2, local, 0, 8, target.address() + 8, target.remoteKey()).fence());
                assertThat(client.await().id()).isEqualTo(2);
                assertThat(target.memory().get(ValueLayout.JAVA_LONG, 8)).isEqualTo(round);
            }
        }
    }
}
