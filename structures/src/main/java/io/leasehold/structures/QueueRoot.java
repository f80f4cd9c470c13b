package io.leasehold.structures;

import io.leasehold.lease.HeapKind;
import java.lang.foreign.MemorySegment;
import java.time.Duration;

/// Creates the root of a queue, or reads it.
final class QueueRoot {
    private QueueRoot() {
    }

    /// The shape of the queue in `memory`, which is created with `shape` if there is none. One round trip if there is; creation
    /// is exclusive, and taken up by another if its session dies.
    ///
    /// @throws IllegalArgumentException if the heap holds something else
    static QueueShape open(Memory memory, String name, QueueShape shape, Duration timeout) {
        Restarts restarts = new Restarts(memory, "opening queue '" + name + "'", timeout.toNanos());
        try (Access access = memory.access()) {
            while (true) {
                try {
                    MemorySegment root = read(access, memory.root());
                    if (SegmentLayout.word(root, 0) != 0) {
                        return QueueShape.decode(name, root);
                    }
                    create(memory, access, shape, timeout);
                } catch (StaleAccess e) {
                    restarts.again(e);
                    access.restart();
                }
            }
        }
    }

    /// The root, whose other bytes were read after the format word: if that is set they are complete.
    private static MemorySegment read(Access access, long root) {
        access.next();
        int format = access.read(HeapKind.INDEX, root + QueueShape.FORMAT_AT, Long.BYTES);
        int all = access.read(HeapKind.INDEX, root, QueueShape.ROOT_BYTES);
        access.execute();
        MemorySegment image = MemorySegment.ofArray(new byte[QueueShape.ROOT_BYTES]).copyFrom(access.data(all));
        image.asSlice(QueueShape.FORMAT_AT, Long.BYTES).copyFrom(access.data(format));
        return image;
    }

    private static void create(Memory memory, Access access, QueueShape shape, Duration timeout) {
        try (Exclusive exclusive = memory.exclusive(memory.root(), QueueShape.ROOT_BYTES, timeout)) {
            if (SegmentLayout.word(read(access, memory.root()), 0) != 0) {
                return;
            }
            access.next();
            SegmentLayout layout = SegmentLayout.at(memory.root(), shape.slots());
            long segment = memory.allocate(HeapKind.INDEX, layout.bytes());
            access.write(HeapKind.INDEX, segment, layout.image(0));
            access.execute();
            MemorySegment root = MemorySegment.ofArray(new byte[QueueShape.ROOT_BYTES]);
            shape.encode(root, layout.pointer(0, segment));
            exclusive.write(memory.root() + Long.BYTES, root.asSlice(Long.BYTES));
            exclusive.writeWord(memory.root() + QueueShape.FORMAT_AT, QueueShape.FORMAT);
        }
        access.next();
    }
}
