package io.leasehold.lease;

import io.leasehold.lease.ControlMessage.AllocateExtent;
import io.leasehold.lease.ControlMessage.Allocated;
import io.leasehold.lease.ControlMessage.Free;
import io.leasehold.lease.ControlMessage.Granted;
import io.leasehold.lease.ControlMessage.Range;
import io.leasehold.lease.ControlMessage.Relinquish;
import io.leasehold.lease.ControlMessage.Reply;
import io.leasehold.lease.ControlMessage.Request;
import io.leasehold.lease.ControlMessage.Retire;
import java.util.ArrayList;
import java.util.List;
import java.util.function.LongSupplier;

/// Leases that are to be relinquished without anybody waiting: gathered for a moment, then told in one message. And memory that
/// was allocated for nobody, which goes back at once.
final class Departures {
    private static final int GATHERED_MAX = 64;
    private static final long GATHERING_NANOS = 1_000_000;

    private final ControlChannel control;
    private final LongSupplier deadline;
    // Guarded by this.
    private List<Long> leaving = new ArrayList<>();

    Departures(ControlChannel control, LongSupplier deadline) {
        this.control = control;
        this.deadline = deadline;
    }

    /// Has `lease` relinquished soon.
    void add(long lease) {
        boolean first;
        boolean full;
        synchronized (this) {
            leaving.add(lease);
            first = leaving.size() == 1;
            full = leaving.size() >= GATHERED_MAX;
        }
        if (full) {
            flush();
        } else if (first) {
            SessionTimer.after(GATHERING_NANOS, this::flush);
        }
    }

    /// Gives back what `reply` brought to a request that nobody waits for any more.
    void giveBack(Request request, Reply reply) {
        if (reply instanceof Granted granted) {
            add(granted.lease());
        } else if (reply instanceof Allocated space) {
            Request back = request instanceof AllocateExtent extent
                    ? new Retire(extent.heap(), List.of(new Range(space.offset(), space.lengthBytes())))
                    : new Free(space.offset());
            control.send("return of memory that came too late", back, deadline.getAsLong(), (_, _) -> { });
        }
    }

    private void flush() {
        List<Long> gathered;
        synchronized (this) {
            gathered = leaving;
            leaving = new ArrayList<>();
        }
        if (!gathered.isEmpty()) {
            // Not answered or refused: the leases end at their deadlines.
            control.send("relinquish", new Relinquish(gathered), deadline.getAsLong(), (_, _) -> { });
        }
    }
}
