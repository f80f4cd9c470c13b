package io.leasehold.rdma.internal.soft;

import org.jspecify.annotations.Nullable;

/// An entry that a thread stays inside of from one access to the next, as long as they use the same key: to enter and to leave
/// are an atomic each, and a batch mostly has one key.
///
/// Whoever holds one delays its revocation. So it is held for one pass over the requests that lie there, at most, and never while
/// waiting for another entry to become idle: two who did both would wait for each other.
final class KeyHold {
    private final KeyTable keys;
    private @Nullable KeyEntry held;
    private int key;

    KeyHold(KeyTable keys) {
        this.keys = keys;
    }

    /// The entry that `wanted` opens, with the caller inside until [#leave]; `null` if the key is not in force.
    @Nullable KeyEntry enter(int wanted) {
        KeyEntry entry = held;
        if (entry != null) {
            // It may have been revoked meanwhile; whoever did that waits for us.
            if (key == wanted && entry.isInForce(wanted)) {
                return entry;
            }
            leave();
        }
        entry = keys.find(wanted);
        if (entry == null || !entry.enter(wanted)) {
            return null;
        }
        key = wanted;
        held = entry;
        return entry;
    }

    /// Leaves the entry, if there is one.
    void leave() {
        KeyEntry entry = held;
        if (entry != null) {
            held = null;
            entry.leave();
        }
    }
}
