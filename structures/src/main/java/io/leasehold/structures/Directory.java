package io.leasehold.structures;

import io.leasehold.lease.HeapKind;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.concurrent.atomic.AtomicReferenceArray;
import org.jspecify.annotations.Nullable;

/// A client's copy of the directory: which subtable holds the keys with which last bits. Thread-safe.
///
/// Nobody tells a client that its copy is out of date; it learns so from the headers of the buckets that it reads, and then reads
/// the depth and the range around one entry again, never the whole directory. An entry that is out of date leads to a subtable
/// whose headers forward, as long as the entry was read since the leases began under which it is followed ([Entry#since]); one
/// that is older is read again.
///
/// Entries are replaced one by one in a shared array, not by copying it: a map of 65,536 subtables would copy a megabyte at each
/// split.
final class Directory {
    /// Entries that are read at once: one READ of 512 bytes.
    static final int RANGE = 64;

    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN);

    /// One entry as it was read.
    ///
    /// @param subtable its address
    /// @param depth of the subtable
    /// @param since [Access#since()] of the access that read it
    record Entry(long subtable, int depth, long since) {
    }

    /// Where one lookup is; reused from lookup to lookup.
    static final class Lookup {
        private int position;
        private long start;
    }

    private record Copy(int depth, AtomicReferenceArray<@Nullable Entry> entries) {
        static Copy of(int depth) {
            return new Copy(depth, new AtomicReferenceArray<>(1 << depth));
        }

        int index(long hash) {
            return (int) HashBits.suffix(hash, depth);
        }
    }

    private final MapRoot root;
    private volatile Copy copy = Copy.of(0);

    Directory(MapRoot root) {
        this.root = root;
    }

    /// The entry for `hash` as far as this client knows.
    @Nullable Entry find(long hash) {
        Copy now = copy;
        return now.entries.get(now.index(hash));
    }

    /// Adds the READs of the depth and of the entries around that for `hash`.
    void post(Access access, long hash, Lookup lookup) {
        Copy now = copy;
        lookup.start = now.index(hash) / RANGE * RANGE;
        lookup.position = access.read(HeapKind.INDEX, root.depthAddress(), Long.BYTES);
        // The depth first: entries below 2^depth were written before it was.
        int count = Math.min(RANGE, now.entries.length());
        access.read(HeapKind.INDEX, root.entryAddress(lookup.start), count * Long.BYTES);
    }

    /// Takes what [#post] asked for.
    ///
    /// @return `null` if the directory has become deeper, and the entry for `hash` was not among those read: look again
    @Nullable Entry take(Access access, long hash, Lookup lookup) {
        int depth = (int) access.data(lookup.position).get(LONG, 0);
        if (depth < 0 || depth > root.maxDepth()) {
            throw new IllegalStateException("the map's root is damaged: a directory of depth " + depth);
        }
        deepen(depth);
        Copy now = copy;
        MemorySegment words = access.data(lookup.position + 1);
        int count = (int) (words.byteSize() / Long.BYTES);
        long since = access.since();
        Entry wanted = null;
        for (int i = 0; i < count; i++) {
            long word = words.getAtIndex(LONG, i);
            int index = (int) lookup.start + i;
            Entry entry = keep(now, index, new Entry(MapRoot.entrySubtable(word), MapRoot.entryDepth(word), since));
            if (index == HashBits.suffix(hash, depth)) {
                wanted = entry;
            }
        }
        return wanted;
    }

    private static Entry keep(Copy copy, int index, Entry entry) {
        // An access whose leases are already out of date, and whose number is negative, is nothing for others to rely on.
        if (entry.since >= 0) {
            Entry known = copy.entries.get(index);
            if (known == null || known.since <= entry.since && !known.equals(entry)) {
                copy.entries.set(index, entry);
            }
        }
        return entry;
    }

    /// Reads the entry for `hash` now.
    Entry read(Access access, long hash) {
        Lookup lookup = new Lookup();
        while (true) {
            access.next();
            post(access, hash, lookup);
            access.execute();
            Entry entry = take(access, hash, lookup);
            if (entry != null) {
                return entry;
            }
        }
    }

    private synchronized void deepen(int depth) {
        Copy old = copy;
        if (depth <= old.depth) {
            return;
        }
        Copy deeper = Copy.of(depth);
        for (int i = 0; i < deeper.entries.length(); i++) {
            // What an entry said when it was read, it said of all keys with its last bits.
            deeper.entries.set(i, old.entries.get(i & old.entries.length() - 1));
        }
        copy = deeper;
    }
}
