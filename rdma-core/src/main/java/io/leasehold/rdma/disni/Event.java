package io.leasehold.rdma.disni;

import com.ibm.disni.verbs.RdmaCmEvent;
import com.ibm.disni.verbs.RdmaCmId;
import io.leasehold.rdma.internal.verbs.CmEvent;
import java.io.IOException;
import org.jspecify.annotations.Nullable;

/// An event of the connection manager, with its status and what the peer sent along.
final class Event extends RdmaCmEvent {
    private final CmEvent event;

    Event(CmEvent event, @Nullable RdmaCmId listener, RdmaCmId id) throws IOException {
        super(event.type().ordinal(), listener, id);
        this.event = event;
        status = event.status();
        conn = new Param(event.privateData(), event.responderResources(), event.initiatorDepth());
    }

    CmReport report() {
        return new CmReport(EventType.values()[event.type().ordinal()], event.status(), event.privateData(), event.peer(),
                event.phase(), event.elapsed());
    }

    CmEvent event() {
        return event;
    }

    @Override
    public String toString() {
        return "RDMA_CM_EVENT_" + event.describe();
    }
}
