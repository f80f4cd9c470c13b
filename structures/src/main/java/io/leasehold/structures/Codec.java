package io.leasehold.structures;

import java.lang.foreign.MemorySegment;
import java.util.UUID;
import java.util.function.BiConsumer;
import java.util.function.Function;

/// Turns values into bytes of remote memory and back.
///
/// Two keys of a map are equal iff their encodings are: an encoding must be a function of the value. The name is stored with the
/// structure, and
/// opening it with a codec of another name is refused; change the name when the encoding changes. Thread-safe.
///
/// @param <T> the values
public interface Codec<T> {
    /// Strings, as UTF-8.
    Codec<String> UTF_8 = new StandardCodecs.Utf8();
    /// Byte arrays, as they are.
    Codec<byte[]> BYTES = new StandardCodecs.Bytes();
    /// Integers, 4 bytes little-endian.
    Codec<Integer> INT = new StandardCodecs.Int32();
    /// Long integers, 8 bytes little-endian.
    Codec<Long> LONG = new StandardCodecs.Int64();
    /// UUIDs, 16 bytes.
    Codec<UUID> UUID_16 = new StandardCodecs.Uuid();

    /// A codec for any type, most often a record, from a function that writes its parts and one that reads them in the same
    /// order.
    ///
    /// ```java
    /// record Point(int x, int y) {}
    /// Codec<Point> points = Codec.of("point/1",
    ///         (point, out) -> { out.putInt(point.x()); out.putInt(point.y()); },
    ///         in -> new Point(in.getInt(), in.getInt()));
    /// ```
    static <T> Codec<T> of(String name, BiConsumer<? super T, ? super CodecOutput> writer,
            Function<? super CodecInput, ? extends T> reader) {
        return new StandardCodecs.Composed<>(name, writer, reader);
    }

    /// The name of the encoding, 1 to 60 bytes of UTF-8.
    String name();

    /// The number of bytes that [#encode] will write for `value`.
    int encodedBytes(T value);

    /// Writes `value` to the first [#encodedBytes] bytes of `into`, which may have any alignment.
    void encode(T value, MemorySegment into);

    /// Reads a value from all of `from`, which may have any alignment and must not be kept.
    T decode(MemorySegment from);
}
