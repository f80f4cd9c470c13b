package io.leasehold.rdma.internal.soft;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.function.BooleanSupplier;

/// The receiving end of a ring of frames in shared memory. Guarded by the send lock of its queue pair, but for [#isEmpty] and the
/// methods about sleeping.
///
/// The peer may write anything anywhere in the ring at any time. So the header of a frame is copied before it is looked at, and
/// only the copy is used; a payload is nothing but bytes that the peer may choose, wherever they go. All that it can bring about
/// is a [ProtocolViolation].
final class RingInput {
    private static final int MASK = RingFile.RING_BYTES - 1;
    /// So many bytes are given back at once.
    private static final int GIVE_BACK_BYTES = RingOutput.SEGMENT_BYTES / 4;

    private static final VarHandle TAKEN;

    static {
        try {
            TAKEN = MethodHandles.lookup().findVarHandle(RingInput.class, "taken", long.class);
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    private final long ring;
    private final long tail;
    private final long head;
    private final long sleeping;
    private final long timespec;
    private final ByteBuffer header = ByteBuffer.allocate(Frame.HEADER_BYTES).order(ByteOrder.LITTLE_ENDIAN);
    // Written under the lock alone, released by TAKEN; a volatile store would hold up the stores before it.
    private volatile long taken;
    private long at;
    private long limit;
    private long payloadAddress;

    RingInput(RingFile file) {
        ring = file.ring(false);
        tail = file.counters(false) + RingFile.TAIL_AT;
        head = file.counters(false) + RingFile.HEAD_AT;
        sleeping = file.counters(false) + RingFile.SLEEPING_AT;
        timespec = file.timespec();
    }

    /// Whether the peer has put nothing that was not taken. For any thread that knows the file to be mapped.
    boolean isEmpty() {
        return NativeMemory.getLongAcquire(tail) == taken;
    }

    /// Bytes ever taken. For any thread.
    long taken() {
        return taken;
    }

    /// Looks what has come in: [#next] goes no further, so that a peer that never stops does not hold the lock for ever.
    void begin() throws ProtocolViolation {
        at = taken;
        limit = NativeMemory.getLongAcquire(tail);
        long length = limit - at;
        if (length < 0 || length > RingFile.RING_BYTES || (length & RingFile.FRAME_ALIGNMENT - 1) != 0) {
            throw new ProtocolViolation("a ring with " + length + " bytes in it");
        }
    }

    /// Goes to the next frame and copies its header.
    ///
    /// @return whether there is one
    boolean next() throws ProtocolViolation {
        while (at != limit) {
            if (at - taken >= GIVE_BACK_BYTES) {
                giveBack();
            }
            int from = (int) at & MASK;
            for (int i = 0; i < Frame.HEADER_BYTES; i += Long.BYTES) {
                header.putLong(i, NativeMemory.getLongOnce(ring + from + i));
            }
            int type = Frame.type(header, 0);
            int payload = Frame.payload(header, 0);
            int room = (int) Math.min(limit - at, RingFile.RING_BYTES - from);
            if (payload < 0 || payload > room - Frame.HEADER_BYTES) {
                throw new ProtocolViolation("a frame of type " + type + " with " + Integer.toUnsignedString(payload)
                        + " bytes where " + room + " are in the ring");
            }
            at += RingOutput.bytes(payload);
            if (type != RingFile.PADDING) {
                if (payload > RingOutput.SEGMENT_BYTES || payload > 0 && !Frame.mayCarry(type)) {
                    throw new ProtocolViolation("a frame of type " + type + " with " + payload + " bytes");
                }
                payloadAddress = ring + from + Frame.HEADER_BYTES;
                return true;
            }
        }
        return false;
    }

    /// The header of the frame, at its start.
    ByteBuffer header() {
        return header;
    }

    /// Where its payload lies, for as long as [#next] is not called.
    long payloadAddress() {
        return payloadAddress;
    }

    /// Lets the peer have the room of the frames before the current one, or of all if [#next] found no more.
    void giveBack() {
        if (at != taken) {
            TAKEN.setRelease(this, at);
            NativeMemory.putLongRelease(head, at);
        }
    }

    /// Sleeps until the peer puts something or [#wake] is called, at most for `nanos`; not at all if `mayRest` denies it once the
    /// peer has been told.
    void sleep(long nanos, BooleanSupplier mayRest) {
        NativeMemory.putInt(sleeping, 1);
        VarHandle.fullFence();
        if (isEmpty() && mayRest.getAsBoolean()) {
            Futex.await(sleeping, 1, nanos, timespec);
        }
        NativeMemory.putInt(sleeping, 0);
    }

    /// Sleeps until [#wake] is called or `nanos` have passed, without telling the peer.
    void nap(long nanos) {
        Futex.await(sleeping, 0, nanos, timespec);
    }

    /// Wakes the thread of this end.
    void wake() {
        NativeMemory.putInt(sleeping, 0);
        Futex.wake(sleeping);
    }
}
