package io.leasehold.rdma.disni;

import com.ibm.disni.verbs.IbvCQ;
import io.leasehold.rdma.RdmaError;
import io.leasehold.rdma.internal.verbs.VerbsCompletionQueue;
import java.io.IOException;
import org.jspecify.annotations.Nullable;

/// A completion queue.
final class Cq extends IbvCQ {
    private final VerbsCompletionQueue queue;
    private final @Nullable CompChannel events;

    Cq(Context context, @Nullable CompChannel events, VerbsCompletionQueue queue) throws IOException {
        super(context, events, 0);
        this.queue = queue;
        this.events = events;
        cqe = queue.capacity();
        if (events != null) {
            queue.onEvent(events::event);
        }
    }

    VerbsCompletionQueue open(String what) throws IOException {
        if (!isOpen()) {
            throw Failures.io(RdmaError.CLOSED, "the completion queue is destroyed; " + what + " is not possible");
        }
        return queue;
    }

    void requestNotification(boolean solicitedOnly) throws IOException {
        VerbsCompletionQueue open = open("asking for a notification");
        if (events == null) {
            throw Failures.io(RdmaError.INVALID_STATE,
                    "the completion queue has no completion channel to be notified by; create it with one");
        }
        Failures.run(() -> open.requestNotification(solicitedOnly));
    }

    synchronized void destroy() throws IOException {
        if (!isOpen()) {
            return;
        }
        Failures.run(queue::close);
        close();
        if (events != null) {
            events.unuse();
        }
    }
}
