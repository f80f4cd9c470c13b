package io.leasehold.rdma.internal.soft;

import io.leasehold.rdma.Hostility;
import java.util.SplittableRandom;
import java.util.concurrent.locks.LockSupport;

/// What the hostile fabric does to one queue pair; on a well-behaved one, nothing, at the price of one test of a constant field.
///
/// Each instance is for one purpose of one queue pair and is used by one thread at a time: by the [Responder], or under the lock
/// of a completion queue. Its decisions follow from the seed, the order in which queue pairs were made, and the purpose.
final class Mischief {
    /// What requests meet at the responder.
    static final int OF_REQUESTS = 0;
    /// What completions of the send queue meet.
    static final int OF_SENDS = 1;
    /// What completions of the receive queue meet.
    static final int OF_RECEIVES = 2;
    private static final long PURPOSES = 3;
    private static final long SPREAD = 0x9e37_79b9_7f4a_7c15L;
    private static final int HOLD_MIN_MICROS = 50;

    private final boolean none;
    private final Hostility hostility;
    private final SplittableRandom random;

    Mischief(Hostility hostility, int queuePair, int purpose) {
        none = hostility.isNone();
        this.hostility = hostility;
        random = new SplittableRandom(hostility.seed() ^ (queuePair * PURPOSES + purpose) * SPREAD);
    }

    private boolean happens(double chance) {
        return chance > 0 && random.nextDouble() < chance;
    }

    /// Copies out of remote memory.
    void read(long source, long destination, int length) {
        if (!none && happens(hostility.tearChance())) {
            NativeMemory.tear(source, destination, length, source, random.nextLong());
        } else {
            NativeMemory.read(source, destination, length);
        }
    }

    /// Copies into remote memory.
    void write(long source, long destination, int length) {
        if (!none && happens(hostility.tearChance())) {
            NativeMemory.tear(source, destination, length, destination, random.nextLong());
        } else {
            NativeMemory.write(source, destination, length);
        }
    }

    /// Pauses before a request.
    void delay() {
        if (!none && happens(hostility.delayChance()) && hostility.maxDelayMicros() > 0) {
            LockSupport.parkNanos(1000L * (1 + random.nextInt(hostility.maxDelayMicros())));
        }
    }

    /// Whether the connection breaks at this request.
    boolean breaks() {
        return !none && happens(hostility.breakChance());
    }

    /// Whether a completion is held back.
    boolean reorders() {
        return !none && happens(hostility.reorderChance());
    }

    /// For how long.
    long holdNanos() {
        return 1000L * (1 + random.nextInt(Math.max(HOLD_MIN_MICROS, hostility.maxDelayMicros())));
    }

    /// One of two ways, as often as the other.
    boolean coin() {
        return random.nextBoolean();
    }
}
