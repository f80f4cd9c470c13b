package io.leasehold.lease;

import java.time.Duration;
import java.util.Set;

/// What a session asks of a node when it acquires a lease.
///
/// @param address first byte
/// @param lengthBytes length in bytes, at least 1; atomics need the words they touch to be aligned to 8
/// @param rights what the holder may do; not empty
/// @param mode which other leases may overlap
/// @param term time until the first deadline, at least 1 µs
/// @param maxLife longest time the lease may be extended to, from its grant; at least `term`; the node may grant less
/// @param patience how long to wait for conflicting leases to end; zero refuses at once
/// @param autoExtend whether the session extends it at half-life until it is closed or `maxLife` ends
public record LeaseRequest(RemoteAddress address, long lengthBytes, Set<AccessRight> rights, LeaseMode mode, Duration term,
        Duration maxLife, Duration patience, boolean autoExtend) {
    /// Checks the ranges.
    public LeaseRequest {
        rights = Set.copyOf(rights);
        if (lengthBytes < 1) {
            throw new IllegalArgumentException("lengthBytes " + lengthBytes + " is less than 1");
        }
        if (rights.isEmpty()) {
            throw new IllegalArgumentException("rights is empty; name at least one of READ, WRITE, ATOMIC");
        }
        if (term.compareTo(Duration.ofNanos(1_000)) < 0) {
            throw new IllegalArgumentException("term " + term + " is less than 1 µs");
        }
        if (maxLife.compareTo(term) < 0) {
            throw new IllegalArgumentException("maxLife " + maxLife + " is less than term " + term);
        }
        if (patience.isNegative()) {
            throw new IllegalArgumentException("patience " + patience + " is negative");
        }
    }

    /// A shared lease to read, that waits up to 1 s for an exclusive one to end and can be extended to 60 s.
    public static LeaseRequest read(RemoteAddress address, long lengthBytes, Duration term) {
        return of(address, lengthBytes, Set.of(AccessRight.READ), LeaseMode.SHARED, term);
    }

    /// An exclusive lease to read, write and use atomics, that waits up to 1 s for others to end and can be extended to 60 s.
    public static LeaseRequest write(RemoteAddress address, long lengthBytes, Duration term) {
        return of(address, lengthBytes, Set.of(AccessRight.values()), LeaseMode.EXCLUSIVE, term);
    }

    /// A lease with these rights and this mode, that waits up to 1 s for others to end and can be extended to 60 s.
    public static LeaseRequest of(RemoteAddress address, long lengthBytes, Set<AccessRight> rights, LeaseMode mode,
            Duration term) {
        Duration life = Duration.ofSeconds(60);
        return new LeaseRequest(address, lengthBytes, rights, mode, term, term.compareTo(life) > 0 ? term : life,
                Duration.ofSeconds(1), false);
    }

    /// The same with another patience.
    public LeaseRequest withPatience(Duration time) {
        return new LeaseRequest(address, lengthBytes, rights, mode, term, maxLife, time, autoExtend);
    }

    /// The same with another longest life.
    public LeaseRequest withMaxLife(Duration time) {
        return new LeaseRequest(address, lengthBytes, rights, mode, term, time, patience, autoExtend);
    }

    /// The same, extended by the session at half-life.
    public LeaseRequest autoExtended() {
        return new LeaseRequest(address, lengthBytes, rights, mode, term, maxLife, patience, true);
    }
}
