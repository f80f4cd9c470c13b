package io.leasehold.rdma;

/// A key that opens remote memory: a 24-bit index chosen by the device and an 8-bit variant.
///
/// ```
///  31                    8 7        0
/// +-----------------------+----------+
/// |        index          | variant  |
/// +-----------------------+----------+
/// ```
///
/// The variant of a type 2 window is the consumer's choice at each bind; taking a new one makes the old key useless.
/// Hot paths pass the bare `int`.
///
/// @param value the key as it travels in a request
public record RemoteKey(int value) {
    /// The bits of a key that are its variant.
    public static final int VARIANT_MASK = 0xff;

    /// The device's part of the key.
    public int index() {
        return value >>> 8;
    }

    /// The consumer's part of the key, 0 to 255.
    public int variant() {
        return value & VARIANT_MASK;
    }

    /// The same index with the following variant; after 255 comes 0.
    public RemoteKey next() {
        return new RemoteKey(value & ~VARIANT_MASK | value + 1 & VARIANT_MASK);
    }

    @Override
    public String toString() {
        return "0x" + Integer.toHexString(value);
    }
}
