package io.leasehold.lease;

import io.leasehold.lease.ControlMessage.Failed;
import io.leasehold.lease.ControlMessage.Keys;
import io.leasehold.lease.ControlMessage.LeaseKey;
import io.leasehold.lease.ControlMessage.Reason;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;

/// Opens a session's memory anew, on another of its data queue pairs: the first time to get started, later to recover.
///
/// What was open is released first and its keys are dead, so that nothing that is still on its way on the old queue pair takes
/// effect after the new keys are known; windows there are freed, for on a queue pair that has failed no invalidation is carried
/// out. Then all is opened with new keys, by windows in as few chains as possible. For the control thread, between commits.
final class Activation {
    private final Backing backing;

    Activation(NodeFabric fabric) {
        backing = fabric.backing();
    }

    /// Opens the row of lease words and the ranges of all leases of `session`, on `path`.
    ///
    /// @return the first part of the keys
    /// @throws RefusedException if they could not all be opened; then none is, and the session needs another activation
    Keys activate(NodeSession session, DataPath path, int generation) throws RefusedException {
        if (!drop(session)) {
            throw new RefusedException(Reason.UNAVAILABLE, "the node's device does not take back the session's old keys yet");
        }
        session.active = path;
        session.generation = generation;
        try {
            openAll(session, path);
        } catch (RefusedException e) {
            path.abandon();
            drop(session);
            throw e;
        }
        List<LeaseKey> keys = new ArrayList<>(session.leases.size());
        session.leases.forEach((id, lease) -> {
            if (lease.opening != null) {
                keys.add(new LeaseKey(id, lease.opening.key()));
            }
        });
        session.keys = keys;
        return keys(session, 0);
    }

    /// The part of the keys of the last activation that begins at position `from`.
    static Keys keys(NodeSession session, int from) {
        int end = Math.min(session.keys.size(), from + ControlCodec.KEYS_MAX);
        return new Keys(Objects.requireNonNull(session.rowOpening).key(), session.generation, session.keys.size(), from,
                List.copyOf(session.keys.subList(from, end)));
    }

    private void openAll(NodeSession session, DataPath path) throws RefusedException {
        List<Opening> openings = new ArrayList<>();
        Opening row = backing.takeRow(session);
        session.rowOpening = row;
        openings.add(row);
        for (NodeLease lease : session.leases.values()) {
            // Others have ended, and wait for the device to take their old keys back.
            if (lease.state == NodeLease.State.LIVE) {
                Opening opening = backing.take(session, lease.terms);
                lease.opening = opening;
                openings.add(opening);
            }
        }
        openings.forEach(Opening::open);
        backing.run();
        for (Opening opening : openings) {
            if (!opening.isOpen()) {
                Failed refusal = opening.refusal();
                throw refusal != null ? new RefusedException(refusal.reason(), refusal.detail())
                        : new RefusedException(Reason.UNAVAILABLE, "data queue pair " + path.index()
                                + " failed while windows were bound to it; activate another");
            }
        }
    }

    /// Releases all that is open to a session: no key of it opens anything until the next activation.
    ///
    /// @return whether that is so; if not, the device keeps some of it, and this must be called again
    boolean drop(NodeSession session) {
        session.active = null;
        boolean done = true;
        for (NodeLease lease : session.leases.values()) {
            if (lease.opening != null && !lease.opening.release()) {
                done = false;
            } else {
                lease.opening = null;
            }
        }
        return dropWords(session) && done;
    }

    /// Releases the lease words of a session: no lease of it can be extended until the next activation.
    ///
    /// @return whether that is so, as of [#drop]
    boolean dropWords(NodeSession session) {
        if (session.rowOpening != null && !session.rowOpening.release()) {
            return false;
        }
        session.rowOpening = null;
        return true;
    }
}
