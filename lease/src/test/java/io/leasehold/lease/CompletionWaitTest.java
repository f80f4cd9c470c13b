package io.leasehold.lease;

import static org.assertj.core.api.Assertions.assertThat;

import io.leasehold.rdma.CompletionQueue;
import io.leasehold.rdma.WorkCompletion;
import io.leasehold.rdma.WorkCompletionOpcode;
import io.leasehold.rdma.WorkCompletionStatus;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(20)
final class CompletionWaitTest {
    private static final long MICRO = 1_000;
    private static final long MILLI = 1_000_000;

    private final WorkCompletion completion = new WorkCompletion();
    private long now;

    /// A device with a clock of its own, which carries out `requests` one after the other.
    private final class SlowQueue implements CompletionQueue {
        private final int requests;
        private final long eachNanos;
        private int taken;
        private long standstillNanos;
        private long lateNanos;
        private boolean closed;
        private int waits;

        private SlowQueue(int requests, long eachNanos) {
            this.requests = requests;
            this.eachNanos = eachNanos;
        }

        @Override
        public int capacity() {
            return requests;
        }

        @Override
        public boolean poll(WorkCompletion into) {
            if (taken == requests || now < (taken + 1) * eachNanos + lateNanos) {
                return false;
            }
            into.set(taken++, WorkCompletionStatus.SUCCESS, WorkCompletionOpcode.BIND_MW, 1, 0);
            return true;
        }

        @Override
        public boolean await(Duration timeout) {
            waits++;
            if (closed) {
                return false;
            }
            long next = taken == requests ? Long.MAX_VALUE : (taken + 1) * eachNanos + lateNanos;
            long standstill = standstillNanos;
            now = Math.min(now + timeout.toNanos(), Math.max(now, next)) + standstill;
            lateNanos += standstill;
            standstillNanos = 0;
            return standstill == 0 && now >= next;
        }

        @Override
        public void onCompletion(Runnable handler) {
        }

        @Override
        public void close() {
            closed = true;
        }
    }

    @Test
    void patienceIsTimeAndNotTheNumberOfCompletions() {
        CompletionWait wait = new CompletionWait(new SlowQueue(3_000, 200 * MICRO), () -> now);
        wait.restart();
        for (int i = 0; i < 3_000; i++) {
            assertThat(wait.next(completion)).as("completion %d, after %d us", i, now / MICRO).isTrue();
            assertThat(completion.id()).isEqualTo(i);
        }
    }

    @Test
    void patienceIsASecondFromTheStart() {
        CompletionWait wait = new CompletionWait(new SlowQueue(3, 400 * MILLI), () -> now);
        wait.restart();
        assertThat(wait.next(completion)).isTrue();
        assertThat(wait.next(completion)).isTrue();
        assertThat(wait.next(completion)).isFalse();
        assertThat(now).isEqualTo(1_000 * MILLI);
        wait.restart();
        assertThat(wait.next(completion)).as("with new patience").isTrue();
    }

    /// Of the time in which the whole process stands still the device has nothing.
    @Test
    void aPauseOfTheProcessIsNotTheDevicesFault() {
        SlowQueue queue = new SlowQueue(1, 100 * MILLI);
        queue.standstillNanos = 5_000 * MILLI;
        CompletionWait wait = new CompletionWait(queue, () -> now);
        wait.restart();
        assertThat(wait.next(completion)).isTrue();
    }

    @Test
    void aQueueThatIsClosedIsNotWaitedForLong() {
        SlowQueue queue = new SlowQueue(1, 100 * MILLI);
        queue.close();
        CompletionWait wait = new CompletionWait(queue, () -> now);
        wait.restart();
        assertThat(wait.next(completion)).isFalse();
        assertThat(queue.waits).isLessThan(1_000);
    }
}
