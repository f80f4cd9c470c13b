package io.leasehold.rdma.internal.soft;

import io.leasehold.rdma.RdmaError;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/// What the accepting side of a TCP connection says to a [Hello]. On the TCP link, frames follow if it accepts.
///
/// Before that it may offer a file of rings by its name. The dialler looks for it, and answers with the [proof][RingFile#proof]
/// that it finds there, 16 bytes, or with zeros if there is none; that both see the same file shows that they are on one host.
///
/// ```
///  byte   0                 2        3        4
///         +-----------------------------------------------------------------------+
///      0  |                                 magic                                 |
///         +-----------------+--------+--------+-----------------------------------+
///      8  |     version     | verdict|  link  |            queue pair             |
///         +-----------------+--------+--------+-----------------------------------+
///     16  |                              device                                   |
///         +-----------------+-----------------------------------------------------+
///     24  |     length      |                     zero                            |
///         +-----------------+-----------------------------------------------------+
///     32  |  private data, or the reason of a refusal ...
/// ```
///
/// @param verdict [#ACCEPTED], [#OFFERED] or a reason to refuse
/// @param link the link that was agreed on, as in [Hello]; 0 if none was
/// @param device the accepting device
/// @param number its queue pair
/// @param data private data, or a reason in UTF-8, or the name of a file
record Answer(int verdict, int link, long device, int number, byte[] data) {
    /// Bytes before the data.
    static final int FIXED_BYTES = 32;
    /// There is a connection.
    static final int ACCEPTED = 0;
    /// There is a file of rings; another answer follows.
    static final int OFFERED = 127;
    /// Bytes of a proof.
    static final int PROOF_BYTES = 2 * Long.BYTES;

    /// Accepts.
    static Answer accepting(long device, int number, int link, byte[] privateData) {
        return new Answer(ACCEPTED, link, device, number, privateData);
    }

    /// Offers a file of rings.
    static Answer offering(String fileName) {
        return new Answer(OFFERED, 0, 0, 0, fileName.getBytes(StandardCharsets.UTF_8));
    }

    /// Refuses; a long reason is cut.
    static Answer refusing(RdmaError why, String reason) {
        byte[] bytes = reason.getBytes(StandardCharsets.UTF_8);
        return new Answer(why.ordinal() + 1, 0, 0, 0, bytes.length > SoftDevice.MAX_PRIVATE_DATA_BYTES
                ? java.util.Arrays.copyOf(bytes, SoftDevice.MAX_PRIVATE_DATA_BYTES) : bytes);
    }

    boolean isOffer() {
        return verdict == OFFERED;
    }

    /// Why there is no connection, or `null` if there may be one.
    @Nullable RdmaError refusal() {
        return verdict == ACCEPTED || verdict == OFFERED ? null : RdmaError.values()[verdict - 1];
    }

    /// The reason of a refusal, or the name of a file.
    String reason() {
        return new String(data, StandardCharsets.UTF_8);
    }

    /// The bytes on the wire.
    byte[] encode() {
        return ByteBuffer.allocate(FIXED_BYTES + data.length).order(ByteOrder.LITTLE_ENDIAN).putLong(Hello.MAGIC)
                .putShort((short) Frame.VERSION).put((byte) verdict).put((byte) link).putInt(number).putLong(device)
                .putShort((short) data.length).putShort((short) 0).putInt(0).put(data).array();
    }

    /// Reads an answer from a blocking connection.
    ///
    /// @throws ProtocolViolation if it is none
    static Answer read(SocketChannel channel, long deadlineNanos) throws IOException {
        ByteBuffer fixed = Hello.readFully(channel, FIXED_BYTES, deadlineNanos);
        Hello.checkMagic(fixed);
        int verdict = fixed.get(10);
        int link = fixed.get(11);
        int length = Short.toUnsignedInt(fixed.getShort(24));
        boolean known = verdict == OFFERED || verdict >= ACCEPTED && verdict <= RdmaError.values().length;
        boolean agreed = link == Hello.TCP || link == Hello.SHARED_MEMORY;
        if (!known || agreed != (verdict == ACCEPTED) || length > SoftDevice.MAX_PRIVATE_DATA_BYTES) {
            throw new ProtocolViolation(
                    "a malformed answer with verdict " + verdict + ", link " + link + " and " + length + " bytes");
        }
        byte[] data = Hello.readFully(channel, length, deadlineNanos).array();
        return new Answer(verdict, link, fixed.getLong(16), fixed.getInt(12), data);
    }
}
