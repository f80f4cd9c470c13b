package io.leasehold.structures;

import java.util.concurrent.atomic.AtomicReferenceArray;
import org.jspecify.annotations.Nullable;

/// Where a client last saw entries, so that it can read slot and block with one doorbell. Thread-safe.
///
/// What is found here is a guess: it is right iff the slot still holds the same word, and the block the same key. One place for
/// each hash, no chains: an entry that is used often comes back by itself.
final class LocationCache {
    /// Where an entry was.
    ///
    /// @param hash of its key
    /// @param slot the address of its slot
    /// @param word in the slot: committed, not frozen
    /// @param blockBytes the length of its block
    /// @param since [Access#since()] of the access that saw it
    record Location(long hash, long slot, long word, int blockBytes, long since) {
    }

    private final AtomicReferenceArray<@Nullable Location> places;

    /// @param entries the most that are kept, rounded down to a power of two; 0 for none
    LocationCache(int entries) {
        places = new AtomicReferenceArray<>(Integer.highestOneBit(entries));
    }

    @Nullable Location get(long hash) {
        if (places.length() == 0) {
            return null;
        }
        Location location = places.get(index(hash));
        return location != null && location.hash == hash ? location : null;
    }

    void put(long hash, long slot, long word, int blockBytes, long since) {
        // A negative number: nothing for others to rely on.
        if (places.length() == 0 || since < 0) {
            return;
        }
        Location known = places.get(index(hash));
        if (known == null || known.hash != hash || known.word != word || known.slot != slot || known.since != since) {
            places.set(index(hash), new Location(hash, slot, word, blockBytes, since));
        }
    }

    void remove(long hash) {
        if (get(hash) != null) {
            places.set(index(hash), null);
        }
    }

    private int index(long hash) {
        // The bits of the directory come last in use, those of the bucket choices are the most even.
        return (int) (hash >>> HashBits.FIRST_SHIFT) & places.length() - 1;
    }
}
