package io.leasehold.lease;

/// What other leases may overlap a lease while it lives.
public enum LeaseMode {
    /// Other shared leases may; exclusive ones may not.
    SHARED,
    /// No shared and no exclusive lease may.
    EXCLUSIVE,
    /// No conflict is detected: any lease may overlap it, and it may overlap any.
    UNCHECKED;

    /// Whether two overlapping leases with these modes may not live at the same time.
    boolean conflictsWith(LeaseMode other) {
        return this != UNCHECKED && other != UNCHECKED && (this == EXCLUSIVE || other == EXCLUSIVE);
    }
}
