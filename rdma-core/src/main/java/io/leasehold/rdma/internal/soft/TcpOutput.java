package io.leasehold.rdma.internal.soft;

import io.leasehold.rdma.internal.NicClock;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.SocketChannel;

/// What waits to be written to one TCP connection. Guarded by the send lock of its queue pair.
final class TcpOutput implements FrameOutput {
    /// How many bytes of READs may be on the way in one direction.
    static final int READ_WINDOW = 4 * Frame.SEGMENT_BYTES;
    /// How far requests may fill the buffer: two whole segments.
    static final int REQUEST_ROOM = 2 * (Frame.HEADER_BYTES + Frame.SEGMENT_BYTES);
    // Each answer with data has a header; a few more frames are acknowledgements, pongs, and the receive that has become ready.
    private static final int CAPACITY_MAX =
            REQUEST_ROOM + READ_WINDOW + (2 * SoftDevice.MAX_READ_ATOMIC + 16) * Frame.HEADER_BYTES;
    private static final int CAPACITY_MIN = 1 << 13;

    private ByteBuffer buffer = allocate(CAPACITY_MIN);
    private long address = MemorySegment.ofBuffer(buffer).address();
    private int start;
    private int end;
    private long flushedNanos = NicClock.nanos();

    static ByteBuffer allocate(int capacity) {
        return ByteBuffer.allocateDirect(capacity).order(ByteOrder.LITTLE_ENDIAN);
    }

    boolean isEmpty() {
        return start == end;
    }

    /// When bytes were written last, or there was nothing to write.
    long flushedNanos() {
        return flushedNanos;
    }

    @Override
    public int segmentBytes() {
        return Frame.SEGMENT_BYTES;
    }

    @Override
    public int readWindow() {
        return READ_WINDOW;
    }

    @Override
    public boolean hasRoomForRequest(int payload) {
        return end - start + Frame.HEADER_BYTES + payload <= REQUEST_ROOM;
    }

    @Override
    public int reserve(int payload) {
        int bytes = Frame.HEADER_BYTES + payload;
        if (buffer.capacity() - end < bytes) {
            int wanted = end - start + bytes;
            if (wanted > CAPACITY_MAX) {
                return -1;
            }
            move(wanted);
        }
        if (isEmpty()) {
            flushedNanos = NicClock.nanos();
        }
        return end;
    }

    private void move(int wanted) {
        ByteBuffer old = buffer;
        if (wanted > buffer.capacity()) {
            buffer = allocate(Math.min(CAPACITY_MAX, Integer.highestOneBit(wanted - 1) << 1));
            address = MemorySegment.ofBuffer(buffer).address();
        }
        // ByteBuffer.put moves overlapping ranges rightly, and has the bounds checked.
        buffer.put(0, old, start, end - start);
        end -= start;
        start = 0;
    }

    @Override
    public long payloadAddress(int at) {
        return address + at + Frame.HEADER_BYTES;
    }

    @Override
    public void commit(int at, int type, int payload, int sequence, int key, long target, long first, long second) {
        Frame.put(buffer, at, type, payload, sequence, key, target, first, second);
        end = at + Frame.HEADER_BYTES + payload;
    }

    /// Puts the bytes that open a connection, before any frame.
    void putOpening(byte[] bytes) {
        buffer.put(end, bytes);
        end += bytes.length;
    }

    /// Writes as much as the connection takes without waiting.
    ///
    /// @return whether nothing is left
    boolean flush(SocketChannel channel) throws IOException {
        if (start < end) {
            buffer.limit(end).position(start);
            int written = channel.write(buffer);
            buffer.clear();
            start += written;
            if (written > 0) {
                flushedNanos = NicClock.nanos();
            }
            if (start == end) {
                start = 0;
                end = 0;
            }
        }
        return start == end;
    }
}
