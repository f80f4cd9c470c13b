package io.leasehold.lease;

import io.leasehold.lease.ControlMessage.Welcome;
import io.leasehold.lease.SessionState.End;
import io.leasehold.rdma.RdmaException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/// Connects the control queue pair of a session anew when it broke, and goes on with the session, or ends it when that cannot be
/// done in time. Its thread exists while there is something to connect.
final class Reconnection {
    /// Of the time that a request may take.
    private static final int BUDGET_SHARE = 4;
    private static final long BACKOFF_MIN_NANOS = 1_000_000;
    private static final long BACKOFF_MAX_NANOS = 100_000_000;

    private final SessionCore session;
    private final ControlChannel control;
    private final SessionState state;
    private final long budgetNanos;
    private final AtomicInteger running = new AtomicInteger();

    Reconnection(SessionCore session, ControlChannel control, SessionState state, long timeoutNanos) {
        this.session = session;
        this.control = control;
        this.state = state;
        budgetNanos = timeoutNanos / BUDGET_SHARE;
    }

    /// Begins; does not wait.
    void start() {
        if (state.isOpen()) {
            running.incrementAndGet();
            Thread.ofVirtual().name("leasehold-control-reconnect").start(() -> {
                try {
                    run();
                } finally {
                    running.decrementAndGet();
                }
            });
        }
    }

    /// Whether it is at work, and may hold a queue pair.
    boolean isBusy() {
        return running.get() > 0;
    }

    private void run() {
        long start = SystemClock.NANOS.getAsLong();
        long backoff = BACKOFF_MIN_NANOS;
        int attempts = 0;
        RuntimeException failure = null;
        while (state.isOpen() && (failure == null || SystemClock.NANOS.getAsLong() - start < budgetNanos)) {
            attempts++;
            failure = attempt(start + budgetNanos);
            if (failure == null) {
                return;
            }
            pause(backoff);
            backoff = Math.min(BACKOFF_MAX_NANOS, backoff * 2);
        }
        if (failure != null) {
            long millis = (SystemClock.NANOS.getAsLong() - start) / 1_000_000;
            session.end(End.UNREACHABLE, "the control connection broke, and " + attempts + " attempts in " + millis
                    + " ms to connect it anew failed, at last with: " + failure.getMessage(), failure);
        }
    }

    /// One attempt.
    ///
    /// @return why it failed and another may not; `null` if there is nothing more to do
    private @Nullable RuntimeException attempt(long deadlineNanos) {
        try {
            Welcome again = control.open(session.hello(), deadlineNanos);
            if (again.nodeEpoch() != session.hello().nodeEpochExpected()) {
                session.end(End.ENDED, "the node was started anew and forgot it", null);
                return null;
            }
            return control.resume() ? null
                    : new NodeUnavailableException(state.node() + ": the connection broke right after it was made");
        } catch (RdmaException | NodeUnavailableException e) {
            return e;
        } catch (RuntimeException e) {
            session.end(End.ENDED, "the node refused to go on with it: " + e.getMessage(), e);
            return null;
        }
    }

    private static void pause(long nanos) {
        try {
            TimeUnit.NANOSECONDS.sleep(nanos);
        } catch (InterruptedException _) {
            // Nobody interrupts this thread; if somebody does, it tries again the sooner.
        }
    }
}
