package io.leasehold.structures;

import java.time.Duration;

/// How long the leases of a structure last.
///
/// @param term time from one extension to the deadline: what others lose when this process dies
/// @param indexLife longest life of a lease on an INDEX chunk, after which a new one replaces it: what retired INDEX memory waits
///        for before reuse, and how long what a client remembers of the index is of use
/// @param dataLife the same of DATA chunks, of which far more is retired
/// @param exclusiveLife longest life of an exclusive right
record LeaseTerms(Duration term, Duration indexLife, Duration dataLife, Duration exclusiveLife) {
    /// 1 s, 12 s, 4 s and 30 s.
    static final LeaseTerms DEFAULT =
            new LeaseTerms(Duration.ofSeconds(1), Duration.ofSeconds(12), Duration.ofSeconds(4), Duration.ofSeconds(30));
}
