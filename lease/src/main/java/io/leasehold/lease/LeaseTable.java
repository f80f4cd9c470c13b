package io.leasehold.lease;

import io.leasehold.lease.ControlMessage.Granted;
import io.leasehold.lease.ControlMessage.LeaseKey;
import io.leasehold.lease.LeaseEnding.Loss;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// The leases that a session holds, and the keys they have now.
///
/// A grant and an activation may be answered in either order. The keys of the last activation are kept, so that a lease granted
/// before it and told of after it still gets its key; a lease granted after it has a key of its generation already.
final class LeaseTable {
    private final SessionCore session;
    // Guarded by this.
    private final Map<Long, Lease> live = new HashMap<>();
    private Map<Long, Integer> lastKeys = Map.of();
    private int generation;
    private @Nullable Loss closed;

    LeaseTable(SessionCore session) {
        this.session = session;
    }

    /// A lease that was granted. It may have been lost already.
    Lease granted(Granted granted, Set<AccessRight> rights, LeaseMode mode, long renewalNanos) {
        Lease lease = new Lease(session, granted, rights, mode, renewalNanos);
        Loss loss = enter(lease, granted);
        if (loss != null) {
            lease.lose(loss);
        } else if (renewalNanos > 0) {
            lease.renewLater();
        }
        return lease;
    }

    private synchronized @Nullable Loss enter(Lease lease, Granted granted) {
        if (closed != null) {
            return closed;
        }
        if (granted.generation() < generation) {
            Integer key = lastKeys.get(granted.lease());
            if (key == null) {
                return Loss.ENDED_BY_NODE;
            }
            lease.bind(generation, key);
        }
        live.put(granted.lease(), lease);
        return null;
    }

    /// Takes the keys of an activation. No operation is on the way, and none is posted meanwhile.
    void install(int newGeneration, List<LeaseKey> keys) {
        List<Lease> missing = new ArrayList<>();
        synchronized (this) {
            Map<Long, Integer> byLease = HashMap.newHashMap(keys.size());
            for (LeaseKey key : keys) {
                byLease.put(key.lease(), key.key());
            }
            generation = newGeneration;
            lastKeys = byLease;
            for (Lease lease : live.values()) {
                Integer key = byLease.get(lease.id());
                if (key != null) {
                    lease.bind(newGeneration, key);
                } else if (lease.isBehind(newGeneration)) {
                    missing.add(lease);
                }
            }
        }
        missing.forEach(lease -> lease.lose(Loss.ENDED_BY_NODE));
    }

    /// Forgets a lease that has ended.
    synchronized void remove(Lease lease) {
        live.remove(lease.id(), lease);
    }

    /// Ends the leases whose deadline has passed.
    void sweep() {
        for (Lease lease : all()) {
            lease.expire();
        }
    }

    /// Ends all leases, and those that are still to be granted.
    void close(Loss why) {
        synchronized (this) {
            closed = why;
        }
        for (Lease lease : all()) {
            lease.lose(why);
        }
    }

    private synchronized Collection<Lease> all() {
        return List.copyOf(live.values());
    }
}
