package io.leasehold.structures;

import io.leasehold.lease.HeapKind;
import java.lang.foreign.MemorySegment;
import java.util.List;

/// Elements on their way into a queue, in order: their blocks, and how far they have come. For one thread.
final class Outgoing {
    private final Memory memory;
    private final MemorySegment[] images;
    private final long[] addresses;
    private final long[] words;
    private final int[] positions;
    private final boolean[] written;
    private int published;

    /// Allocates a block for each of `images`; all or none.
    Outgoing(Memory memory, SegmentLayout layout, List<MemorySegment> images) {
        this.memory = memory;
        int count = images.size();
        this.images = images.toArray(MemorySegment[]::new);
        addresses = new long[count];
        words = new long[count];
        positions = new int[count];
        written = new boolean[count];
        int allocated = 0;
        try {
            for (; allocated < count; allocated++) {
                int length = length(allocated);
                addresses[allocated] = memory.allocate(HeapKind.DATA, length);
                words[allocated] = QueueSlot.full(layout.blockAt(addresses[allocated]), length);
            }
        } finally {
            for (int i = 0; i < allocated && allocated < count; i++) {
                memory.abandon(HeapKind.DATA, addresses[i], length(i));
            }
        }
    }

    private int length(int index) {
        return Math.toIntExact(images[index].byteSize());
    }

    /// How many, from the first on, are in the queue.
    int published() {
        return published;
    }

    int left() {
        return words.length - published;
    }

    /// Notes that the next `count` are in the queue.
    void publish(int count) {
        published += count;
    }

    /// The word of the `index`th that is not yet in the queue.
    long word(int index) {
        return words[published + index];
    }

    /// The words of the next `count` that are not yet in the queue.
    long[] words(int count) {
        return java.util.Arrays.copyOfRange(words, published, published + count);
    }

    /// Adds a WRITE for each block that is not known to be written.
    void addWrites(Access access) {
        for (int i = published; i < words.length; i++) {
            if (!written[i]) {
                positions[i] = access.write(HeapKind.DATA, addresses[i], images[i]);
            }
        }
    }

    /// After the WRITEs have been executed, or the execution failed: notes which were carried out.
    void noteWrites(Access access) {
        for (int i = published; i < words.length; i++) {
            written[i] = written[i] || access.executed(positions[i]);
        }
    }

    /// Gives back the blocks of those that are not in the queue and never will be.
    void abandon() {
        for (int i = published; i < words.length; i++) {
            memory.abandon(HeapKind.DATA, addresses[i], length(i));
        }
    }
}
