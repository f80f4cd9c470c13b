package io.leasehold.structures;

import io.leasehold.lease.HeapKind;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/// The number of entries, kept in counters on lines of their own, so that insertions of different keys seldom meet at one word.
///
/// A change is added behind the compare-and-swap that decides an insertion or removal, with the same doorbell: it costs no round
/// trip. If the compare-and-swap then turns out to have failed, the operation takes the change back with its next doorbell. A
/// client that dies in between leaves the number wrong by one.
final class SizeCounters {
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final MapRoot root;

    SizeCounters(MapRoot root) {
        this.root = root;
    }

    /// Adds the change of the number by an entry with `hash`.
    ///
    /// @return its position
    int post(Access access, long hash, long change) {
        return access.fetchAndAdd(root.counterAddress(HashBits.fingerprint(hash) % MapRoot.COUNTERS), change);
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
