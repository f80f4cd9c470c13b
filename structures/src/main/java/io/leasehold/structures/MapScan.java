package io.leasehold.structures;

import io.leasehold.lease.HeapKind;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// A walk through all entries of a map, some at a time. For one thread at a time.
///
/// It goes through the subtables in the order of their reversed suffixes: then a split, whenever it happens, divides what lies
/// ahead into parts that lie one after the other, and never puts anything behind. Within a subtable it goes by position, which an
/// entry keeps for life, through splits too. So an entry that is present throughout is met once. A key that is removed and
/// inserted again in another slot could be met twice; the keys met in the current subtable are remembered for that.
///
/// Costs one READ of each subtable, and a round trip for up to [#GROUP] entries. No lease is held between two groups.
final class MapScan<K, V> {
    /// Entries whose blocks are read with one doorbell.
    static final int GROUP = 64;
    private static final int GROUP_BYTES_MAX = 1 << 20;
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN);

    /// An entry as it was met.
    record Found<K, V>(K key, V value) {
    }

    /// Keys that are still to be met: those whose hashes end in the `depth` bits `suffix`, from position `from` of their subtable
    /// on.
    private record Part(long suffix, int depth, int from) {
    }

    private final MapContext<K, V> context;
    private final ArrayDeque<Part> ahead = new ArrayDeque<>();
    /// Keys met in the subtable, by hash, and those of the group that is being read.
    private final Map<Long, K> met = new HashMap<>();
    private final Map<Long, K> metNow = new HashMap<>();
    private final long[] words;
    /// As in [MapOperation].
    private final boolean confirms;
    /// Since when [#words] are what the subtable of the first part holds; `null` if they have to be read.
    private @Nullable Long since;
    private long subtable;

    MapScan(MapContext<K, V> context) {
        this.context = context;
        words = new long[context.shape().words()];
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
                deadline.retry("iteration", e);
            }
        }
        return group;
    }

    /// Reads the subtable of the first part, which becomes as deep as the subtable is.
    private void readSubtable(Access access, Deadline deadline) {
        Directory.Entry place = context.directory().read(access, part().suffix());
        while (true) {
            access.next();
            int position = access.read(HeapKind.INDEX, place.subtable(), context.shape().bytes());
            access.execute();
            MemorySegment.copy(access.data(position), LONG, 0, words, 0, words.length);
            long moved = 0;
            for (int i = 0; i < words.length && moved == 0; i += SubtableShape.BUCKET_WORDS) {
                if (HeaderWord.isMoved(words[i])) {
                    moved = words[i];
                } else if (!HeaderWord.isLive(words[i]) || !HeaderWord.admits(words[i], part().suffix())) {
                    deadline.retry("iteration: subtable 0x" + Long.toHexString(place.subtable()), null);
                    place = context.directory().read(access, part().suffix());
                    break;
                } else if (i + SubtableShape.BUCKET_WORDS == words.length) {
                    subtable = place.subtable();
                    narrow(HeaderWord.depth(words[i]));
                    since = access.since() < 0 ? null : access.since();
                    return;
                }
            }
            if (moved != 0) {
                int depth = HeaderWord.depth(moved);
                long child = HeaderWord.children(moved) + (part().suffix() >>> depth & 1) * context.shape().bytes();
                place = new Directory.Entry(child, depth + 1, place.since());
            }
        }
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
        int[] slots = new int[GROUP];
        int count = 0;
        int bytes = 0;
        int position = part().from();
        for (; position < words.length && count < GROUP && bytes < GROUP_BYTES_MAX; position++) {
            if (!SubtableShape.isHeader(position) && SlotWord.isCommitted(words[position])) {
                slots[count++] = position;
                bytes += SlotWord.units(words[position]) * Memory.GRANULE;
            }
        }
        int[] lengths = new int[count];
        metNow.clear();
        access.next();
        for (int i = 0; i < count; i++) {
            long word = words[slots[i]];
            lengths[i] = SlotWord.units(word) == SlotWord.LARGE
                    ? KeyValueBlock.HEADER_BYTES
                    : SlotWord.units(word) * Memory.GRANULE;
            access.read(HeapKind.DATA, SlotWord.address(word), lengths[i]);
        }
        if (confirms) {
            access.read(HeapKind.INDEX, subtable, context.shape().bytes());
        }
        access.execute();
        if (confirms) {
            int confirmed = confirmed(access.data(count), slots, count);
            if (confirmed < count) {
                position = slots[confirmed];
                count = confirmed;
            }
        }
        meetAll(access, slots, lengths, count, group);
        advance(position);
    }

    /// How many of the slots still hold the words that led to the blocks; if not all do, the subtable has to be read again.
    private int confirmed(MemorySegment now, int[] slots, int count) {
        for (int i = 0; i < words.length; i += SubtableShape.BUCKET_WORDS) {
            if (now.getAtIndex(LONG, i) != words[i]) {
                throw new StaleAccess("the subtable was split", null);
            }
        }
        for (int i = 0; i < count; i++) {
            if (SlotWord.thaw(now.getAtIndex(LONG, slots[i])) != SlotWord.thaw(words[slots[i]])) {
                since = null;
                return i;
            }
        }
        return count;
    }

    private void meetAll(Access access, int[] slots, int[] lengths, int count, List<Found<K, V>> group) {
        for (int i = 0; i < count; i++) {
            MemorySegment block = access.data(i);
            if (SlotWord.units(words[slots[i]]) == SlotWord.LARGE) {
                lengths[i] = KeyValueBlock.bytes(KeyValueBlock.keyBytes(block), KeyValueBlock.valueBytes(block));
            } else {
                meet(block, group);
            }
        }
        for (int i = 0; i < count; i++) {
            if (SlotWord.units(words[slots[i]]) == SlotWord.LARGE) {
                access.next();
                access.read(HeapKind.DATA, SlotWord.address(words[slots[i]]), lengths[i]);
                access.execute();
                meet(access.data(0), group);
            }
        }
    }

    private void advance(int position) {
        met.putAll(metNow);
        Part part = ahead.pop();
        if (position < words.length) {
            ahead.push(new Part(part.suffix(), part.depth(), position));
            return;
        }
        since = null;
        // Parts of one subtable that was split on the way begin where the walk through it had come to.
        if (ahead.isEmpty() || ahead.element().from() == 0) {
            met.clear();
        }
    }

    private void meet(MemorySegment block, List<Found<K, V>> group) {
        if (!KeyValueBlock.isKeyIntact(block) || !KeyValueBlock.isValueIntact(block)) {
            throw new StaleAccess("a block was not as it was written", null);
        }
        context.codecs().check(block);
        MemorySegment key = KeyValueBlock.key(block);
        K decoded = context.codecs().keys().decode(key);
        Long hash = KeyValueBlock.hash(block);
        K before = met.get(hash);
        K other = before != null ? before : metNow.putIfAbsent(hash, decoded);
        if (other == null || !context.codecs().isEncoding(key, other)) {
            group.add(new Found<>(decoded, context.codecs().values().decode(KeyValueBlock.value(block))));
        }
    }
}
