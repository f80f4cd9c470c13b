package io.leasehold.structures;

import java.time.Duration;
import java.util.Objects;

/// How a queue is made and used; every value is checked when it is set, with a message that names it.
///
/// Capacity, slots, delivery and visibility are stored with the queue when it is created, and opening it with others is refused.
/// Protection, patience and timeout are each session's own.
///
/// @param protection how closely leases follow what the queue does
/// @param capacity most elements that may wait, or [#UNBOUNDED]
/// @param slotsPerSegment elements to a segment, 2 to 65,536: a segment is 192 bytes and 8 for each slot
/// @param delivery what happens to an element whose consumer dies
/// @param visibility how long a consumer may be silent between its turn and its last word about an element before the element is
///     taken from it: then it is handed to another (`ACKNOWLEDGED`) or dropped (`AT_MOST_ONCE`, where only a consumer that stops
///     between two round trips is in that state). Longer than the sessions' term, and than any pause that a living consumer may
///     make
/// @param patience how long to wait at least for a producer that has its turn and does not come, before it loses that and has to
///     take another: longer than its round trip. It grows by itself where it turns out to be too short
/// @param timeout how long an operation goes on against leases that end and connections that break before it fails
public record QueueOptions(Protection protection, int capacity, int slotsPerSegment, DeliveryMode delivery, Duration visibility,
        Duration patience, Duration timeout) {
    /// A capacity that is no bound.
    public static final int UNBOUNDED = Integer.MAX_VALUE;

    /// Checks the ranges.
    public QueueOptions {
        Objects.requireNonNull(protection, "protection");
        Objects.requireNonNull(delivery, "delivery");
        if (capacity < 1) {
            throw new IllegalArgumentException("capacity " + capacity + " is less than 1");
        }
        if (slotsPerSegment < 2 || slotsPerSegment > 1 << 16) {
            throw new IllegalArgumentException("slotsPerSegment " + slotsPerSegment + " is outside 2 to 65536");
        }
        if (visibility.compareTo(Duration.ofMillis(1)) < 0 || visibility.compareTo(Duration.ofDays(1)) > 0) {
            throw new IllegalArgumentException("visibility " + visibility + " is outside 1 ms to 1 day");
        }
        if (patience.compareTo(Duration.ofNanos(1_000)) < 0 || patience.compareTo(Duration.ofSeconds(1)) > 0) {
            throw new IllegalArgumentException("patience " + patience + " is outside 1 µs to 1 s");
        }
        if (timeout.compareTo(Duration.ofMillis(1)) < 0 || timeout.compareTo(Duration.ofHours(1)) > 0) {
            throw new IllegalArgumentException("timeout " + timeout + " is outside 1 ms to 1 h");
        }
    }

    /// An unbounded queue with 1,024 slots to a segment, [DeliveryMode#AT_MOST_ONCE], a visibility of 60 s, a patience
    /// of 250 µs and a timeout of 30 s.
    public static QueueOptions unbounded() {
        return new QueueOptions(Protection.STRUCTURE, UNBOUNDED, 1024, DeliveryMode.AT_MOST_ONCE, Duration.ofSeconds(60),
                Duration.ofNanos(250_000), Duration.ofSeconds(30));
    }

    /// As [#unbounded()], but at most `capacity` elements wait at any time.
    public static QueueOptions bounded(int capacity) {
        return unbounded().withCapacity(capacity);
    }

    /// The same with another protection.
    public QueueOptions withProtection(Protection newProtection) {
        return new QueueOptions(newProtection, capacity, slotsPerSegment, delivery, visibility, patience, timeout);
    }

    /// The same with another capacity.
    public QueueOptions withCapacity(int newCapacity) {
        return new QueueOptions(protection, newCapacity, slotsPerSegment, delivery, visibility, patience, timeout);
    }

    /// The same with another number of slots to a segment.
    public QueueOptions withSlotsPerSegment(int slots) {
        return new QueueOptions(protection, capacity, slots, delivery, visibility, patience, timeout);
    }

    /// The same, but an element that was received comes back unless it is acknowledged, renewed or released within
    /// `newVisibility`.
    public QueueOptions acknowledged(Duration newVisibility) {
        return new QueueOptions(protection, capacity, slotsPerSegment, DeliveryMode.ACKNOWLEDGED, newVisibility, patience,
                timeout);
    }

    /// The same with another visibility.
    public QueueOptions withVisibility(Duration newVisibility) {
        return new QueueOptions(protection, capacity, slotsPerSegment, delivery, newVisibility, patience, timeout);
    }

    /// The same with another patience.
    public QueueOptions withPatience(Duration newPatience) {
        return new QueueOptions(protection, capacity, slotsPerSegment, delivery, visibility, newPatience, timeout);
    }

    /// The same with another timeout.
    public QueueOptions withTimeout(Duration newTimeout) {
        return new QueueOptions(protection, capacity, slotsPerSegment, delivery, visibility, patience, newTimeout);
    }
}
