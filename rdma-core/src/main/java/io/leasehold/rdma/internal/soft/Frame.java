package io.leasehold.rdma.internal.soft;

import java.nio.ByteBuffer;

/// The unit of the TCP link, version 1: a header of 40 bytes, little-endian, and a payload of up to [#SEGMENT_BYTES].
///
/// ```
///  byte   0        1        2                 4
///         +--------+--------+-----------------+-----------------------------------+
///      0  |  type  |  zero  |      zero       |          payload length           |
///         +--------+--------+-----------------+-----------------------------------+
///      8  |             sequence              |          key or status            |
///         +-----------------------------------+-----------------------------------+
///     16  |                       address, or offset in a message                 |
///         +-----------------------------------------------------------------------+
///     24  |            first operand: length, compare, addend, previous           |
///         +-----------------------------------------------------------------------+
///     32  |            second operand: swap, immediate, key to invalidate         |
///         +-----------------------------------------------------------------------+
///     40  |  payload ...
/// ```
///
/// A work request longer than a segment travels as several requests, each with a sequence number of its own. The responder
/// carries requests out in the order of their numbers and answers in that order:
///
/// | frame | direction | meaning |
/// |---|---|---|
/// | those of [WorkRequests] | request | the work request, or a piece of it |
/// | ACKNOWLEDGE | answer | every request up to this number is done |
/// | DATA | answer | what a READ read; as every answer, it acknowledges what came before |
/// | PREVIOUS | answer | what the word held before an atomic |
/// | REFUSE | answer | this request failed with a status, no later one will be carried out |
/// | NOT_READY | answer | there is no receive for this message: it and what follows was thrown away |
/// | READY | answer | now there is one: begin again with this number |
/// | PING, PONG | both | are you there |
final class Frame {
    /// The version of this protocol.
    static final int VERSION = 1;
    /// Bytes of a header.
    static final int HEADER_BYTES = 40;
    /// The longest payload.
    static final int SEGMENT_BYTES = 1 << 16;

    static final int ACKNOWLEDGE = 16;
    static final int DATA = 17;
    static final int PREVIOUS = 18;
    static final int REFUSE = 19;
    static final int NOT_READY = 20;
    static final int READY = 21;
    static final int PING = 24;
    static final int PONG = 25;

    static final int TYPE_AT = 0;
    static final int PAYLOAD_AT = 4;
    static final int SEQUENCE_AT = 8;
    static final int KEY_AT = 12;
    static final int ADDRESS_AT = 16;
    static final int FIRST_AT = 24;
    static final int SECOND_AT = 32;

    private Frame() {
    }

    /// Writes a header at `at`.
    static void put(ByteBuffer into, int at, int type, int payload, int sequence, int key, long address, long first,
            long second) {
        // The type in the lowest byte, then three bytes of zero.
        into.putInt(at + TYPE_AT, type);
        into.putInt(at + PAYLOAD_AT, payload);
        into.putInt(at + SEQUENCE_AT, sequence);
        into.putInt(at + KEY_AT, key);
        into.putLong(at + ADDRESS_AT, address);
        into.putLong(at + FIRST_AT, first);
        into.putLong(at + SECOND_AT, second);
    }

    /// The type of the frame at `at`; any number, as it comes from the peer. A byte that has to be zero and is not makes it one
    /// that does not exist.
    static int type(ByteBuffer from, int at) {
        return from.getInt(at + TYPE_AT);
    }

    /// The length of its payload; any number.
    static int payload(ByteBuffer from, int at) {
        return from.getInt(at + PAYLOAD_AT);
    }

    static int sequence(ByteBuffer from, int at) {
        return from.getInt(at + SEQUENCE_AT);
    }

    static int key(ByteBuffer from, int at) {
        return from.getInt(at + KEY_AT);
    }

    static long address(ByteBuffer from, int at) {
        return from.getLong(at + ADDRESS_AT);
    }

    static long first(ByteBuffer from, int at) {
        return from.getLong(at + FIRST_AT);
    }

    static long second(ByteBuffer from, int at) {
        return from.getLong(at + SECOND_AT);
    }

    /// Whether frames of this type ask for something.
    static boolean isRequest(int type) {
        return type >= WorkRequests.READ && type <= WorkRequests.SEND_WITH_INVALIDATE;
    }

    /// Whether frames of this type may have a payload.
    static boolean mayCarry(int type) {
        return type == WorkRequests.WRITE || type == WorkRequests.WRITE_WITH_IMMEDIATE || type == WorkRequests.SEND
                || type == WorkRequests.SEND_WITH_INVALIDATE || type == DATA;
    }
}
