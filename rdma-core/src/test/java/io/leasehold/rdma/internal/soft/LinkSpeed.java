package io.leasehold.rdma.internal.soft;

import io.leasehold.rdma.DeviceOptions;
import io.leasehold.rdma.Link;
import io.leasehold.rdma.PostStatus;
import io.leasehold.rdma.SendBatch;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;

/// Measures a link roughly: reads of 64 bytes, one at a time and in batches of 64. A program to be run by hand, no test.
final class LinkSpeed {
    private static final int BYTES = 64;
    private static final int DEPTH = 64;
    private static final double NANOS = 1e9;
    private static final ThreadMXBean THREADS = ManagementFactory.getThreadMXBean();

    /// Operations a second, and what one costs the posting thread, which a busy machine distorts less.
    private record Speed(double perSecond, double cpuNanos) {
        @Override
        public String toString() {
            return String.format("%,.0f reads/s (%,.0f ns of the poster's processor)", perSecond, cpuNanos);
        }
    }

    private LinkSpeed() {
    }

    /// `LinkSpeed LOCAL|TCP [seconds]`.
    public static void main(String[] arguments) {
        Link link = Link.valueOf(arguments.length > 0 ? arguments[0] : Link.LOCAL.name());
        double seconds = arguments.length > 1 ? Double.parseDouble(arguments[1]) : 2;
        try (var pair = new Pair(DeviceOptions.soft().withLinks(link), 1 << 16)) {
            for (int round = 0; round < 3; round++) {
                Speed single = run(pair, 1, seconds);
                Speed batched = run(pair, DEPTH, seconds);
                System.out.printf("%s: %s one at a time; %s in batches of %d%n", link, single, batched, DEPTH);
            }
        }
    }

    private static Speed run(Pair pair, int depth, double seconds) {
        SendBatch batch = pair.client.queuePair.newSendBatch();
        long cpu = THREADS.getCurrentThreadCpuTime();
        long start = NicClock.nanos();
        long end = start + (long) (seconds * NANOS);
        long done = 0;
        while (NicClock.nanos() < end) {
            for (int i = 0; i < depth; i++) {
                batch.read(i, pair.client.region, i * BYTES, BYTES, pair.server.region.address() + i * BYTES,
                        pair.server.region.remoteKey());
                if (i < depth - 1) {
                    batch.unsignalled();
                }
            }
            if (batch.post() != PostStatus.POSTED || !pair.client.spin().succeeded()) {
                throw new IllegalStateException("a read failed");
            }
            done += depth;
        }
        return new Speed(done * NANOS / (NicClock.nanos() - start), (double) (THREADS.getCurrentThreadCpuTime() - cpu) / done);
    }
}
