package io.leasehold.structures;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.UUID;
import java.util.function.BiConsumer;
import java.util.function.Function;

/// The codecs that [Codec] offers.
final class StandardCodecs {
    private static final ValueLayout.OfInt INT_LE = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong LONG_LE = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final int NAME_BYTES_MAX = 60;

    private StandardCodecs() {
    }

    record Utf8() implements Codec<String> {
        @Override
        public String name() {
            return "utf-8";
        }

        @Override
        public int encodedBytes(String value) {
            int bytes = 0;
            for (int i = 0; i < value.length(); i++) {
                char c = value.charAt(i);
                if (c < 0x80) {
                    bytes++;
                } else if (c < 0x800) {
                    bytes += 2;
                } else if (Character.isHighSurrogate(c) && i + 1 < value.length()
                        && Character.isLowSurrogate(value.charAt(i + 1))) {
                    bytes += 4;
                    i++;
                } else if (Character.isSurrogate(c)) {
                    throw new IllegalArgumentException("string has an unpaired surrogate at " + i + ": UTF-8 cannot hold it");
                } else {
                    bytes += 3;
                }
            }
            return bytes;
        }

        @Override
        public void encode(String value, MemorySegment into) {
            byte[] bytes = value.getBytes(StandardCharsets.UTF_8);
            MemorySegment.copy(bytes, 0, into, ValueLayout.JAVA_BYTE, 0, bytes.length);
        }

        @Override
        public String decode(MemorySegment from) {
            return new String(from.toArray(ValueLayout.JAVA_BYTE), StandardCharsets.UTF_8);
        }
    }

    record Bytes() implements Codec<byte[]> {
        @Override
        public String name() {
            return "bytes";
        }

        @Override
        public int encodedBytes(byte[] value) {
            return value.length;
        }

        @Override
        public void encode(byte[] value, MemorySegment into) {
            MemorySegment.copy(value, 0, into, ValueLayout.JAVA_BYTE, 0, value.length);
        }

        @Override
        public byte[] decode(MemorySegment from) {
            return from.toArray(ValueLayout.JAVA_BYTE);
        }
    }

    record Int32() implements Codec<Integer> {
        @Override
        public String name() {
            return "int";
        }

        @Override
        public int encodedBytes(Integer value) {
            return Integer.BYTES;
        }

        @Override
        public void encode(Integer value, MemorySegment into) {
            into.set(INT_LE, 0, value);
        }

        @Override
        public Integer decode(MemorySegment from) {
            return from.get(INT_LE, 0);
        }
    }

    record Int64() implements Codec<Long> {
        @Override
        public String name() {
            return "long";
        }

        @Override
        public int encodedBytes(Long value) {
            return Long.BYTES;
        }

        @Override
        public void encode(Long value, MemorySegment into) {
            into.set(LONG_LE, 0, value);
        }

        @Override
        public Long decode(MemorySegment from) {
            return from.get(LONG_LE, 0);
        }
    }

    record Uuid() implements Codec<UUID> {
        @Override
        public String name() {
            return "uuid";
        }

        @Override
        public int encodedBytes(UUID value) {
            return 2 * Long.BYTES;
        }

        @Override
        public void encode(UUID value, MemorySegment into) {
            into.set(LONG_LE, 0, value.getMostSignificantBits());
            into.set(LONG_LE, Long.BYTES, value.getLeastSignificantBits());
        }

        @Override
        public UUID decode(MemorySegment from) {
            return new UUID(from.get(LONG_LE, 0), from.get(LONG_LE, Long.BYTES));
        }
    }

    /// A codec made of two functions; it writes twice, once to learn the length.
    record Composed<T>(String name, BiConsumer<? super T, ? super CodecOutput> writer,
            Function<? super CodecInput, ? extends T> reader) implements Codec<T> {
        Composed {
            int bytes = name.getBytes(StandardCharsets.UTF_8).length;
            if (bytes < 1 || bytes > NAME_BYTES_MAX) {
                throw new IllegalArgumentException(
                        "codec name '" + name + "' has " + bytes + " bytes of UTF-8, not 1 to " + NAME_BYTES_MAX);
            }
        }

        @Override
        public int encodedBytes(T value) {
            return written(value).size();
        }

        @Override
        public void encode(T value, MemorySegment into) {
            written(value).copyTo(into);
        }

        @Override
        public T decode(MemorySegment from) {
            return reader.apply(new CodecInput(from));
        }

        private CodecOutput written(T value) {
            CodecOutput output = new CodecOutput();
            writer.accept(value, output);
            return output;
        }
    }
}
