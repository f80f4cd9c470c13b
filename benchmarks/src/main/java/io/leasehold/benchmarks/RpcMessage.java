package io.leasehold.benchmarks;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.jspecify.annotations.Nullable;

/// Requests and answers of [RpcServer]; a request is answered in the order in which it came.
///
/// ```
///  0        16        20
/// +--------+---------+----------
/// | key    | length  | value          length −1: read (request), or nothing there (answer)
/// +--------+---------+----------
/// ```
final class RpcMessage {
    private static final int NONE = -1;
    private static final int LENGTH_AT = Records.KEY_BYTES;
    private static final int VALUE_AT = LENGTH_AT + Integer.BYTES;

    private RpcMessage() {
    }

    /// Writes a message.
    ///
    /// @return its length
    static int write(MemorySegment into, byte[] key, byte @Nullable [] value) {
        MemorySegment.copy(key, 0, into, ValueLayout.JAVA_BYTE, 0, Records.KEY_BYTES);
        into.set(ValueLayout.JAVA_INT, LENGTH_AT, value == null ? NONE : value.length);
        if (value == null) {
            return VALUE_AT;
        }
        MemorySegment.copy(value, 0, into, ValueLayout.JAVA_BYTE, VALUE_AT, value.length);
        return VALUE_AT + value.length;
    }

    static byte[] key(MemorySegment from) {
        return from.asSlice(0, Records.KEY_BYTES).toArray(ValueLayout.JAVA_BYTE);
    }

    static byte @Nullable [] value(MemorySegment from) {
        int length = from.get(ValueLayout.JAVA_INT, LENGTH_AT);
        return length == NONE ? null : from.asSlice(VALUE_AT, length).toArray(ValueLayout.JAVA_BYTE);
    }
}
