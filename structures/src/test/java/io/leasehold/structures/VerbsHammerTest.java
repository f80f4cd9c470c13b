package io.leasehold.structures;

import io.leasehold.rdma.DeviceOptions;
import io.leasehold.testkit.WithRdmaDevice;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/// Twelve virtual threads in two processes work on one map and one queue over the RDMA device of this machine: see [HammerRun].
///
/// Runs for 20 seconds, or `-Dleasehold.hammer.seconds`.
@Tag("rdma")
@ExtendWith(WithRdmaDevice.class)
final class VerbsHammerTest {
    private static final int THREADS = 6;
    private static final long SECONDS = Long.getLong("leasehold.hammer.seconds", 20);
    private static final long ENQUEUED_MIN = 100;

    @Test
    void mapAndQueueAreLinearizableAndNothingLeaks(@TempDir Path folder) throws Exception {
        new HammerRun(DeviceOptions.verbs(), List.of(HammerClient.VERBS, HammerClient.VERBS), THREADS, SECONDS, ENQUEUED_MIN)
                .check(folder);
    }
}
