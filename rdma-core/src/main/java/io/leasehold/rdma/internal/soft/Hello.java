package io.leasehold.rdma.internal.soft;

import io.leasehold.rdma.EndpointAddress;
import io.leasehold.rdma.QueuePairAddress;
import io.leasehold.rdma.internal.NicClock;
import java.io.EOFException;
import java.io.IOException;
import java.net.SocketTimeoutException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;

/// What opens a TCP connection: the dialler says who it is and what it wants, in little-endian.
///
/// ```
///  byte   0                 2        3        4
///         +-----------------------------------------------------------------------+
///      0  |                                 magic                                 |
///         +-----------------+--------+--------+-----------------------------------+
///      8  |     version     |  kind  |  links |        patience, in ms            |
///         +-----------------+--------+--------+-----------------------------------+
///     16  |                          source device                                |
///         +-----------------------------------------------------------------------+
///     24  |                          target device, or 0                          |
///         +-----------------------------------+-----------------------------------+
///     32  |        source queue pair          |     target queue pair, or 0       |
///         +-----------------+-----------------+-----------------+-----------------+
///     40  |   source port   |   host length   | private length  |      zero       |
///         +-----------------+-----------------+-----------------+-----------------+
///     48  |  host ..., private data ...
/// ```
///
/// @param kind [#REQUEST] or [#ATTACH]
/// @param links the links that the dialler can use, [#TCP] and [#SHARED_MEMORY]
/// @param patienceMillis how long the dialler waits for an answer
/// @param source the dialler's queue pair
/// @param targetDevice the device meant, or 0 for whichever listens there
/// @param targetNumber the queue pair meant, for ATTACH
/// @param privateData for REQUEST, what the connection handler sees
record Hello(int kind, int links, int patienceMillis, QueuePairAddress source, long targetDevice, int targetNumber,
        byte[] privateData) {
    /// Asks the listener for a queue pair.
    static final int REQUEST = 1;
    /// Joins a queue pair that waits for this one, the raw way.
    static final int ATTACH = 2;
    /// The link by TCP, one bit.
    static final int TCP = 1;
    /// The link by shared memory, another.
    static final int SHARED_MEMORY = 2;
    /// `LEASEHLD`, as bytes on the wire.
    static final long MAGIC = 0x444c_4845_5341_454cL;
    /// Bytes before host and private data.
    static final int FIXED_BYTES = 48;
    private static final int HOST_MAX = 255;

    /// The bytes on the wire.
    byte[] encode() {
        EndpointAddress endpoint = source.endpoint();
        byte[] host = endpoint.host().getBytes(StandardCharsets.UTF_8);
        return ByteBuffer.allocate(FIXED_BYTES + host.length + privateData.length).order(ByteOrder.LITTLE_ENDIAN)
                .putLong(MAGIC).putShort((short) Frame.VERSION).put((byte) kind).put((byte) links).putInt(patienceMillis)
                .putLong(endpoint.device()).putLong(targetDevice).putInt(source.number()).putInt(targetNumber)
                .putShort((short) endpoint.port()).putShort((short) host.length).putShort((short) privateData.length)
                .putShort((short) 0).put(host).put(privateData).array();
    }

    /// Reads a hello from a blocking connection.
    ///
    /// @throws ProtocolViolation if it is none
    static Hello read(SocketChannel channel, long deadlineNanos) throws IOException {
        ByteBuffer fixed = readFully(channel, FIXED_BYTES, deadlineNanos);
        checkMagic(fixed);
        int kind = fixed.get(10);
        int links = fixed.get(11);
        int hostLength = Short.toUnsignedInt(fixed.getShort(42));
        int privateLength = Short.toUnsignedInt(fixed.getShort(44));
        if (kind != REQUEST && kind != ATTACH || links <= 0 || links > (TCP | SHARED_MEMORY) || fixed.getShort(46) != 0
                || hostLength == 0 || hostLength > HOST_MAX || privateLength > SoftDevice.MAX_PRIVATE_DATA_BYTES) {
            throw new ProtocolViolation(
                    "a malformed hello of kind " + kind + " for links " + links + " with lengths " + hostLength + " and "
                            + privateLength);
        }
        ByteBuffer rest = readFully(channel, hostLength + privateLength, deadlineNanos);
        byte[] host = new byte[hostLength];
        byte[] privateData = new byte[privateLength];
        rest.get(host).get(privateData);
        try {
            var endpoint = new EndpointAddress(SoftProvider.NAME, new String(host, StandardCharsets.UTF_8),
                    Short.toUnsignedInt(fixed.getShort(40)), fixed.getLong(16));
            return new Hello(kind, links, Math.max(0, fixed.getInt(12)), new QueuePairAddress(endpoint, fixed.getInt(32)),
                    fixed.getLong(24), fixed.getInt(36), privateData);
        } catch (IllegalArgumentException e) {
            throw new ProtocolViolation("a hello with a malformed address: " + e.getMessage());
        }
    }

    /// Checks the first ten bytes, which all versions share.
    static void checkMagic(ByteBuffer fixed) throws ProtocolViolation {
        if (fixed.getLong(0) != MAGIC) {
            throw new ProtocolViolation("bytes that are no hello");
        }
        int version = Short.toUnsignedInt(fixed.getShort(8));
        if (version != Frame.VERSION) {
            throw new ProtocolViolation("version " + version + " of the protocol; this side speaks " + Frame.VERSION);
        }
    }

    /// Reads exactly so many bytes of a blocking connection.
    static ByteBuffer readFully(SocketChannel channel, int length, long deadlineNanos) throws IOException {
        byte[] bytes = new byte[length];
        int have = 0;
        while (have < length) {
            long millis = (deadlineNanos - NicClock.nanos()) / 1_000_000;
            if (millis <= 0) {
                throw new SocketTimeoutException("no answer in time");
            }
            channel.socket().setSoTimeout((int) Math.min(millis, Integer.MAX_VALUE));
            int read = channel.socket().getInputStream().read(bytes, have, length - have);
            if (read < 0) {
                throw new EOFException("the peer closed the connection");
            }
            have += read;
        }
        return ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    }
}
