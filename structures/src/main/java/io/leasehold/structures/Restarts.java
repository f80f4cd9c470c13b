package io.leasehold.structures;

import io.leasehold.lease.LeaseConflictException;
import io.leasehold.lease.OutcomeUnknownException;
import java.util.concurrent.TimeUnit;

/// Counts how often one operation had to start over, pauses in between, and ends it when its time is up. For one thread.
final class Restarts {
    /// Restarts without a pause: a lease that was renewed costs one, a chunk that is touched for the first time another.
    private static final int EAGER = 4;

    private final Memory memory;
    private final String operation;
    private final long timeoutNanos;
    private final long begin;
    private int count;

    /// @param operation what to call the operation in the message
    Restarts(Memory memory, String operation, long timeoutNanos) {
        this.memory = memory;
        this.operation = operation;
        this.timeoutNanos = timeoutNanos;
        begin = memory.clock().getAsLong();
    }

    /// Counts one more.
    ///
    /// @throws LeaseConflictException if the operation's time is up
    /// @throws OutcomeUnknownException likewise, if it is the cause
    void again(RuntimeException cause) {
        long passed = memory.clock().getAsLong() - begin;
        if (++count > EAGER && passed > timeoutNanos) {
            if (cause instanceof OutcomeUnknownException) {
                throw cause;
            }
            throw LeaseConflictException.of(operation + " gave up after " + TimeUnit.NANOSECONDS.toMillis(passed) + " ms and "
                    + count + " restarts: its leases end before it does, or its connection keeps breaking (see the cause, and"
                    + " QueueOptions.timeout)", cause);
        }
        if (count > EAGER) {
            memory.pause(Backoff.nanos(memory.random(), count - EAGER));
        }
    }
}
