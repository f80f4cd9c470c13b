package io.leasehold.lease;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import java.lang.foreign.MemorySegment;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;

/// A cursor that reads what a [MessageWriter] wrote, and trusts nothing of it.
final class MessageReader {
    private final MemorySegment from;
    private long position;

    MessageReader(MemorySegment from, long position) {
        this.from = from;
        this.position = position;
    }

    int u8() throws MalformedMessageException {
        return Byte.toUnsignedInt(from.get(JAVA_BYTE, advance(1)));
    }

    int u16() throws MalformedMessageException {
        return Short.toUnsignedInt(from.get(MessageWriter.U16, advance(2)));
    }

    int u32() throws MalformedMessageException {
        return from.get(MessageWriter.U32, advance(4));
    }

    long u64() throws MalformedMessageException {
        return from.get(MessageWriter.U64, advance(8));
    }

    boolean bool() throws MalformedMessageException {
        int value = u8();
        if (value > 1) {
            throw new MalformedMessageException("truth value " + value + " before byte " + position + " is neither 0 nor 1");
        }
        return value == 1;
    }

    /// One of `constants`, by its ordinal.
    <E extends Enum<E>> E oneOf(E[] constants) throws MalformedMessageException {
        int ordinal = u8();
        if (ordinal >= constants.length) {
            throw new MalformedMessageException(
                    constants[0].getDeclaringClass().getSimpleName() + " has no ordinal " + ordinal + ", byte " + (position - 1));
        }
        return constants[ordinal];
    }

    int count(int max, String what) throws MalformedMessageException {
        int elements = u16();
        if (elements > max) {
            throw new MalformedMessageException(elements + " " + what + " announced, at most " + max);
        }
        return elements;
    }

    String text(int maxBytes) throws MalformedMessageException {
        int length = u16();
        if (length > maxBytes) {
            throw new MalformedMessageException("text of " + length + " bytes announced, at most " + maxBytes);
        }
        long at = advance(length);
        try {
            return StandardCharsets.UTF_8.newDecoder().decode(from.asSlice(at, length).asByteBuffer()).toString();
        } catch (CharacterCodingException e) {
            throw new MalformedMessageException("text at byte " + at + " is no UTF-8");
        }
    }

    /// Checks that nothing follows.
    void end() throws MalformedMessageException {
        if (position != from.byteSize()) {
            throw new MalformedMessageException((from.byteSize() - position) + " bytes follow the message");
        }
    }

    private long advance(int bytes) throws MalformedMessageException {
        long at = position;
        if (bytes > from.byteSize() - at) {
            throw new MalformedMessageException(
                    "message ends at byte " + from.byteSize() + ", " + bytes + " more expected at byte " + at);
        }
        position = at + bytes;
        return at;
    }
}
