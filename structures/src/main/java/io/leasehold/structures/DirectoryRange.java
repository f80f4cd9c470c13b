package io.leasehold.structures;

import io.leasehold.lease.HeapKind;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/// The entries of the directory that lead, or should lead, to one subtable: every `2^depth`th. Thread-safe.
final class DirectoryRange {
    /// Entries of the directory that are copied at once.
    private static final int ENTRIES_MAX = 1 << 14;
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final MapRoot root;
    private final Memory memory;

    DirectoryRange(MapContext<?, ?> context) {
        root = context.root();
        memory = context.memory();
    }

    /// The index of an entry in the range of `held` that does not lead there, or a negative number: whoever was to change that
    /// entry has died, and has to be succeeded before the subtable may move.
    long stray(Access access, HeldSubtable held) {
        long[] stray = {-1};
        forEach(access, held, directoryDepth(access), (index, entry) -> {
            if (MapRoot.entrySubtable(entry) != held.address()) {
                stray[0] = index;
            }
        });
        return stray[0];
    }

    /// Has the directory lead to where `header`, which all buckets of the `olds` have, says that their keys have moved.
    ///
    /// Only entries that lead to one of the `olds` are changed: the others were changed by a predecessor, and lead to what its
    /// keys have moved to since. That nobody has given an old one back, so that its address is another's, is confirmed under the
    /// right to the directory: nobody can do so while that lasts.
    ///
    /// @return for each whether it was this that ended the last way to it
    /// @throws StaleAccess if a right has ended
    boolean[] flip(long header, Deadline deadline, HeldSubtable... olds) {
        boolean[] ledHere = new boolean[olds.length];
        try (Exclusive right = memory.exclusive(root.depthAddress(), root.directoryBytes(), deadline.remaining());
                Access access = memory.access()) {
            int directoryDepth = directoryDepth(access);
            if (directoryDepth < HeaderWord.nextDepth(header)) {
                deepen(right, access, directoryDepth++);
            }
            for (int i = 0; i < olds.length; i++) {
                HeldSubtable old = olds[i];
                old.confirm(header);
                long[] changes = new long[1];
                forEach(access, old, directoryDepth, (index, entry) -> {
                    if (MapRoot.entrySubtable(entry) == old.address()) {
                        long next = HeaderWord.next(header, index, root.shape().bytes());
                        right.add(root.entryAddress(index), MapRoot.entry(HeaderWord.nextDepth(header), next));
                        changes[0]++;
                    }
                });
                ledHere[i] = changes[0] > 0;
            }
            right.flush();
        }
        return ledHere;
    }

    private int directoryDepth(Access access) {
        access.next();
        int position = access.read(HeapKind.INDEX, root.depthAddress(), Long.BYTES);
        access.execute();
        return (int) access.data(position).get(LONG, 0);
    }

    private interface EntryConsumer {
        void accept(long index, long entry);
    }

    private void forEach(Access access, HeldSubtable held, int directoryDepth, EntryConsumer consumer) {
        long count = 1L << directoryDepth - held.depth();
        for (long from = 0; from < count; from += HeldSubtable.STEPS_MAX) {
            long to = Math.min(count, from + HeldSubtable.STEPS_MAX);
            access.next();
            for (long i = from; i < to; i++) {
                access.read(HeapKind.INDEX, root.entryAddress(held.suffix() | i << held.depth()), Long.BYTES);
            }
            access.execute();
            for (long i = from; i < to; i++) {
                consumer.accept(held.suffix() | i << held.depth(), access.data((int) (i - from)).get(LONG, 0));
            }
        }
    }

    /// Doubles the directory: first the upper half, then the depth that makes it count.
    private void deepen(Exclusive right, Access access, int depth) {
        long half = 1L << depth;
        for (long from = 0; from < half; from += ENTRIES_MAX) {
            int bytes = (int) Math.min(half - from, ENTRIES_MAX) * Long.BYTES;
            access.next();
            int position = access.read(HeapKind.INDEX, root.entryAddress(from), bytes);
            access.execute();
            right.write(root.entryAddress(half + from), access.data(position));
        }
        right.writeWord(root.depthAddress(), depth + 1);
    }
}
