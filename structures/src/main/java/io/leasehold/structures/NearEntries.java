package io.leasehold.structures;

import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.concurrent.atomic.AtomicLongArray;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/// Entries that a handle has read, with their blocks, for a [NearCache]. Thread-safe.
///
/// What the handle itself writes must be seen by it at once. A write that has begun keeps readings of about the same time out, and
/// drops what is kept of its key before it returns: a value that was read before a write of this handle cannot stay or come in
/// after it. Writes are counted by stripes of the hash, so a write of another key may keep a value out too.
final class NearEntries {
    private static final int STRIPES = 1 << 10;
    /// What [#stamp] returns while a write is under way.
    private static final long BUSY = -1;

    private final boolean isOn;
    private final boolean isValidated;
    private final long stalenessNanos;
    private final LongSupplier clock;
    private final Cache<Long, Entry> entries;
    private final AtomicLongArray begun;
    private final AtomicLongArray ended;

    /// An entry as it was read.
    ///
    /// @param block the whole block, in local memory
    /// @param slot the address of its slot
    /// @param word in the slot: committed, not frozen
    /// @param since [Access#since()] of the access that read it
    /// @param readNanos when it was read, or before
    record Entry(MemorySegment block, long slot, long word, long since, long readNanos) {
    }

    /// @param clock [Memory#clock()]
    NearEntries(NearCache cache, LongSupplier clock) {
        this.clock = clock;
        isOn = !(cache instanceof NearCache.None);
        isValidated = cache instanceof NearCache.Validated;
        long maximum = switch (cache) {
            case NearCache.None _ -> 0;
            case NearCache.Validated validated -> validated.maxEntries();
            case NearCache.Within within -> within.maxEntries();
        };
        stalenessNanos = cache instanceof NearCache.Within within ? within.staleness().toNanos() : 0;
        // In the caller's thread: there is little to do, and a simulation stays repeatable.
        entries = Caffeine.newBuilder().maximumSize(maximum).executor(Runnable::run).build();
        begun = new AtomicLongArray(isOn ? STRIPES : 0);
        ended = new AtomicLongArray(isOn ? STRIPES : 0);
    }

    boolean isOn() {
        return isOn;
    }

    /// Whether an entry may be used only after a look at its slot.
    boolean isValidated() {
        return isValidated;
    }

    /// The entry kept of the key with `hash`, or of another with the same; one that is too old is not there.
    @Nullable Entry get(long hash) {
        if (!isOn) {
            return null;
        }
        Entry entry = entries.getIfPresent(hash);
        if (entry == null || isValidated || clock.getAsLong() - entry.readNanos <= stalenessNanos) {
            return entry;
        }
        entries.asMap().remove(hash, entry);
        return null;
    }

    /// To be taken before a reading of the key with `hash`.
    long stamp(long hash) {
        if (!isOn) {
            return BUSY;
        }
        int stripe = stripe(hash);
        long count = ended.get(stripe);
        return begun.get(stripe) == count ? count : BUSY;
    }

    /// When it is now, for [#put].
    long now() {
        return isOn ? clock.getAsLong() : 0;
    }

    /// Keeps an entry, unless this handle has begun to write since `stamp` was taken.
    ///
    /// @param block of which the first `lengthBytes` are copied
    void put(long hash, MemorySegment block, int lengthBytes, long slot, long word, long since, long stamp, long readNanos) {
        if (!isOn || stamp == BUSY || since < 0 || SlotWord.units(word) == SlotWord.LARGE) {
            return;
        }
        Entry kept = entries.getIfPresent(hash);
        if (isValidated && kept != null && kept.word == word && kept.slot == slot && kept.since == since) {
            return;
        }
        MemorySegment copy = MemorySegment.ofArray(block.asSlice(0, lengthBytes).toArray(ValueLayout.JAVA_BYTE)).asReadOnly();
        Entry fresh = new Entry(copy, slot, word, since, readNanos);
        entries.asMap().compute(hash, (same, before) -> {
            boolean isYounger = before == null || before.readNanos - readNanos <= 0;
            return begun.get(stripe(hash)) == stamp && isYounger ? fresh : before;
        });
    }

    void remove(long hash) {
        if (isOn) {
            entries.invalidate(hash);
        }
    }

    /// Before a write of the key with `hash` is posted.
    void beginWrite(long hash) {
        if (isOn) {
            begun.incrementAndGet(stripe(hash));
        }
    }

    /// After a write, whatever came of it; once for each [#beginWrite].
    void endWrite(long hash) {
        if (isOn) {
            entries.invalidate(hash);
            ended.incrementAndGet(stripe(hash));
        }
    }

    private static int stripe(long hash) {
        return (int) (hash >>> HashBits.FIRST_SHIFT) & STRIPES - 1;
    }
}
