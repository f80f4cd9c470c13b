package io.leasehold.benchmarks;

import io.leasehold.lease.AccessDeniedException;
import io.leasehold.lease.Lease;
import io.leasehold.lease.LeaseExpiredException;
import io.leasehold.lease.RemoteAddress;
import io.leasehold.lease.Session;
import io.leasehold.lease.SessionOptions;
import io.leasehold.rdma.DeviceOptions;
import io.leasehold.rdma.Link;
import java.time.Duration;
import java.util.OptionalLong;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;
import org.HdrHistogram.Histogram;

/// Breaks the session's queue pair by an access that the node's device refuses, and measures from the refused request to the first
/// that is carried out again; or connects a session anew, up to the same request.
///
/// @param isReconnecting whether to connect anew
record RunRecovery(String node, Link link, boolean isReconnecting, long nanos) implements Task<Measured> {
    private static final int BYTES = 64;
    private static final Duration TERM = Duration.ofSeconds(10);
    private static final Duration SHORT_TERM = Duration.ofMillis(2);

    /// The system's monotonic clock, which can be made to stand still: then a client does not see its leases end, and the node's
    /// device does.
    private static final class StoppableClock implements LongSupplier {
        private volatile OptionalLong stoppedAtNanos = OptionalLong.empty();

        @Override
        public long getAsLong() {
            return stoppedAtNanos.orElseGet(System::nanoTime);
        }
    }

    @Override
    public Measured perform(Workbench workbench) throws Exception {
        Histogram latencies = new Histogram(3);
        long start = System.nanoTime();
        StoppableClock clock = new StoppableClock();
        if (isReconnecting) {
            do {
                latencies.recordValue(reconnect(clock));
            } while (System.nanoTime() - start < nanos);
        } else {
            try (Session session = connect(clock)) {
                RemoteAddress memory = session.allocate(2 * BYTES);
                do {
                    latencies.recordValue(recover(session, clock, memory));
                } while (System.nanoTime() - start < nanos);
            }
        }
        return new Measured(latencies.getTotalCount(), System.nanoTime() - start, latencies);
    }

    private Session connect(StoppableClock clock) {
        return Session.connect(node, SessionOptions.defaults().withDevice(DeviceOptions.soft().withLinks(link)).withClock(clock));
    }

    private long reconnect(StoppableClock clock) {
        long start = System.nanoTime();
        try (Session session = connect(clock); Lease lease = session.acquireWrite(session.allocate(BYTES), BYTES, TERM)) {
            lease.write(0, new byte[Long.BYTES]);
            return System.nanoTime() - start;
        }
    }

    private static long recover(Session session, StoppableClock clock, RemoteAddress memory) throws InterruptedException {
        try (Lease other = session.acquireWrite(memory.plus(BYTES), BYTES, TERM)) {
            other.write(0, new byte[Long.BYTES]);
            clock.stoppedAtNanos = OptionalLong.of(System.nanoTime());
            try (Lease forgotten = session.acquireWrite(memory, BYTES, SHORT_TERM)) {
                while (true) {
                    TimeUnit.MILLISECONDS.sleep(1);
                    long start = System.nanoTime();
                    try {
                        forgotten.write(0, new byte[Long.BYTES]);
                    } catch (AccessDeniedException | LeaseExpiredException e) {
                        other.write(0, new byte[Long.BYTES]);
                        return System.nanoTime() - start;
                    }
                }
            } finally {
                clock.stoppedAtNanos = OptionalLong.empty();
            }
        }
    }
}
