package io.leasehold.testkit.history;

import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;

/// One operation of a history: what was asked, what was answered, and between which two moments it took effect, if it did.
///
/// Values are `long`s; [#NONE] stands for `null` and for "no element", 0 and 1 for `false` and `true`.
///
/// @param client who called; one client does one thing at a time
/// @param kind what was called
/// @param object the key, the queue or the word that it was called on
/// @param argument the first argument
/// @param second the second argument
/// @param result the answer; without meaning if the operation is pending
/// @param invokedNanos when it was called
/// @param returnedNanos when it returned; [Long#MAX_VALUE] if it never did, or not in a way that tells whether it took effect
public record Operation(int client, Kind kind, String object, long argument, long second, long result, long invokedNanos,
        long returnedNanos) {
    /// No value.
    public static final long NONE = Long.MIN_VALUE;

    /// What can be called.
    public enum Kind {
        /// `get(key)`: the value.
        GET,
        /// `put(key, argument)`: the value before.
        PUT,
        /// `putIfAbsent(key, argument)`: the value before.
        PUT_IF_ABSENT,
        /// `remove(key)`: the value before.
        REMOVE,
        /// `remove(key, argument)`: whether it was.
        REMOVE_IF,
        /// `replace(key, argument)`: the value before.
        REPLACE,
        /// `replace(key, argument, second)`: whether it was.
        REPLACE_IF,
        /// `compute`, `merge` and their like: `argument` is the value that the last call of the function saw, `second` what it
        /// made of it.
        COMPUTE,
        /// Adds `argument` to the queue; answers whether it did.
        ENQUEUE,
        /// Takes the head of the queue, or nothing.
        DEQUEUE,
        /// Compare-and-swap of a word from `argument` to `second`: the word before.
        COMPARE_AND_SWAP,
        /// Adds `argument` to a word: the word before.
        FETCH_AND_ADD
    }

    /// Checks the order of the two moments.
    public Operation {
        if (returnedNanos < invokedNanos) {
            throw new IllegalArgumentException("operation returned " + (invokedNanos - returnedNanos) + " ns before it was called");
        }
    }

    /// Whether it is unknown if the operation took effect.
    public boolean isPending() {
        return returnedNanos == Long.MAX_VALUE;
    }

    void writeTo(DataOutput out) throws IOException {
        out.writeInt(client);
        out.writeByte(kind.ordinal());
        out.writeUTF(object);
        for (long field : new long[] {argument, second, result, invokedNanos, returnedNanos}) {
            out.writeLong(field);
        }
    }

    static Operation readFrom(DataInput in) throws IOException {
        return new Operation(in.readInt(), Kind.values()[in.readByte()], in.readUTF(), in.readLong(), in.readLong(), in.readLong(),
                in.readLong(), in.readLong());
    }

    @Override
    public String toString() {
        return "client " + client + ' ' + kind + ' ' + object + '(' + text(argument) + ", " + text(second) + ") -> "
                + (isPending() ? "?" : text(result)) + " [" + invokedNanos + ", " + (isPending() ? "∞" : returnedNanos) + ']';
    }

    private static String text(long value) {
        return value == NONE ? "none" : Long.toString(value);
    }
}
