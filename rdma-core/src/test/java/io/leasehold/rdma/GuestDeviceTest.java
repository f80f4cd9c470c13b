package io.leasehold.rdma;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/// The guest of `test-cluster/rdma` is what the tests tagged `rdma` take it for: its kernel has one active RDMA device, and lets
/// programs at it.
@Tag("rdma")
class GuestDeviceTest {
    private static final Path DEVICE = Path.of("/sys/class/infiniband/rxe0");

    @BeforeEach
    void isInTheGuest() {
        assumeTrue(System.getenv("LEASEHOLD_GUEST") != null, "not in the guest; bin/test --rdma runs this there");
    }

    @Test
    void portIsActive() throws IOException {
        assertThat(Files.readString(DEVICE.resolve("ports/1/state"))).startsWith("4: ACTIVE");
    }

    @Test
    void deviceOpens() {
        assertThat(Path.of("/dev/infiniband/uverbs0")).isReadable().isWritable();
    }
}
