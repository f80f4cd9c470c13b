package io.leasehold.lease;

import io.leasehold.rdma.DeviceOptions;
import java.time.Duration;
import java.util.function.LongSupplier;

/// How a client connects to a memory node; every value is checked when it is made, with a message that names it.
///
/// @param device the device to open; sessions of one process may share one, see [Session#connect]
/// @param principal who the client is, for the node's policy; up to 255 bytes of UTF-8
/// @param spareQueuePairs queue pairs kept ready for recovery, 1 to 8
/// @param depth operations that may be on the way at once, 1 to 4096
/// @param scratchBytes registered memory that transfers pass through, at least 64 KiB
/// @param connectTimeout how long to try to connect
/// @param requestTimeout how long a control request or a data operation may take, recovery included
/// @param drift how much two clocks may drift apart, as a fraction: 2e-4 is 200 µs a second
/// @param clock the client's clock, in nanoseconds; only differences count
public record SessionOptions(DeviceOptions device, String principal, int spareQueuePairs, int depth, int scratchBytes,
        Duration connectTimeout, Duration requestTimeout, double drift, LongSupplier clock) {
    /// Checks the ranges.
    public SessionOptions {
        if (principal.getBytes(java.nio.charset.StandardCharsets.UTF_8).length > 255) {
            throw new IllegalArgumentException("principal is longer than 255 bytes");
        }
        if (spareQueuePairs < 1 || spareQueuePairs > 8) {
            throw new IllegalArgumentException("spareQueuePairs " + spareQueuePairs + " is outside 1 to 8");
        }
        if (depth < 1 || depth > 4096) {
            throw new IllegalArgumentException("depth " + depth + " is outside 1 to 4096");
        }
        if (scratchBytes < 1 << 16) {
            throw new IllegalArgumentException("scratchBytes " + scratchBytes + " is less than 64 KiB");
        }
        for (Duration time : new Duration[] {connectTimeout, requestTimeout}) {
            if (time.compareTo(Duration.ofMillis(1)) < 0) {
                throw new IllegalArgumentException("time-out " + time + " is less than 1 ms");
            }
        }
        if (!(drift >= 0 && drift < 0.1)) {
            throw new IllegalArgumentException("drift " + drift + " is outside 0 to 0.1");
        }
    }

    /// The software fabric; 2 spare queue pairs, 256 operations, 4 MiB of scratch, 5 s to connect, 5 s a request, drift 2e-4.
    public static SessionOptions defaults() {
        return new SessionOptions(DeviceOptions.soft(), "", 2, 256, 4 << 20, Duration.ofSeconds(5), Duration.ofSeconds(5), 2e-4,
                SystemClock.NANOS);
    }

    /// The same with another device.
    public SessionOptions withDevice(DeviceOptions options) {
        return new SessionOptions(options, principal, spareQueuePairs, depth, scratchBytes, connectTimeout, requestTimeout, drift,
                clock);
    }

    /// The same with another principal.
    public SessionOptions withPrincipal(String name) {
        return new SessionOptions(device, name, spareQueuePairs, depth, scratchBytes, connectTimeout, requestTimeout, drift,
                clock);
    }

    /// The same with another number of spare queue pairs.
    public SessionOptions withSpareQueuePairs(int count) {
        return new SessionOptions(device, principal, count, depth, scratchBytes, connectTimeout, requestTimeout, drift, clock);
    }

    /// The same with other time-outs.
    public SessionOptions withTimeouts(Duration connect, Duration request) {
        return new SessionOptions(device, principal, spareQueuePairs, depth, scratchBytes, connect, request, drift, clock);
    }

    /// The same with another clock.
    public SessionOptions withClock(LongSupplier nanos) {
        return new SessionOptions(device, principal, spareQueuePairs, depth, scratchBytes, connectTimeout, requestTimeout, drift,
                nanos);
    }
}
