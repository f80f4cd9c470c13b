package io.leasehold.lease;

import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/// What a piece of remote memory ought to hold.
final class MemoryModel {
    private final byte[] bytes;

    /// @param bytes what it holds now
    MemoryModel(byte[] bytes) {
        this.bytes = bytes.clone();
    }

    byte[] bytes() {
        return bytes;
    }

    byte[] bytes(int from, int lengthBytes) {
        return Arrays.copyOfRange(bytes, from, from + lengthBytes);
    }

    long word(int from) {
        return MemorySegment.ofArray(bytes).get(JAVA_LONG_UNALIGNED, from);
    }

    /// Carries out an access, as [BareClient#access] names it.
    void apply(Verb verb, int from, int lengthBytes, long expected, long operand) {
        switch (verb) {
            case READ -> { }
            case WRITE -> Arrays.fill(bytes, from, from + lengthBytes, (byte) operand);
            case COMPARE_AND_SWAP -> setWord(from, word(from) == expected ? operand : word(from));
            case FETCH_AND_ADD -> setWord(from, word(from) + operand);
        }
    }

    private void setWord(int from, long value) {
        MemorySegment.ofArray(bytes).set(JAVA_LONG_UNALIGNED, from, value);
    }
}
