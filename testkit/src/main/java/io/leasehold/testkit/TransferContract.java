package io.leasehold.testkit;

import static org.assertj.core.api.Assertions.assertThat;

import io.leasehold.rdma.MemoryRegion;
import io.leasehold.rdma.WorkCompletionStatus;
import io.leasehold.testkit.Testbed.Connection;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/// Every length arrives whole, at every alignment, and nothing arrives beside it.
public interface TransferContract extends FabricContract {
    /// The longest transfer tried.
    int LONGEST = 8 << 20;

    /// Bytes on each side of a transfer that must not change.
    int MARGIN = 64;

    /// The lengths tried.
    private static int[] lengths() {
        return new int[] {0, 1, 2, 7, 8, 9, 63, 64, 65, 255, 256, 257, 1023, 4095, 4096, 4097, 65_535, 65_536, 65_537,
            1_000_003, LONGEST};
    }

    /// A segment of noise, the same for the same seed.
    private static void fillWithNoise(MemorySegment memory, long seed) {
        byte[] noise = new byte[Math.toIntExact(memory.byteSize())];
        new SplittableRandom(seed).nextBytes(noise);
        memory.copyFrom(MemorySegment.ofArray(noise));
    }

    private static void margins(MemorySegment memory, int length) {
        assertThat(memory.asSlice(0, MARGIN).toArray(ValueLayout.JAVA_BYTE)).containsOnly(-1);
        assertThat(memory.asSlice(MARGIN + (long) length, MARGIN).toArray(ValueLayout.JAVA_BYTE)).containsOnly(-1);
    }

    @Test
    default void whatIsWrittenIsReadBack() {
        try (Testbed bed = testbed()) {
            Endpoint client = bed.connect().client();
            MemoryRegion target = bed.server().region(LONGEST + 2L * MARGIN, Host.EVERYTHING);
            MemoryRegion from = bed.client().region(LONGEST + 2L * MARGIN, Host.EVERYTHING);
            MemoryRegion to = bed.client().region(LONGEST + 2L * MARGIN, Host.EVERYTHING);
            for (int length : lengths()) {
                target.memory().fill((byte) -1);
                to.memory().fill((byte) -1);
                int shift = length % 8;
                MemorySegment sent = from.memory().asSlice(shift, length);
                fillWithNoise(sent, length);
                assertThat(client.write(from, shift, length, target.address() + MARGIN, target.remoteKey()).status())
                        .as("WRITE of %s bytes", length).isEqualTo(WorkCompletionStatus.SUCCESS);
                assertThat(target.memory().asSlice(MARGIN, length).mismatch(sent)).isEqualTo(-1);
                margins(target.memory(), length);
                Completed read = client.read(to, MARGIN, length, target.address() + MARGIN, target.remoteKey());
                assertThat(read.succeeded()).as("READ of %s bytes", length).isTrue();
                assertThat(read.byteLength()).isEqualTo(length);
                assertThat(to.memory().asSlice(MARGIN, length).mismatch(sent)).isEqualTo(-1);
                margins(to.memory(), length);
            }
        }
    }

    @Test
    default void everyAlignmentIsTakenAtBothEnds() {
        try (Testbed bed = testbed()) {
            Endpoint client = bed.connect().client();
            MemoryRegion target = bed.server().region(512, Host.EVERYTHING);
            MemoryRegion local = bed.client().region(512, Host.EVERYTHING);
            int length = 37;
            for (int offset = 0; offset < 16; offset++) {
                for (int remote = 0; remote < 16; remote++) {
                    fillWithNoise(local.memory(), offset * 16L + remote);
                    target.memory().fill((byte) -1);
                    long address = target.address() + MARGIN + remote;
                    assertThat(client.write(local, offset, length, address, target.remoteKey()).succeeded()).isTrue();
                    assertThat(client.read(local, 256 + remote, length, address, target.remoteKey()).succeeded()).isTrue();
                    assertThat(local.memory().asSlice(256 + remote, length).mismatch(local.memory().asSlice(offset, length)))
                            .isEqualTo(-1);
                    margins(target.memory().asSlice(remote), length);
                }
            }
        }
    }

    @Test
    default void messagesArriveWhole() {
        try (Testbed bed = testbed()) {
            Connection connection = bed.connect();
            MemoryRegion inbox = bed.server().region(LONGEST + 2L * MARGIN, Host.EVERYTHING);
            MemoryRegion outbox = bed.client().region(LONGEST, Host.EVERYTHING);
            for (int length : lengths()) {
                inbox.memory().fill((byte) -1);
                MemorySegment sent = outbox.memory().asSlice(0, length);
                fillWithNoise(sent, length);
                connection.server().receive(length, inbox, MARGIN, LONGEST);
                assertThat(connection.client().send(outbox, 0, length).succeeded()).as("SEND of %s bytes", length).isTrue();
                Completed received = connection.server().await();
                assertThat(received.id()).isEqualTo(length);
                assertThat(received.byteLength()).isEqualTo(length);
                assertThat(inbox.memory().asSlice(MARGIN, length).mismatch(sent)).isEqualTo(-1);
                margins(inbox.memory(), length);
            }
        }
    }

    @Test
    default void manyLargeTransfersInBothDirectionsGoOnAtOnce() {
        int length = 1 << 20;
        int count = 8;
        try (Testbed bed = testbed()) {
            Connection connection = bed.connect();
            MemoryRegion atServer = bed.server().region(2L * length, Host.EVERYTHING);
            MemoryRegion atClient = bed.client().region(2L * length, Host.EVERYTHING);
            fillWithNoise(atServer.memory().asSlice(0, length), 1);
            fillWithNoise(atClient.memory().asSlice(0, length), 2);
            for (int i = 0; i < count; i++) {
                long id = i;
                connection.client().post(requests -> requests
                        .write(id, atClient, 0, length, atServer.address() + length, atServer.remoteKey()));
                connection.server().post(requests -> requests
                        .write(id, atServer, 0, length, atClient.address() + length, atClient.remoteKey()));
            }
            assertThat(connection.client().await(count)).allMatch(Completed::succeeded);
            assertThat(connection.server().await(count)).allMatch(Completed::succeeded);
            assertThat(atServer.memory().asSlice(length, length).mismatch(atClient.memory().asSlice(0, length))).isEqualTo(-1);
            assertThat(atClient.memory().asSlice(length, length).mismatch(atServer.memory().asSlice(0, length))).isEqualTo(-1);
        }
    }
}
