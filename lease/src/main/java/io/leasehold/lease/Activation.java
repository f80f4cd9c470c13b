package io.leasehold.lease;

import io.leasehold.lease.ControlMessage.Keys;
import io.leasehold.lease.ControlMessage.LeaseKey;
import io.leasehold.lease.ControlMessage.Reason;
import io.leasehold.lease.DataPath.Step;
import io.leasehold.rdma.AccessFlag;
import io.leasehold.rdma.MemoryRegion;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;

/// Moves a session's windows to another of its data queue pairs: the first time to get started, later to recover.
///
/// The windows on the old queue pair are freed, not invalidated: on a queue pair that has failed no invalidation is carried out.
/// The new ones are bound with new keys in as few chains as possible. For the control thread, between commits.
final class Activation {
    private final WindowPool windows;
    private final MemoryRegion data;
    private final ChainRunner chains;

    Activation(NodeFabric fabric) {
        windows = fabric.windows();
        data = fabric.data();
        chains = fabric.chains();
    }

    /// Binds the row of lease words and all leases of `session` on `path`.
    ///
    /// @return the first part of the keys
    /// @throws RefusedException if they could not all be bound; then none is, and the session needs another activation
    Keys activate(NodeSession session, DataPath path, int generation) throws RefusedException {
        drop(session);
        session.active = path;
        session.generation = generation;
        try {
            bindAll(session, path);
        } catch (RefusedException e) {
            path.abandon();
            drop(session);
            throw e;
        }
        List<LeaseKey> keys = new ArrayList<>(session.leases.size());
        session.leases.forEach((id, lease) -> keys.add(new LeaseKey(id, Objects.requireNonNull(lease.window).key())));
        session.keys = keys;
        return keys(session, 0);
    }

    /// The part of the keys of the last activation that begins at position `from`.
    static Keys keys(NodeSession session, int from) {
        int end = Math.min(session.keys.size(), from + ControlCodec.KEYS_MAX);
        return new Keys(Objects.requireNonNull(session.rowWindow).key(), session.generation, session.keys.size(), from,
                List.copyOf(session.keys.subList(from, end)));
    }

    private void bindAll(NodeSession session, DataPath path) throws RefusedException {
        List<Step> steps = new ArrayList<>();
        MemoryRegion row = session.row.sessionRegion();
        WindowPool.Window rowWindow = take();
        session.rowWindow = rowWindow;
        steps.add(path.bind(rowWindow, row, row.address(), row.lengthBytes(), AccessFlag.REMOTE_ATOMIC.bit()));
        for (NodeLease lease : session.leases.values()) {
            if (!path.hasRoom()) {
                chains.run(List.of(path));
            }
            WindowPool.Window window = take();
            lease.window = window;
            LeaseTerms terms = lease.terms;
            steps.add(path.bind(window, data, data.address() + terms.offset(), terms.lengthBytes(), terms.access()));
        }
        chains.run(List.of(path));
        if (!steps.stream().allMatch(Step::hasSucceeded)) {
            throw new RefusedException(Reason.UNAVAILABLE,
                    "data queue pair " + path.index() + " failed while windows were bound to it; activate another");
        }
    }

    private WindowPool.Window take() throws RefusedException {
        WindowPool.Window window = windows.take();
        if (window == null) {
            throw new RefusedException(Reason.OUT_OF_WINDOWS,
                    "the node's device has no window left; raise maxWindows of its DeviceOptions");
        }
        return window;
    }

    /// Frees all windows of a session: no key of it opens anything until the next activation.
    void drop(NodeSession session) {
        session.active = null;
        for (NodeLease lease : session.leases.values()) {
            if (lease.window != null) {
                windows.discard(lease.window);
                lease.window = null;
            }
        }
        if (session.rowWindow != null) {
            windows.discard(session.rowWindow);
            session.rowWindow = null;
        }
    }
}
