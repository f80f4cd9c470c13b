package io.leasehold.structures;

import io.leasehold.lease.HeapKind;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Arrays;

/// The number of entries, kept in counters on lines of their own, so that insertions of different keys seldom meet at one word.
///
/// A change is added behind the compare-and-swap that decides an insertion or removal, with the same doorbell: it costs no round
/// trip. If the compare-and-swap then turns out to have failed, the operation takes the change back with its next doorbell. A
/// client that dies in between leaves the number wrong by one.
final class SizeCounters {
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN);

    private static final int ATTEMPTS_MAX = 16;

    private final MapRoot root;

    SizeCounters(MapRoot root) {
        this.root = root;
    }

    /// Adds the change of the number by an entry with `hash`.
    ///
    /// @return its position
    int post(Access access, long hash, long change) {
        return access.fetchAndAdd(root.counterAddress(counter(HashBits.fingerprint(hash))), change);
    }

    /// The number of the counter in which entries with a fingerprint are counted.
    static int counter(int fingerprint) {
        return fingerprint % MapRoot.COUNTERS;
    }

    /// Takes `removed` entries from each counter, with a doorbell of its own.
    void subtract(Memory memory, long[] removed) {
        try (Access access = memory.access()) {
            // Leases that end are replaced at once; a counter that was reached is not counted again.
            for (int attempt = 0; attempt < ATTEMPTS_MAX && Arrays.stream(removed).anyMatch(count -> count != 0); attempt++) {
                subtract(access, removed);
            }
        }
    }

    private void subtract(Access access, long[] removed) {
        access.next();
        int[] steps = new int[removed.length];
        for (int i = 0; i < removed.length; i++) {
            steps[i] = removed[i] == 0 ? -1 : access.fetchAndAdd(root.counterAddress(i), -removed[i]);
        }
        boolean all = false;
        boolean isStale = false;
        try {
            access.execute();
            all = true;
        } catch (StaleAccess e) {
            isStale = true;
        } finally {
            for (int i = 0; i < removed.length; i++) {
                if (steps[i] >= 0 && (all || access.executed(steps[i]))) {
                    removed[i] = 0;
                }
            }
        }
        if (isStale) {
            access.restart();
        }
    }

    /// Reads the number: one round trip.
    long sum(Access access) {
        access.next();
        int position = access.read(HeapKind.INDEX, root.counterAddress(0), MapRoot.COUNTERS * MapRoot.COUNTER_BYTES);
        access.execute();
        long sum = 0;
        for (int i = 0; i < MapRoot.COUNTERS; i++) {
            sum += access.data(position).get(LONG, (long) i * MapRoot.COUNTER_BYTES);
        }
        return sum;
    }
}
