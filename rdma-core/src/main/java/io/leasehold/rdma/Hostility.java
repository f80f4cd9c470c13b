package io.leasehold.rdma;

/// How badly the software fabric behaves, without ever breaking what a reliable connection promises: for tests.
///
/// Each chance is per request, from 0 to 1; the same seed gives each queue pair the same sequence of decisions.
///
/// @param seed where the decisions come from
/// @param tearChance that a READ or WRITE is carried out in 8-byte pieces in random order, with other threads let in between
/// @param delayChance that the responder pauses before it carries a request out
/// @param maxDelayMicros the longest such pause, in microseconds
/// @param reorderChance that a completion is held back while completions of other queue pairs overtake it
/// @param breakChance that the connection breaks, before or after the request's effect
public record Hostility(long seed, double tearChance, double delayChance, int maxDelayMicros, double reorderChance,
        double breakChance) {
    /// A well-behaved fabric.
    public static final Hostility NONE = new Hostility(0, 0, 0, 0, 0, 0);

    /// Checks the ranges.
    public Hostility {
        for (double chance : new double[] {tearChance, delayChance, reorderChance, breakChance}) {
            if (!(chance >= 0 && chance <= 1)) {
                throw new IllegalArgumentException("chance " + chance + " is outside 0 to 1");
            }
        }
        if (maxDelayMicros < 0) {
            throw new IllegalArgumentException("maxDelayMicros " + maxDelayMicros + " is negative");
        }
    }

    /// Torn accesses, short pauses and reordered completions, but no lost connections.
    public static Hostility unpleasant(long seed) {
        return new Hostility(seed, 0.3, 0.02, 200, 0.05, 0);
    }

    /// Whether the fabric behaves.
    public boolean isNone() {
        return tearChance == 0 && delayChance == 0 && reorderChance == 0 && breakChance == 0;
    }
}
