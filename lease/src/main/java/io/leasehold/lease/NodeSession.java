package io.leasehold.lease;

import io.leasehold.lease.ControlMessage.Activate;
import io.leasehold.lease.ControlMessage.LeaseKey;
import io.leasehold.lease.ControlMessage.Reply;
import io.leasehold.lease.TimingWheel.Timer;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/// What a node knows of a session. Touched by the control thread alone.
final class NodeSession {
    /// Most data queue pairs of a session: one in use, and the spare ones that [SessionOptions] allow.
    static final int PATHS_MAX = 16;
    /// Most allocations of a session; [NodeMemory] would hold millions of small ones.
    static final int ALLOCATIONS_MAX = 1 << 16;

    final UUID id;
    final String principal;
    final WordRow row;
    final SessionReplies replies = new SessionReplies();
    /// Its leases that have begun and not ended, by id, oldest first.
    final LinkedHashMap<Long, NodeLease> leases = new LinkedHashMap<>();
    /// Its requests for leases that are not answered.
    final LinkedHashSet<PendingGrant> grants = new LinkedHashSet<>();
    /// Its session-bound memory, by offset.
    final Map<Long, Allocation> memory = new HashMap<>();
    final Timer<Runnable> term;

    /// Its data queue pairs by index.
    final @Nullable DataPath[] paths = new DataPath[PATHS_MAX];
    /// How many that it had are being closed; see [Closer].
    int pathsClosing;
    /// The one that its client uses; windows are bound to it.
    @Nullable DataPath active;
    /// The number of its activation; 0 before the first.
    int generation;
    /// What opens its row of lease words to it.
    @Nullable Opening rowOpening;
    /// The keys of the last activation.
    List<LeaseKey> keys = List.of();
    /// The activation that was asked for last, if it was not carried out yet.
    @Nullable AskedActivation asked;

    /// Where answers go, if there is a control queue pair.
    @Nullable ControlConnection connection;
    long seenNanos;
    /// How many completions had been taken when it was found to be silent for too long; -1 if it was not.
    long silentSince = -1;
    boolean ended;

    /// A request for an activation.
    record AskedActivation(long requestId, Activate request) {
    }

    NodeSession(UUID id, String principal, WordRow row, Consumer<NodeSession> termOver) {
        this.id = id;
        this.principal = principal;
        this.row = row;
        term = new Timer<>(() -> termOver.accept(this));
    }

    /// Whether something can be opened to it.
    boolean isActive() {
        return active != null && active.isUsable();
    }

    /// Answers a request, now or when it is sent again.
    void answer(long requestId, Reply reply) {
        if (replies.answer(requestId, reply) && connection != null) {
            connection.send(requestId, reply);
        }
    }
}
