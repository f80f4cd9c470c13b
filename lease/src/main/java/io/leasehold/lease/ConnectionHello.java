package io.leasehold.lease;

import java.lang.foreign.MemorySegment;
import java.util.UUID;

/// What a client says when it connects a queue pair: the private data of the connection request. Always 24 bytes, little-endian:
///
/// ```
///  0          4         6      7       8                          24
/// +----------+---------+------+-------+---------------------------+
/// | "LEAS"   | version | role | index |  session id               |
/// |  u32     |  u16    | u8   | u8    |  two u64, high one first  |
/// +----------+---------+------+-------+---------------------------+
/// ```
///
/// @param role what the queue pair is for
/// @param index which data queue pair it is, 0 to 255; 0 for a control queue pair
/// @param session the session that it belongs to; a data queue pair is refused unless the node knows it
record ConnectionHello(Role role, int index, UUID session) {
    /// What a queue pair is for.
    enum Role {
        /// Requests and replies.
        CONTROL,
        /// One-sided access; the session's windows are bound to one of these.
        DATA
    }

    static final int BYTES = 24;
    private static final int MAGIC = 'L' << 24 | 'E' << 16 | 'A' << 8 | 'S';
    private static final int VERSION = 1;

    /// Checks the ranges.
    ConnectionHello {
        if (index < 0 || index > 255) {
            throw new IllegalArgumentException("index " + index + " is outside 0 to 255");
        }
    }

    byte[] encode() {
        byte[] bytes = new byte[BYTES];
        new MessageWriter(MemorySegment.ofArray(bytes), 0).u32(MAGIC).u16(VERSION).u8(role.ordinal()).u8(index)
                .u64(session.getMostSignificantBits()).u64(session.getLeastSignificantBits());
        return bytes;
    }

    static ConnectionHello decode(byte[] bytes) throws MalformedMessageException {
        MessageReader reader = new MessageReader(MemorySegment.ofArray(bytes), 0);
        int magic = reader.u32();
        int version = reader.u16();
        if (magic != MAGIC || version != VERSION) {
            throw new MalformedMessageException("no connection request of Leasehold, or of a version other than " + VERSION);
        }
        Role role = reader.oneOf(Role.values());
        int index = reader.u8();
        UUID session = new UUID(reader.u64(), reader.u64());
        reader.end();
        return new ConnectionHello(role, index, session);
    }
}
