package io.leasehold.structures;

import java.time.Duration;

/// Whether a handle of a [RemoteHashMap] keeps values that it has read, and how fresh they are when it returns them again.
///
/// What the handle itself writes, in any thread, is seen by it at once in either mode. Values whose entries take more than 16 KiB
/// are not kept. They are kept encoded, and decoded for each caller, so nobody sees what another does to a value.
public sealed interface NearCache {
    /// The most entries that a cache may keep.
    int ENTRIES_MAX = 1 << 24;
    /// The longest staleness.
    Duration STALENESS_MAX = Duration.ofDays(1);

    /// Keeps nothing; the default.
    static NearCache none() {
        return new None();
    }

    /// Keeps up to `maxEntries`, and looks with one READ of 8 bytes, one round trip, whether the entry is still the same: never
    /// stale. Saves the transfer of the value, and nothing where values are small: the place of an entry is remembered anyway
    /// ([MapOptions#locationCacheEntries()]).
    static NearCache validated(int maxEntries) {
        return new Validated(maxEntries);
    }

    /// Keeps up to `maxEntries`, and returns them without looking, in no round trip, for `staleness` from when they were read:
    /// what is returned was the value of the entry at some time within `staleness` before the call. For reading only: what changes
    /// an entry depends on what that is now.
    static NearCache within(Duration staleness, int maxEntries) {
        return new Within(staleness, maxEntries);
    }

    /// See [#none()].
    record None() implements NearCache {
    }

    /// See [#validated(int)].
    ///
    /// @param maxEntries 1 to [#ENTRIES_MAX]
    record Validated(int maxEntries) implements NearCache {
        /// Checks the range.
        public Validated {
            checkEntries(maxEntries);
        }
    }

    /// See [#within(Duration, int)].
    ///
    /// @param staleness 1 µs to [#STALENESS_MAX]
    /// @param maxEntries 1 to [#ENTRIES_MAX]
    record Within(Duration staleness, int maxEntries) implements NearCache {
        /// Checks the ranges.
        public Within {
            if (staleness.compareTo(Duration.ofNanos(1_000)) < 0 || staleness.compareTo(STALENESS_MAX) > 0) {
                throw new IllegalArgumentException("staleness " + staleness + " is outside 1 µs to " + STALENESS_MAX
                        + "; validated(maxEntries) is never stale");
            }
            checkEntries(maxEntries);
        }
    }

    private static void checkEntries(int maxEntries) {
        if (maxEntries < 1 || maxEntries > ENTRIES_MAX) {
            throw new IllegalArgumentException(
                    "maxEntries " + maxEntries + " is outside 1 to " + ENTRIES_MAX + "; none() keeps nothing");
        }
    }
}
