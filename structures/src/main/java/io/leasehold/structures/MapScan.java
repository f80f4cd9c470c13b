package io.leasehold.structures;

import io.leasehold.lease.HeapKind;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// A walk through all entries of a map, some at a time. For one thread at a time.
///
/// It goes through the keys by the reversed suffixes of their hashes, and then by their fingerprints. Both a key has for life,
/// wherever splits and merges put it. A split, whenever it happens, divides what lies ahead into parts that lie one after the
/// other, and never puts anything behind. Of a merged subtable only those entries count that belong to the part ahead. So an entry
/// that is present throughout is met once. What has one fingerprint is always read from one image of its subtable, in which a key
/// that is removed and inserted again meanwhile could appear twice: the keys met are remembered for so long.
///
/// Costs one READ of each subtable, and a round trip for up to [#GROUP] entries. No lease is held between two groups.
final class MapScan<K, V> {
    /// Entries whose blocks are read with one doorbell.
    static final int GROUP = 64;
    private static final int FINGERPRINTS = 256;
    private static final int GROUP_BYTES_MAX = 1 << 20;
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN);

    /// An entry as it was met.
    record Found<K, V>(K key, V value) {
    }

    /// Keys that are still to be met: those whose hashes end in the `depth` bits `suffix`, from fingerprint `from` on.
    private record Part(long suffix, int depth, int from) {
    }

    private final MapContext<K, V> context;
    private final ArrayDeque<Part> ahead = new ArrayDeque<>();
    /// The keys of the group that is being read, by hash.
    private final Map<Long, K> met = new HashMap<>();
    private final SubtableReader subtable;
    private final long[] words;
    /// The positions of the entries in the order of their fingerprints, and where each fingerprint begins in it.
    private final int[] order;
    private final int[] starts = new int[FINGERPRINTS + 1];
    /// How many entries to read before looking whether there are enough.
    private int patience = GROUP;
    /// As in [MapOperation].
    private final boolean confirms;
    /// Since when [#words] are what the subtable of the first part holds; `null` if they have to be read.
    private @Nullable Long since;

    MapScan(MapContext<K, V> context) {
        this.context = context;
        subtable = new SubtableReader(context);
        words = subtable.words();
        order = new int[words.length];
        confirms = context.options().protection() == Protection.BLOCK;
        ahead.push(new Part(0, 0, 0));
    }

    /// The next entries; none if there are no more.
    List<Found<K, V>> next() {
        List<Found<K, V>> group = new ArrayList<>(GROUP);
        Deadline deadline = context.deadline("iteration");
        while (group.isEmpty() && !ahead.isEmpty()) {
            try (Access access = since == null ? context.memory().access() : context.memory().access(since)) {
                if (since == null) {
                    readSubtable(access, deadline);
                }
                readGroup(access, group);
            } catch (StaleAccess e) {
                since = null;
                group.clear();
                patience = 1;
                deadline.retry("iteration", e);
            }
        }
        return group;
    }

    /// Reads the subtable of the first part, which becomes as deep as the subtable is.
    private void readSubtable(Access access, Deadline deadline) {
        subtable.read(access, part().suffix(), deadline);
        narrow(subtable.depth());
        sort();
        since = access.since() < 0 ? null : access.since();
    }

    private Part part() {
        return ahead.element();
    }

    /// Divides the first part until it is as deep as its subtable.
    private void narrow(int depth) {
        while (part().depth() < depth) {
            Part wide = ahead.pop();
            ahead.push(new Part(wide.suffix() | 1L << wide.depth(), wide.depth() + 1, wide.from()));
            ahead.push(new Part(wide.suffix(), wide.depth() + 1, wide.from()));
        }
    }

    /// Reads the blocks of the next entries of the first part, and moves its beginning behind them.
    private void readGroup(Access access, List<Found<K, V>> group) {
        int end = part().from();
        int first = starts[end];
        int bytes = 0;
        // Whole fingerprints: one at least, however many entries have it.
        do {
            for (int i = starts[end]; i < starts[end + 1]; i++) {
                bytes += SlotWord.units(words[order[i]]) * Memory.GRANULE;
            }
            end++;
        } while (end < FINGERPRINTS && starts[end] - first < patience && bytes < GROUP_BYTES_MAX);
        met.clear();
        for (int from = first; from < starts[end]; from += GROUP) {
            readBlocks(access, from, Math.min(starts[end], from + GROUP), group);
        }
        patience = GROUP;
        advance(end);
    }

    /// Sorts the positions of the entries by fingerprint.
    private void sort() {
        Arrays.fill(starts, 0);
        for (int i = 0; i < words.length; i++) {
            if (subtable.isEntry(i)) {
                starts[SlotWord.fingerprint(words[i]) + 1]++;
            }
        }
        for (int i = 0; i < FINGERPRINTS; i++) {
            starts[i + 1] += starts[i];
        }
        int[] next = starts.clone();
        for (int i = 0; i < words.length; i++) {
            if (subtable.isEntry(i)) {
                order[next[SlotWord.fingerprint(words[i])]++] = i;
            }
        }
    }

    /// Reads the blocks of entries `[first, end)` of the order with one doorbell.
    private void readBlocks(Access access, int first, int end, List<Found<K, V>> group) {
        int[] lengths = new int[end - first];
        access.next();
        for (int i = first; i < end; i++) {
            long word = words[order[i]];
            lengths[i - first] = SlotWord.units(word) == SlotWord.LARGE
                    ? KeyValueBlock.HEADER_BYTES
                    : SlotWord.units(word) * Memory.GRANULE;
            access.read(HeapKind.DATA, SlotWord.address(word), lengths[i - first]);
        }
        if (confirms) {
            access.read(HeapKind.INDEX, subtable.address(), context.shape().bytes());
        }
        access.execute();
        if (confirms && !isConfirmed(access.data(end - first), first, end)) {
            throw new StaleAccess("blocks were replaced while they were read", null);
        }
        meetAll(access, lengths, first, group);
    }

    /// Whether the slots still hold the words that led to the blocks.
    private boolean isConfirmed(MemorySegment now, int first, int end) {
        for (int i = 0; i < words.length; i += SubtableShape.BUCKET_WORDS) {
            if (now.getAtIndex(LONG, i) != words[i]) {
                return false;
            }
        }
        for (int i = first; i < end; i++) {
            if (SlotWord.thaw(now.getAtIndex(LONG, order[i])) != SlotWord.thaw(words[order[i]])) {
                return false;
            }
        }
        return true;
    }

    private void meetAll(Access access, int[] lengths, int first, List<Found<K, V>> group) {
        for (int i = 0; i < lengths.length; i++) {
            MemorySegment block = access.data(i);
            if (SlotWord.units(words[order[first + i]]) == SlotWord.LARGE) {
                lengths[i] = KeyValueBlock.bytes(KeyValueBlock.keyBytes(block), KeyValueBlock.valueBytes(block));
            } else {
                meet(block, group);
            }
        }
        for (int i = 0; i < lengths.length; i++) {
            long word = words[order[first + i]];
            if (SlotWord.units(word) == SlotWord.LARGE) {
                access.next();
                access.read(HeapKind.DATA, SlotWord.address(word), lengths[i]);
                access.execute();
                meet(access.data(0), group);
            }
        }
    }

    private void advance(int fingerprint) {
        Part part = ahead.pop();
        if (fingerprint < FINGERPRINTS) {
            ahead.push(new Part(part.suffix(), part.depth(), fingerprint));
        } else {
            since = null;
        }
    }

    private void meet(MemorySegment block, List<Found<K, V>> group) {
        if (!KeyValueBlock.isKeyIntact(block) || !KeyValueBlock.isValueIntact(block)) {
            throw new StaleAccess("a block was not as it was written", null);
        }
        context.codecs().check(block);
        MemorySegment key = KeyValueBlock.key(block);
        Long hash = KeyValueBlock.hash(block);
        if (HashBits.suffix(hash, part().depth()) != part().suffix()) {
            // Of the merged sibling.
            return;
        }
        if (context.expiry().isPast(KeyValueBlock.expiry(block))) {
            return;
        }
        K decoded = context.codecs().keys().decode(key);
        K other = met.putIfAbsent(hash, decoded);
        if (other == null || !context.codecs().isEncoding(key, other)) {
            group.add(new Found<>(decoded, context.codecs().values().decode(KeyValueBlock.value(block))));
        }
    }
}
