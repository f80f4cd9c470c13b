package io.leasehold.rdma.internal.soft;

import java.lang.invoke.VarHandle;

/// The sending end of a ring of frames in shared memory. Guarded by the send lock of its queue pair.
///
/// Frames are put one after the other and become visible together, by one release store of the tail, in [#publish]. That the
/// answers fit is a matter of these numbers; what they leave over is for padding, headers and a few frames without payload.
final class RingOutput implements FrameOutput {
    /// The longest payload.
    static final int SEGMENT_BYTES = 1 << 14;
    /// How many bytes of READs may be on the way in one direction.
    static final int READ_WINDOW = 3 * SEGMENT_BYTES;
    /// How far requests may fill the ring: two whole segments.
    static final int REQUEST_ROOM = 2 * (SEGMENT_BYTES + RingFile.FRAME_ALIGNMENT);
    /// So many bytes are shown to the peer at once: it begins with the first frames while the next ones are put.
    private static final int EAGER_BYTES = 1 << 10;
    private static final int MASK = RingFile.RING_BYTES - 1;

    private final long ring;
    private final long tail;
    private final long head;
    private final long sleeping;
    private long end;
    // Where the tail was seen last by whoever looked, and by whoever may have slept.
    private long shown;
    private long published;
    private long taken;
    private boolean lied;

    RingOutput(RingFile file) {
        ring = file.ring(true);
        tail = file.counters(true) + RingFile.TAIL_AT;
        head = file.counters(true) + RingFile.HEAD_AT;
        sleeping = file.counters(true) + RingFile.SLEEPING_AT;
    }

    /// The bytes that a frame takes.
    static int bytes(int payload) {
        return Frame.HEADER_BYTES + payload + RingFile.FRAME_ALIGNMENT - 1 & -RingFile.FRAME_ALIGNMENT;
    }

    /// How much the peer has taken, as far as that was needed to know.
    long taken() {
        return taken;
    }

    /// Whether the peer claimed to have taken what was never put, or to have put it back.
    boolean wasLiedTo() {
        return lied;
    }

    @Override
    public int segmentBytes() {
        return SEGMENT_BYTES;
    }

    @Override
    public int readWindow() {
        return READ_WINDOW;
    }

    @Override
    public boolean hasRoomForRequest(int payload) {
        return hasRoom(bytes(payload), REQUEST_ROOM);
    }

    private boolean hasRoom(int bytes, int limit) {
        if (end + bytes - taken <= limit) {
            return true;
        }
        long now = NativeMemory.getLongAcquire(head);
        if (now < taken || now > shown) {
            lied = true;
            return false;
        }
        taken = now;
        return end + bytes - taken <= limit;
    }

    @Override
    public int reserve(int payload) {
        int bytes = bytes(payload);
        int at = (int) end & MASK;
        int rest = RingFile.RING_BYTES - at;
        if (bytes <= rest) {
            return hasRoom(bytes, RingFile.RING_BYTES) ? at : -1;
        }
        if (!hasRoom(rest + bytes, RingFile.RING_BYTES)) {
            return -1;
        }
        NativeMemory.putLong(ring + at, (long) (rest - Frame.HEADER_BYTES) << Integer.SIZE | RingFile.PADDING);
        end += rest;
        return 0;
    }

    @Override
    public long payloadAddress(int at) {
        return ring + at + Frame.HEADER_BYTES;
    }

    @Override
    public void commit(int at, int type, int payload, int sequence, int key, long target, long first, long second) {
        long frame = ring + at;
        NativeMemory.putLong(frame + Frame.TYPE_AT, (long) payload << Integer.SIZE | type);
        NativeMemory.putLong(frame + Frame.SEQUENCE_AT, (long) key << Integer.SIZE | sequence & 0xffff_ffffL);
        NativeMemory.putLong(frame + Frame.ADDRESS_AT, target);
        NativeMemory.putLong(frame + Frame.FIRST_AT, first);
        NativeMemory.putLong(frame + Frame.SECOND_AT, second);
        end += bytes(payload);
        if (end - shown >= EAGER_BYTES) {
            show();
        }
    }

    /// Lets a peer that looks see what was put. A peer that sleeps may go on sleeping: [#publish] follows.
    private void show() {
        shown = end;
        NativeMemory.putLongRelease(tail, end);
    }

    /// Shows the peer what was put, and wakes it if it said that it sleeps.
    void publish() {
        if (end == published) {
            return;
        }
        published = end;
        show();
        // Either this store is seen by a peer that looks once more before it sleeps, or its sleep is seen here.
        VarHandle.fullFence();
        if (NativeMemory.getInt(sleeping) != 0) {
            NativeMemory.putInt(sleeping, 0);
            Futex.wake(sleeping);
        }
    }
}
