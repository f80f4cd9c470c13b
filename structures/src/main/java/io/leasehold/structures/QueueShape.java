package io.leasehold.structures;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.zip.CRC32C;

/// What all sessions of one queue agree on, as the first bytes of its root say.
///
/// The root, in lines of 64 bytes, so that words that different sides change are not neighbours:
/// ```
///   0  format:64 | capacity:32 | slots:32 | delivery:64 | visibility:64 (ns)    written once, `format` last
///  64  first     the oldest segment that is not recycled
/// 128  head      where elements are taken
/// 192  tail      where elements are put
/// 256  released  how often elements were given back
/// 320  length:8 | name of the codec, up to 60 bytes of UTF-8                    written once
/// ```
/// `first`, `head` and `tail` are segment pointers (see [SegmentLayout]); `head` and `tail` may lag.
record QueueShape(int capacity, int slots, DeliveryMode delivery, long visibilityNanos, String codec) {
    /// "LHQUEUE" and the format version.
    static final long FORMAT = 0x4C_48_51_55_45_55_45_02L;
    static final int FORMAT_AT = 0;
    static final int CAPACITY_AT = 8;
    static final int SLOTS_AT = 12;
    static final int DELIVERY_AT = 16;
    static final int VISIBILITY_AT = 24;
    static final int FIRST_AT = 64;
    static final int HEAD_AT = 128;
    static final int TAIL_AT = 192;
    static final int RELEASED_AT = 256;
    static final int CODEC_AT = 320;
    static final int ROOT_BYTES = 384;
    static final int CODEC_BYTES_MAX = 60;

    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.nativeOrder());
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.nativeOrder());

    QueueShape {
        int bytes = codec.getBytes(StandardCharsets.UTF_8).length;
        if (bytes < 1 || bytes > CODEC_BYTES_MAX) {
            throw new IllegalArgumentException(
                    "codec name '" + codec + "' has " + bytes + " bytes of UTF-8, not 1 to " + CODEC_BYTES_MAX);
        }
    }

    static QueueShape of(QueueOptions options, Codec<?> codec) {
        return new QueueShape(options.capacity(), options.slotsPerSegment(), options.delivery(), options.visibility().toNanos(),
                codec.name());
    }

    /// Reads the shape from an image of the root whose format word was read before the rest.
    static QueueShape decode(String queue, MemorySegment root) {
        long format = root.get(LONG, FORMAT_AT);
        if (format != FORMAT) {
            throw new IllegalArgumentException("'" + queue + "' is no queue of this version: its format is 0x"
                    + Long.toHexString(format) + ", not 0x" + Long.toHexString(FORMAT));
        }
        byte[] name = new byte[root.get(ValueLayout.JAVA_BYTE, CODEC_AT)];
        MemorySegment.copy(root, ValueLayout.JAVA_BYTE, CODEC_AT + 1, name, 0, name.length);
        return new QueueShape(root.get(INT, CAPACITY_AT), root.get(INT, SLOTS_AT),
                DeliveryMode.values()[(int) root.get(LONG, DELIVERY_AT)], root.get(LONG, VISIBILITY_AT),
                new String(name, StandardCharsets.UTF_8));
    }

    /// Writes the root of a queue with a single segment, all but the format word.
    void encode(MemorySegment root, long segment) {
        for (int at : new int[] {FIRST_AT, HEAD_AT, TAIL_AT}) {
            root.set(LONG, at, segment);
        }
        byte[] name = codec.getBytes(StandardCharsets.UTF_8);
        root.set(INT, CAPACITY_AT, capacity);
        root.set(INT, SLOTS_AT, slots);
        root.set(LONG, DELIVERY_AT, delivery.ordinal());
        root.set(LONG, VISIBILITY_AT, visibilityNanos);
        root.set(ValueLayout.JAVA_BYTE, CODEC_AT, (byte) name.length);
        MemorySegment.copy(name, 0, root, ValueLayout.JAVA_BYTE, CODEC_AT + 1, name.length);
    }

    /// Whether `capacity` is a bound.
    boolean isBounded() {
        return capacity != QueueOptions.UNBOUNDED;
    }

    boolean isAcknowledged() {
        return delivery == DeliveryMode.ACKNOWLEDGED;
    }

    /// What blocks carry to tell that they were written with this codec.
    int codecId() {
        CRC32C crc = new CRC32C();
        crc.update(codec.getBytes(StandardCharsets.UTF_8));
        return (int) crc.getValue();
    }

    /// Refuses to go on if the caller expects something else than the queue is.
    ///
    /// @throws IllegalArgumentException naming both values
    void requireSame(String queue, QueueShape expected) {
        requireCodec(queue, expected.codec);
        require(queue, "capacity", bound(capacity), bound(expected.capacity));
        require(queue, "slotsPerSegment", slots, expected.slots);
        require(queue, "delivery", delivery, expected.delivery);
        require(queue, "visibility in ns", visibilityNanos, expected.visibilityNanos);
    }

    /// As [#requireSame], for the codec alone.
    void requireCodec(String queue, String expected) {
        require(queue, "codec", codec, expected);
    }

    private static Object bound(int capacity) {
        return capacity == QueueOptions.UNBOUNDED ? "unbounded" : capacity;
    }

    private static void require(String queue, String what, Object stored, Object asked) {
        if (!stored.equals(asked)) {
            throw new IllegalArgumentException(
                    "queue '" + queue + "' was created with " + what + " " + stored + " and opened with " + asked);
        }
    }
}
