package io.leasehold.structures;

import io.leasehold.rdma.DeviceOptions;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Twenty virtual threads in two processes, one over TCP and one over shared memory, through hundreds of splits and thousands of
/// segment turns: see [HammerRun].
///
/// Runs for a minute, or `-Dleasehold.hammer.seconds`.
final class HammerTest {
    private static final int THREADS = 10;
    private static final long SECONDS = Long.getLong("leasehold.hammer.seconds", 60);
    private static final long ENQUEUED_MIN = 1_000;

    @Test
    void mapAndQueueAreLinearizableAndNothingLeaks(@TempDir Path folder) throws Exception {
        DeviceOptions device = DeviceOptions.soft().withMaxWindows(1 << 17);
        new HammerRun(device, List.of("TCP", "SHARED_MEMORY"), THREADS, SECONDS, ENQUEUED_MIN).check(folder);
    }
}
