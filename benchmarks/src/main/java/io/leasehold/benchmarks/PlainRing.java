package io.leasehold.benchmarks;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/// A pair of single-producer rings in a mapped file and nothing else: no verbs, no checks, no sleep. What shared memory can do
/// between two JVMs at most, for frames as long as those of a READ: 40 bytes there, and 64 bytes more back.
///
/// ```
///  0          128        256                              of each ring
/// +----------+----------+--------+--------+-----
/// | taken    | put      | slot 0 | slot 1 | …      256 slots of 128 bytes
/// +----------+----------+--------+--------+-----
/// ```
/// For one thread on either side.
final class PlainRing implements AutoCloseable {
    static final int REQUEST_BYTES = 40;
    static final int ANSWER_BYTES = REQUEST_BYTES + 64;
    private static final int SLOTS = 256;
    private static final int SLOT_BYTES = 128;
    private static final long TAKEN_AT = 0;
    private static final long PUT_AT = 128;
    private static final long SLOTS_AT = 256;
    private static final long RING_BYTES = SLOTS_AT + SLOTS * SLOT_BYTES;
    private static final VarHandle POSITION = ValueLayout.JAVA_LONG.varHandle();

    private final Arena arena = Arena.ofShared();
    private final MemorySegment out;
    private final MemorySegment in;
    private final MemorySegment frame;
    private long put;
    private long taken;

    /// Maps the file, making it if there is none.
    ///
    /// @param isFirst which of the two sides this is
    PlainRing(Path file, boolean isFirst) throws IOException {
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ, StandardOpenOption.WRITE, StandardOpenOption.CREATE)) {
            MemorySegment all = channel.map(FileChannel.MapMode.READ_WRITE, 0, 2 * RING_BYTES, arena);
            out = all.asSlice(isFirst ? 0 : RING_BYTES, RING_BYTES);
            in = all.asSlice(isFirst ? RING_BYTES : 0, RING_BYTES);
        }
        frame = arena.allocate(SLOT_BYTES, Long.BYTES);
    }

    /// Copies a frame to the next slot; there must be one: at most 256 may be on the way.
    void put(int bytes) {
        MemorySegment.copy(frame, 0, out, SLOTS_AT + put++ % SLOTS * SLOT_BYTES, bytes);
    }

    /// Shows the other side what was put.
    void publish() {
        POSITION.setRelease(out, PUT_AT, put);
    }

    /// Copies all frames out that the other side has shown.
    ///
    /// @return how many
    int takeAll(int bytes) {
        long shown = (long) POSITION.getAcquire(in, PUT_AT);
        int count = (int) (shown - taken);
        for (int i = 0; i < count; i++) {
            MemorySegment.copy(in, SLOTS_AT + taken++ % SLOTS * SLOT_BYTES, frame, 0, bytes);
        }
        if (count > 0) {
            POSITION.setRelease(in, TAKEN_AT, taken);
        }
        return count;
    }

    /// Sends so many requests and waits for their answers.
    void exchange(int depth) {
        for (int i = 0; i < depth; i++) {
            put(REQUEST_BYTES);
        }
        publish();
        for (int got = 0; got < depth;) {
            int some = takeAll(ANSWER_BYTES);
            if (some == 0) {
                Thread.yield();
            }
            got += some;
        }
    }

    @Override
    public void close() {
        arena.close();
    }
}
