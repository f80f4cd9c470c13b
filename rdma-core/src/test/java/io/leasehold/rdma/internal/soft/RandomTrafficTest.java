package io.leasehold.rdma.internal.soft;

import static org.assertj.core.api.Assertions.assertThat;

import io.leasehold.rdma.DeviceOptions;
import io.leasehold.rdma.Hostility;
import io.leasehold.rdma.Link;
import io.leasehold.rdma.PostStatus;
import io.leasehold.rdma.SendBatch;
import io.leasehold.rdma.WorkCompletionOpcode;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// Random batches of all kinds of requests, short and longer than a segment, with receives that are posted before or after the
/// messages that need them: all leave what the same requests, carried out one by one on two arrays, leave.
@Timeout(120)
final class RandomTrafficTest {
    private static final int HALF = 1 << 20;
    private static final int ROUNDS = 150;

    @ParameterizedTest
    @CsvSource({"LOCAL, false, 1", "LOCAL, true, 2", "TCP, false, 3", "TCP, false, 4", "TCP, true, 5",
        "SHARED_MEMORY, false, 6", "SHARED_MEMORY, false, 7", "SHARED_MEMORY, true, 8"})
    void leavesWhatTheModelLeaves(Link link, boolean hostile, long seed) throws InterruptedException {
        var options = DeviceOptions.soft().withLinks(link)
                .withHostility(hostile ? Hostility.unpleasant(seed) : Hostility.NONE);
        try (var pair = new Pair(options, 2 * HALF, tuning -> tuning.withDepth(64, 64).withMaxReadAtomic(3)
                .withTimeouts(Duration.ofSeconds(20), Duration.ofSeconds(20)))) {
            var run = new Run(pair, new SplittableRandom(seed));
            for (int round = 0; round < ROUNDS; round++) {
                run.round();
            }
        }
    }

    /// The state of one run: the memories and their models.
    private static final class Run {
        private final Pair pair;
        private final SplittableRandom random;
        private final SendBatch batch;
        private final MemorySegment client;
        private final MemorySegment server;
        private final byte[] clientModel = new byte[2 * HALF];
        private final byte[] serverModel = new byte[2 * HALF];
        private final List<Integer> messages = new ArrayList<>();
        private int used;

        Run(Pair pair, SplittableRandom random) {
            this.pair = pair;
            this.random = random;
            batch = pair.client.queuePair.newSendBatch();
            client = pair.client.region.memory();
            server = pair.server.region.memory();
        }

        /// One batch on both sides. Local ranges come from the front of the client's memory, each used once in a batch; messages
        /// go to the upper half of the server's memory, everything else to its lower half.
        void round() throws InterruptedException {
            used = 0;
            messages.clear();
            fillClient();
            int requests = 1 + random.nextInt(16);
            List<Integer> ids = new ArrayList<>();
            for (int id = 0; id < requests; id++) {
                add(id);
                if (random.nextInt(3) == 0) {
                    batch.fence();
                }
                if (id < requests - 1 && random.nextBoolean()) {
                    batch.unsignalled();
                } else {
                    ids.add(id);
                }
            }
            boolean early = random.nextBoolean();
            int offset = HALF;
            for (int i = 0; early && i < messages.size(); i++) {
                offset = receive(i, offset);
            }
            assertThat(batch.post()).isEqualTo(PostStatus.POSTED);
            for (int i = 0; !early && i < messages.size(); i++) {
                if (random.nextInt(4) == 0) {
                    LockSupport.parkNanos(1_000_000);
                }
                offset = receive(i, offset);
            }
            for (int id : ids) {
                assertThat(pair.client.next().succeeded()).as("%s", pair.client.completion).isTrue();
                assertThat(pair.client.completion.id()).isEqualTo(id);
            }
            for (int i = 0; i < messages.size(); i++) {
                assertThat(pair.server.next().succeeded()).as("%s", pair.server.completion).isTrue();
                assertThat(pair.server.completion.id()).isEqualTo(i);
                assertThat(pair.server.completion.byteLength()).isEqualTo(messages.get(i));
            }
            assertThat(client.mismatch(MemorySegment.ofArray(clientModel))).as("the client's memory").isEqualTo(-1);
            assertThat(server.mismatch(MemorySegment.ofArray(serverModel))).as("the server's memory").isEqualTo(-1);
        }

        private void fillClient() {
            for (int i = 0; i < 64; i++) {
                int at = random.nextInt(HALF / 8) * 8;
                long value = random.nextLong();
                client.set(ValueLayout.JAVA_LONG, at, value);
                MemorySegment.ofArray(clientModel).set(ValueLayout.JAVA_LONG_UNALIGNED, at, value);
            }
        }

        private int receive(int index, int offset) {
            int length = messages.get(index);
            assertThat(pair.server.queuePair.postReceive(index, pair.server.region, offset, length)).isEqualTo(PostStatus.POSTED);
            return offset + length;
        }

        private int length() {
            return switch (random.nextInt(8)) {
                case 0 -> 0;
                case 1 -> 1 + random.nextInt(HALF / 16);
                case 2 -> Frame.SEGMENT_BYTES * random.nextInt(2) + random.nextInt(3);
                default -> 1 + random.nextInt(200);
            };
        }

        private void add(int id) {
            int length = length();
            int local = used;
            long remote = random.nextInt(HALF - length);
            long address = pair.server.region.address() + remote;
            int key = pair.server.region.remoteKey();
            switch (random.nextInt(6)) {
                case 0 -> {
                    batch.read(id, pair.client.region, local, length, address, key);
                    System.arraycopy(serverModel, (int) remote, clientModel, local, length);
                }
                case 1 -> {
                    batch.write(id, pair.client.region, local, length, address, key);
                    System.arraycopy(clientModel, local, serverModel, (int) remote, length);
                }
                case 2 -> {
                    length = Math.min(length, 256);
                    batch.writeInline(id, client, local, length, address, key);
                    System.arraycopy(clientModel, local, serverModel, (int) remote, length);
                }
                case 3 -> {
                    length = Long.BYTES;
                    atomic(id, local, (int) remote & -Long.BYTES, key);
                }
                case 4 -> message(id, local, length, batch.send(id, pair.client.region, local, length));
                default -> {
                    length = Math.min(length, 256);
                    message(id, local, length, batch.sendInline(id, client, local, length));
                }
            }
            used += length;
        }

        private void atomic(int id, int local, int remote, int key) {
            MemorySegment model = MemorySegment.ofArray(serverModel);
            long before = model.get(ValueLayout.JAVA_LONG_UNALIGNED, remote);
            long operand = random.nextLong();
            if (random.nextBoolean()) {
                batch.fetchAndAdd(id, pair.client.region, local, pair.server.region.address() + remote, key, operand);
                model.set(ValueLayout.JAVA_LONG_UNALIGNED, remote, before + operand);
            } else {
                boolean hit = random.nextBoolean();
                batch.compareAndSwap(id, pair.client.region, local, pair.server.region.address() + remote, key,
                        hit ? before : ~before, operand);
                if (hit) {
                    model.set(ValueLayout.JAVA_LONG_UNALIGNED, remote, operand);
                }
            }
            MemorySegment.ofArray(clientModel).set(ValueLayout.JAVA_LONG_UNALIGNED, local, before);
        }

        private void message(int id, int local, int length, SendBatch added) {
            assertThat(added).as("request %d", id).isSameAs(batch);
            int at = HALF + messages.stream().mapToInt(Integer::intValue).sum();
            System.arraycopy(clientModel, local, serverModel, at, length);
            messages.add(length);
        }
    }

    /// The opcodes that a completion can have are those of the requests.
    @ParameterizedTest
    @CsvSource({"LOCAL", "SHARED_MEMORY", "TCP"})
    void completionsSayWhatTheRequestWas(Link link) throws InterruptedException {
        try (var pair = new Pair(DeviceOptions.soft().withLinks(link), 4096)) {
            long remote = pair.server.region.address();
            int key = pair.server.region.remoteKey();
            pair.server.queuePair.postReceive(1, pair.server.region, 0, 64);
            pair.client.queuePair.newSendBatch().writeWithImmediate(1, pair.client.region, 0, 64, remote, key, 4711).post();
            assertThat(pair.client.next().opcode()).isEqualTo(WorkCompletionOpcode.RDMA_WRITE);
            assertThat(pair.server.next().opcode()).isEqualTo(WorkCompletionOpcode.RECV_RDMA_WITH_IMM);
            assertThat(pair.server.completion.immediate()).isEqualTo(4711);
            assertThat(pair.server.completion.byteLength()).isEqualTo(64);
        }
    }
}
