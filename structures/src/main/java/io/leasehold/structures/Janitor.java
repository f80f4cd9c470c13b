package io.leasehold.structures;

import io.leasehold.lease.HeapKind;
import io.leasehold.lease.LeaseConflictException;
import io.leasehold.lease.OutcomeUnknownException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.time.Duration;

/// Removes entries that have expired: a role that one client at a time has, by an exclusive lease on the janitor's words in the
/// root of the map. If it dies, another takes over where it was, when the lease has ended and the next round is due.
///
/// A round looks at [#SLOTS_PER_ROUND] slots at most, or at one subtable, and then rests: `due` says until when, for everybody.
/// An entry is removed by a CAS of the very word that led to its expired block, so one that lost the role without knowing does no
/// harm. For one thread at a time.
final class Janitor {
    /// What [#round()] returns if the round was not this client's.
    static final long NOT_NOW = -1;
    static final int SLOTS_PER_ROUND = 8192;
    private static final int GROUP = 64;
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final MapContext<?, ?> context;
    private final Memory memory;
    private final Resizer resizer;
    private final long pauseNanos;
    private final SubtableReader subtable;
    private final boolean confirms;
    /// Of the group at hand: positions, lengths of the blocks, and where each step is.
    private final int[] positions = new int[GROUP];
    private final int[] blockBytes = new int[GROUP];
    private final int[] steps = new int[GROUP];

    Janitor(MapContext<?, ?> context, Resizer resizer) {
        this.context = context;
        this.resizer = resizer;
        memory = context.memory();
        pauseNanos = context.options().janitorPause().toNanos();
        subtable = new SubtableReader(context);
        confirms = context.options().protection() == Protection.BLOCK;
    }

    /// Does one round, if one is due and nobody else has the role.
    ///
    /// @return how many entries were removed, or [#NOT_NOW]
    long round() {
        Deadline deadline = context.deadline("cleaning");
        try {
            if (!isDue()) {
                return NOT_NOW;
            }
            try (Exclusive role = memory.exclusive(root().janitorAddress(), MapRoot.JANITOR_BYTES, Duration.ZERO)) {
                return isDue() ? round(role, deadline) : NOT_NOW;
            }
        } catch (StaleAccess | LeaseConflictException e) {
            return NOT_NOW;
        }
    }

    private MapRoot root() {
        return context.root();
    }

    private boolean isDue() {
        long due = word(root().janitorDueAddress());
        return due == 0 || context.expiry().now() - due >= 0;
    }

    private long word(long address) {
        try (Access access = memory.access()) {
            access.next();
            int position = access.read(HeapKind.INDEX, address, Long.BYTES);
            access.execute();
            return access.data(position).get(LONG, 0);
        }
    }

    private long round(Exclusive role, Deadline deadline) {
        role.writeWord(root().janitorDueAddress(), context.expiry().now() + pauseNanos);
        long cursor = word(root().janitorAddress());
        long removed = 0;
        int slots = 0;
        do {
            // The cursor is a suffix with its bits reversed: so a split divides what is ahead, and puts nothing behind.
            long suffix = Long.reverse(cursor) >>> Long.SIZE - HashBits.DEPTH_MAX;
            removed += clean(suffix, deadline);
            int below = HashBits.DEPTH_MAX - subtable.depth();
            cursor = (cursor >>> below) + 1 << below & (1L << HashBits.DEPTH_MAX) - 1;
            role.writeWord(root().janitorAddress(), cursor);
            slots += context.shape().slots();
        } while (slots + context.shape().slots() <= SLOTS_PER_ROUND && cursor != 0);
        return removed;
    }

    /// Removes what has expired in the subtable with the keys of `suffix`.
    private long clean(long suffix, Deadline deadline) {
        long removed = 0;
        try (Access access = memory.access()) {
            subtable.read(access, suffix, deadline);
            int position = 0;
            while (position < subtable.words().length) {
                int count = 0;
                for (; position < subtable.words().length && count < GROUP; position++) {
                    if (subtable.isEntry(position) && !SlotWord.isFrozen(subtable.words()[position])) {
                        positions[count++] = position;
                    }
                }
                count = expired(access, count);
                removed += remove(access, count);
            }
        }
        for (long i = 0; i < removed; i++) {
            if (resizer.looksAround()) {
                resizer.mergeAround(suffix, deadline);
                break;
            }
        }
        return removed;
    }

    /// Reads the headers of the blocks of `count` entries, and keeps the positions of those that have expired.
    private int expired(Access access, int count) {
        if (count == 0) {
            return 0;
        }
        access.next();
        for (int i = 0; i < count; i++) {
            steps[i] = access.readFound(SlotWord.address(subtable.words()[positions[i]]), KeyValueBlock.HEADER_BYTES);
        }
        int words = access.size();
        for (int i = 0; confirms && i < count; i++) {
            access.read(HeapKind.INDEX, subtable.address(positions[i]), Long.BYTES);
        }
        access.execute();
        int kept = 0;
        for (int i = 0; i < count; i++) {
            MemorySegment header = access.data(steps[i]);
            long word = subtable.words()[positions[i]];
            boolean isSame = !confirms || access.data(words + i).get(LONG, 0) == word;
            if (isSame && KeyValueBlock.isHeader(header) && HashBits.fingerprint(KeyValueBlock.hash(header)) == SlotWord.fingerprint(word)
                    && context.expiry().isPast(KeyValueBlock.expiry(header))) {
                blockBytes[kept] = KeyValueBlock.bytes(KeyValueBlock.keyBytes(header), KeyValueBlock.valueBytes(header));
                positions[kept++] = positions[i];
            }
        }
        return kept;
    }

    /// Empties the slots of `count` entries, unless somebody changes them first.
    private long remove(Access access, int count) {
        if (count == 0) {
            return 0;
        }
        access.next();
        for (int i = 0; i < count; i++) {
            long word = subtable.words()[positions[i]];
            steps[i] = access.compareAndSwap(subtable.address(positions[i]), word, SlotWord.empty(word));
        }
        RuntimeException failure = null;
        try {
            access.execute();
        } catch (StaleAccess | OutcomeUnknownException e) {
            failure = e;
        }
        long[] removed = new long[MapRoot.COUNTERS];
        long sum = 0;
        for (int i = 0; i < count; i++) {
            long word = subtable.words()[positions[i]];
            // One of unknown outcome is left: if it was removed, its block is lost until the map is destroyed.
            if ((failure == null || access.executed(steps[i])) && access.previous(steps[i]) == word) {
                memory.retire(HeapKind.DATA, SlotWord.address(word), blockBytes[i]);
                removed[SizeCounters.counter(SlotWord.fingerprint(word))]++;
                sum++;
            }
        }
        context.counters().subtract(memory, removed);
        if (failure instanceof StaleAccess) {
            throw failure;
        }
        return sum;
    }
}
