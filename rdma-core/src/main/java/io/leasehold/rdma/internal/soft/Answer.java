package io.leasehold.rdma.internal.soft;

import io.leasehold.rdma.RdmaError;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/// What the accepting side of a TCP connection says to a [Hello]; frames follow if it accepts.
///
/// ```
///  byte   0                 2        3        4
///         +-----------------------------------------------------------------------+
///      0  |                                 magic                                 |
///         +-----------------+--------+--------+-----------------------------------+
///      8  |     version     | verdict|  zero  |            queue pair             |
///         +-----------------+--------+--------+-----------------------------------+
///     16  |                              device                                   |
///         +-----------------+-----------------------------------------------------+
///     24  |     length      |                     zero                            |
///         +-----------------+-----------------------------------------------------+
///     32  |  private data, or the reason of a refusal ...
/// ```
///
/// @param refusal why there is no connection, or `null` if there is one
/// @param device the accepting device
/// @param number its queue pair
/// @param data private data, or a reason in UTF-8
record Answer(@Nullable RdmaError refusal, long device, int number, byte[] data) {
    /// Bytes before the data.
    static final int FIXED_BYTES = 32;
    private static final int ACCEPTED = 0;

    /// Accepts.
    static Answer accepting(long device, int number, byte[] privateData) {
        return new Answer(null, device, number, privateData);
    }

    /// Refuses; a long reason is cut.
    static Answer refusing(RdmaError why, String reason) {
        byte[] bytes = reason.getBytes(StandardCharsets.UTF_8);
        return new Answer(why, 0, 0, bytes.length > SoftDevice.MAX_PRIVATE_DATA_BYTES
                ? java.util.Arrays.copyOf(bytes, SoftDevice.MAX_PRIVATE_DATA_BYTES) : bytes);
    }

    /// The reason of a refusal.
    String reason() {
        return new String(data, StandardCharsets.UTF_8);
    }

    /// The bytes on the wire.
    byte[] encode() {
        int verdict = refusal == null ? ACCEPTED : refusal.ordinal() + 1;
        return ByteBuffer.allocate(FIXED_BYTES + data.length).order(ByteOrder.LITTLE_ENDIAN).putLong(Hello.MAGIC)
                .putShort((short) Frame.VERSION).put((byte) verdict).put((byte) 0).putInt(number).putLong(device)
                .putShort((short) data.length).putShort((short) 0).putInt(0).put(data).array();
    }

    /// Reads an answer from a blocking connection.
    ///
    /// @throws ProtocolViolation if it is none
    static Answer read(SocketChannel channel, long deadlineNanos) throws IOException {
        ByteBuffer fixed = Hello.readFully(channel, FIXED_BYTES, deadlineNanos);
        Hello.checkMagic(fixed);
        int verdict = fixed.get(10);
        int length = Short.toUnsignedInt(fixed.getShort(24));
        if (verdict < ACCEPTED || verdict > RdmaError.values().length || length > SoftDevice.MAX_PRIVATE_DATA_BYTES) {
            throw new ProtocolViolation("a malformed answer with verdict " + verdict + " and " + length + " bytes");
        }
        byte[] data = Hello.readFully(channel, length, deadlineNanos).array();
        return new Answer(verdict == ACCEPTED ? null : RdmaError.values()[verdict - 1], fixed.getLong(16), fixed.getInt(12),
                data);
    }
}
