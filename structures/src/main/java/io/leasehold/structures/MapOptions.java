package io.leasehold.structures;

import java.time.Duration;

/// How a [RemoteHashMap] is opened; every value is checked when it is made, with a message that names it.
///
/// `groupsPerSubtable` and `maxDepth` shape a map that is being created. For a map that exists they are ignored: those that it
/// was created with hold.
///
/// @param protection how closely leases follow what the map does
/// @param groupsPerSubtable groups of 21 slots in each subtable, 2 to 4096; a split copies one subtable
/// @param maxDepth the map has at most 2^maxDepth subtables, 0 to 20; their directory takes 8 bytes each from the start
/// @param locationCacheEntries entries whose place this handle remembers, so that reading them takes one round trip, 0 to 2^24;
///        about 56 bytes each
/// @param timeout how long an operation may take, waits for splits and ended leases included
/// @param timeToLive how long an entry lives that is written without saying so: 1 ms to [#TIME_TO_LIVE_MAX], or zero for ever
/// @param janitorPause the least time between two rounds of removing what has expired, of all handles together: 1 ms to a day, or
///        zero if this handle is to take no part in it
/// @param nearCache whether this handle keeps values that it has read; one that is validated needs leases that outlive operations,
///        so not [Protection#BLOCK]
public record MapOptions(Protection protection, int groupsPerSubtable, int maxDepth, int locationCacheEntries, Duration timeout,
        Duration timeToLive, Duration janitorPause, NearCache nearCache) {
    /// The longest time to live.
    public static final Duration TIME_TO_LIVE_MAX = Duration.ofDays(36_500);
    private static final Duration JANITOR_PAUSE_MAX = Duration.ofDays(1);
    private static final int LOCATION_CACHE_ENTRIES_MAX = 1 << 24;

    /// Checks the ranges.
    public MapOptions {
        if (groupsPerSubtable < SubtableShape.GROUPS_MIN || groupsPerSubtable > SubtableShape.GROUPS_MAX) {
            throw new IllegalArgumentException("groupsPerSubtable " + groupsPerSubtable + " is outside "
                    + SubtableShape.GROUPS_MIN + " to " + SubtableShape.GROUPS_MAX);
        }
        if (maxDepth < 0 || maxDepth > HashBits.DEPTH_MAX) {
            throw new IllegalArgumentException("maxDepth " + maxDepth + " is outside 0 to " + HashBits.DEPTH_MAX);
        }
        if (locationCacheEntries < 0 || locationCacheEntries > LOCATION_CACHE_ENTRIES_MAX) {
            throw new IllegalArgumentException(
                    "locationCacheEntries " + locationCacheEntries + " is outside 0 to " + LOCATION_CACHE_ENTRIES_MAX);
        }
        if (timeout.compareTo(Duration.ofMillis(1)) < 0) {
            throw new IllegalArgumentException("timeout " + timeout + " is less than 1 ms");
        }
        lifeNanos(timeToLive);
        check("janitorPause", janitorPause, JANITOR_PAUSE_MAX, "zero leaves it to other handles");
        if (nearCache instanceof NearCache.Validated && protection == Protection.BLOCK) {
            throw new IllegalArgumentException("a validated near cache relies on leases that last from one operation to the next, which"
                    + " Protection.BLOCK does not have; use Protection.STRUCTURE, or NearCache.within");
        }
    }

    /// [Protection#STRUCTURE], 64 groups (1344 slots, 12 KiB) a subtable, 65,536 subtables, 65,536 remembered places, 10 s; entries
    /// live for ever unless a call says otherwise, and then a janitor makes a round each second.
    public static MapOptions defaults() {
        return new MapOptions(Protection.STRUCTURE, 64, 16, 1 << 16, Duration.ofSeconds(10), Duration.ZERO,
                Duration.ofSeconds(1), NearCache.none());
    }

    /// A time to live in nanoseconds.
    ///
    /// @throws IllegalArgumentException if it is out of range
    static long lifeNanos(Duration timeToLive) {
        check("timeToLive", timeToLive, TIME_TO_LIVE_MAX, "zero is for ever");
        return timeToLive.toNanos();
    }

    private static void check(String name, Duration time, Duration most, String zero) {
        if (!time.isZero() && (time.compareTo(Duration.ofMillis(1)) < 0 || time.compareTo(most) > 0)) {
            throw new IllegalArgumentException(name + " " + time + " is outside 1 ms to " + most + "; " + zero);
        }
    }

    /// The same with another protection.
    public MapOptions withProtection(Protection other) {
        return new MapOptions(other, groupsPerSubtable, maxDepth, locationCacheEntries, timeout, timeToLive, janitorPause, nearCache);
    }

    /// The same with subtables of another size.
    public MapOptions withGroupsPerSubtable(int groups) {
        return new MapOptions(protection, groups, maxDepth, locationCacheEntries, timeout, timeToLive, janitorPause, nearCache);
    }

    /// The same with another greatest depth.
    public MapOptions withMaxDepth(int depth) {
        return new MapOptions(protection, groupsPerSubtable, depth, locationCacheEntries, timeout, timeToLive, janitorPause, nearCache);
    }

    /// The same with room for another number of places; 0 turns the cache off.
    public MapOptions withLocationCacheEntries(int entries) {
        return new MapOptions(protection, groupsPerSubtable, maxDepth, entries, timeout, timeToLive, janitorPause, nearCache);
    }

    /// The same with another time for each operation.
    public MapOptions withTimeout(Duration time) {
        return new MapOptions(protection, groupsPerSubtable, maxDepth, locationCacheEntries, time, timeToLive, janitorPause, nearCache);
    }

    /// The same with another time to live for entries that are written without saying so; zero is for ever.
    public MapOptions withTimeToLive(Duration time) {
        return new MapOptions(protection, groupsPerSubtable, maxDepth, locationCacheEntries, timeout, time, janitorPause, nearCache);
    }

    /// The same with another time between two rounds of removing what has expired; zero to take no part in it.
    public MapOptions withJanitorPause(Duration pause) {
        return new MapOptions(protection, groupsPerSubtable, maxDepth, locationCacheEntries, timeout, timeToLive, pause, nearCache);
    }

    /// The same with another near cache.
    public MapOptions withNearCache(NearCache cache) {
        return new MapOptions(protection, groupsPerSubtable, maxDepth, locationCacheEntries, timeout, timeToLive, janitorPause, cache);
    }
}
