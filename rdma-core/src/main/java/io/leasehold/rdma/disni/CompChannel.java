package io.leasehold.rdma.disni;

import com.ibm.disni.verbs.IbvCompChannel;
import io.leasehold.rdma.RdmaError;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

/// Counts the events of its completion queues. The device's event thread adds them; who waits takes them.
final class CompChannel extends IbvCompChannel {
    /// How often a thread that waits without a limit looks whether the channel was closed.
    private static final long SLICE_MILLIS = 100;

    private final Semaphore events = new Semaphore(0);
    private final AtomicInteger queues = new AtomicInteger();

    CompChannel(Context context) throws IOException {
        super(0, context);
    }

    /// One of its queues has an event.
    void event() {
        events.release();
    }

    void use() throws IOException {
        open("creating a completion queue for it");
        queues.incrementAndGet();
    }

    void unuse() {
        queues.decrementAndGet();
    }

    private void open(String what) throws IOException {
        if (!isOpen()) {
            throw Failures.io(RdmaError.CLOSED, "the completion channel is closed; " + what + " is not possible");
        }
    }

    /// Takes an event.
    ///
    /// @param timeoutMillis how long to wait for one; negative for until the channel is closed
    boolean await(int timeoutMillis) throws IOException {
        long left = timeoutMillis < 0 ? Long.MAX_VALUE : timeoutMillis;
        try {
            do {
                open("waiting");
                long slice = Math.min(left, SLICE_MILLIS);
                if (events.tryAcquire(slice, TimeUnit.MILLISECONDS)) {
                    return true;
                }
                left -= slice;
            } while (left > 0);
            return false;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw (IOException) new InterruptedIOException("interrupted while waiting for a completion event").initCause(e);
        }
    }

    void destroy() throws IOException {
        if (queues.get() > 0) {
            throw Failures.io(RdmaError.BUSY, queues.get() + " completion queues use the completion channel; destroy them first");
        }
        close();
    }
}
